/** A bucket of packed images that exists only as arithmetic: what is listed and read is made up when asked for, what is written is weighed and forgotten. */
import { createHash } from 'node:crypto';
import { indexOf } from '#core/formats/tar-index';
import { keys } from '#core/job/keys';
import { listingBlock, listingLine } from '#core/job/plan';
import type { ObjectStore, StoredObject } from '#pipeline/ports';

export const syntheticPrefix = 'datasets/synthetic/images/';
const imageBytes = 110_000;
/** With header and padding. */
const entryBytes = 512 + Math.ceil(imageBytes / 512) * 512;

export class SyntheticStore implements ObjectStore {
  readonly #images: number;
  readonly #perTar: number;
  /** Small documents, kept as they are. */
  readonly #kept = new Map<string, { bytes: Uint8Array; etag: string }>();
  /** Blocks of the listing, by key: which one it was, and the digest of its bytes. They are made again when they are read. */
  readonly #blocks = new Map<string, { readonly number: number; readonly digest: string }>();
  #versions = 0;
  /** Keys of markers, in the order in which they were written. */
  readonly markers: string[] = [];
  shards = 0;
  shardBytes = 0;

  constructor(images: number, perTar: number) {
    this.#images = images;
    this.#perTar = perTar;
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    return (await this.getTagged(key))?.bytes;
  }

  async getTagged(key: string): Promise<{ bytes: Uint8Array; etag: string } | undefined> {
    const block = this.#blocks.get(key);
    if (block) return { bytes: this.#writtenBlock(block.number, block.digest), etag: 'b' };
    if (key.endsWith('.tar.index')) return { bytes: this.#index(Number(key.slice(-16, -10))), etag: 'i' };
    return this.#kept.get(key);
  }

  async head(key: string): Promise<StoredObject | undefined> {
    const found = await this.getTagged(key);
    return found && { key, size: found.bytes.length, etag: found.etag };
  }

  async putNew(key: string, bytes: Uint8Array): Promise<boolean> {
    this.#write(key, bytes);
    return true;
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    this.#write(key, bytes);
  }

  async swap(key: string, bytes: Uint8Array, etag: string | undefined): Promise<string | undefined> {
    if (this.#kept.get(key)?.etag !== etag) return undefined;
    this.#write(key, bytes);
    return this.#kept.get(key)!.etag;
  }

  async delete(key: string): Promise<void> {
    this.#kept.delete(key);
    this.#blocks.delete(key);
  }

  async *list(prefix: string, after = ''): AsyncGenerator<StoredObject> {
    if (prefix !== syntheticPrefix) {
      for (const key of this.markers) if (key.startsWith(prefix)) yield { key, size: 1, etag: 'm' };
      return;
    }
    for (let tar = 0; tar * this.#perTar < this.#images; tar++) {
      const key = tarKey(tar);
      if (key > after) yield { key, size: this.#tarBytes(tar), etag: `t${tar}` };
      if (indexOf(key) > after) yield { key: indexOf(key), size: 1, etag: 'i' };
    }
  }

  async *keys(prefix: string): AsyncGenerator<string> {
    for await (const { key } of this.list(prefix)) yield key;
  }

  #write(key: string, bytes: Uint8Array): void {
    if (/\/plan\/[0-9a-f]{8}-\d{6}\.json$/.test(key)) {
      this.shards++;
      this.shardBytes += bytes.length;
    } else if (key.startsWith(keys.listed('j', '').slice(0, -'.json'.length)))
      this.#blocks.set(key, { number: this.#blocks.size, digest: digestOf(bytes) });
    else this.#kept.set(key, { bytes: bytes.slice(), etag: `v${++this.#versions}` });
  }

  #tarBytes = (tar: number): number => this.#inTar(tar) * entryBytes + 1024;
  #inTar = (tar: number): number => Math.min(this.#perTar, this.#images - tar * this.#perTar);

  /** As `formatTarIndex` writes it. */
  #index(tar: number): Uint8Array {
    const row = (_: unknown, i: number) =>
      `["${nameOf(tar * this.#perTar + i)}",${512 + i * entryBytes},${imageBytes}]`;
    const members = Array.from({ length: this.#inTar(tar) }, row).join(',');
    return Buffer.from(`{"version":1,"bytes":${this.#tarBytes(tar)},"members":[${members}]}\n`);
  }

  #writtenBlock(block: number, digest: string): Uint8Array {
    const bytes = this.#blockBytes(block);
    if (digestOf(bytes) !== digest) throw new Error(`block ${block} is not what the planner wrote`);
    return bytes;
  }

  #blockBytes(block: number): Uint8Array {
    const end = Math.min(this.#images, (block + 1) * listingBlock);
    const lines: string[] = [];
    for (let from = block * listingBlock; from < end; from += listingLine) {
      const images: string[] = [];
      for (let image = from; image < Math.min(end, from + listingLine); image++) {
        const [tar, place] = [Math.floor(image / this.#perTar), image % this.#perTar];
        const inTar = `"tar":"${tarKey(tar).slice(syntheticPrefix.length)}","start":${512 + place * entryBytes}`;
        images.push(`{"name":"${nameOf(image)}","size":${imageBytes},"etag":"t${tar}",${inTar}}`);
      }
      lines.push(`[${images.join(',')}]`);
    }
    return Buffer.from(lines.join('\n'));
  }
}

const digestOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const tarKey = (tar: number): string => `${syntheticPrefix}packed-${String(tar).padStart(6, '0')}.tar`;
const nameOf = (image: number): string => {
  const digits = String(image).padStart(9, '0');
  return `${digits.slice(0, 3)}/${digits.slice(3, 6)}/${digits}.jpg`;
};
