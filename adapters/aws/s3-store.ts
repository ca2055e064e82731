/** The store in the cloud: an S3 bucket. Conditional writes make it safe for any number of processes. */
import {
  DeleteObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
} from '@aws-sdk/client-s3';
import { RejectedInput } from '#core/errors';
import { assertKey } from '#core/job/object-key';
import type { ObjectStore, StoredObject } from '#pipeline/ports';
import { Bucket, type BucketOptions } from './bucket.ts';
import { readObject } from './object-reader.ts';
import { streamObject } from './object-stream.ts';
import { writeLargeObject, writeObject } from './object-writer.ts';

const onlyNew = { IfNoneMatch: '*' } as const;

export class S3Store implements ObjectStore {
  readonly #bucket: Bucket;

  constructor(options: BucketOptions) {
    this.#bucket = new Bucket(options);
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    return (await this.getTagged(key))?.bytes;
  }

  async getTagged(key: string): Promise<{ bytes: Uint8Array; etag: string } | undefined> {
    assertReadable(key);
    return readObject(this.#bucket, key);
  }

  async head(key: string): Promise<StoredObject | undefined> {
    assertKey(key);
    const { s3 } = this.#bucket;
    const answer = await this.#bucket.ask('read', key, () => s3.send(new HeadObjectCommand(this.#bucket.at(key))));
    if (answer.kind !== 'done') return undefined;
    return { key, size: answer.value.ContentLength ?? 0, etag: answer.value.ETag! };
  }

  async putNew(key: string, bytes: Uint8Array): Promise<boolean> {
    assertKey(key);
    if (bytes.length <= this.#bucket.partBytes) {
      return (await writeObject(this.#bucket, key, bytes, onlyNew)) !== undefined;
    }
    // One question spares a large upload that somebody else was first with.
    if (await this.head(key)) return false;
    return (await writeLargeObject(this.#bucket, key, bytes, onlyNew)) !== undefined;
  }

  /** Always in one piece: what is swapped are small documents. */
  async swap(key: string, bytes: Uint8Array, etag: string | undefined): Promise<string | undefined> {
    assertKey(key);
    return writeObject(this.#bucket, key, bytes, etag === undefined ? onlyNew : { IfMatch: etag });
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    assertKey(key);
    const write = bytes.length <= this.#bucket.partBytes ? writeObject : writeLargeObject;
    const etag = await write(this.#bucket, key, bytes, {});
    if (etag === undefined) throw new Error(`cannot write ${key} (bucket ${this.#bucket.name}): refused for no reason`);
  }

  async delete(key: string): Promise<void> {
    assertKey(key);
    const { s3 } = this.#bucket;
    await this.#bucket.ask('delete', key, () => s3.send(new DeleteObjectCommand(this.#bucket.at(key))));
  }

  /** S3 lists in the order of UTF-8 bytes, and consistently: what was written before the question is in the answer. */
  async *list(prefix: string, after?: string): AsyncGenerator<StoredObject> {
    let token: string | undefined;
    do {
      const page = await this.#page(prefix, after, token);
      for (const { Key, Size, ETag } of page.Contents ?? []) {
        const key = decodeKey(Key!);
        if (!isPlaceholder(key, Size!)) yield { key, size: Size!, etag: ETag! };
      }
      token = page.NextContinuationToken;
    } while (token !== undefined);
  }

  async *keys(prefix: string): AsyncGenerator<string> {
    for await (const { key } of this.list(prefix)) yield key;
  }

  async *stream(key: string, etag: string, start: number, end: number): AsyncGenerator<Uint8Array> {
    assertReadable(key);
    yield* streamObject(this.#bucket, key, etag, { start, end });
  }

  async #page(
    prefix: string,
    after: string | undefined,
    token: string | undefined,
  ): Promise<ListObjectsV2CommandOutput> {
    const { name, s3 } = this.#bucket;
    // Encoded, since XML cannot hold every key.
    const query = {
      Bucket: name,
      Prefix: prefix,
      StartAfter: after,
      ContinuationToken: token,
      EncodingType: 'url',
    } as const;
    const answer = await this.#bucket.ask('list', prefix, () => s3.send(new ListObjectsV2Command(query)));
    if (answer.kind !== 'done') throw new Error(`cannot list ${prefix} (bucket ${name}): ${answer.kind}`);
    return answer.value;
  }
}

/** What the S3 console and others store to show an empty folder. */
const isPlaceholder = (key: string, size: number): boolean => key.endsWith('/') && size === 0;

/** S3 holds names that no folder could; an image of such a name is left out, and the job goes on. */
function assertReadable(key: string): void {
  try {
    assertKey(key);
  } catch (cause) {
    throw new RejectedInput('its name has an empty part, "." or "..", which no folder could hold', { cause });
  }
}

const decodeKey = (encoded: string): string => decodeURIComponent(encoded.replaceAll('+', ' '));
