/** The listing of a job's images: at once where it is short, otherwise in blocks that are kept until the plan is complete. */
import { keys } from '#core/job/keys';
import { listingBlock, listingLine, type PlannedImage } from '#core/job/plan';
import { fromJson, readObject, toJson } from './documents.ts';
import { fingerprintOf } from './fingerprints.ts';
import { type ListingPlace, listImages, placeBehind } from './list-images.ts';
import type { ObjectStore, Ports } from './ports.ts';

export interface ListedBlock {
  readonly count: number;
  /** Images before it. */
  readonly from: number;
  images(): readonly PlannedImage[];
  /** The document of a shard: images `from` to before `to` of this block; of a long listing, whole lines. */
  shard(name: string, from: number, to: number): Uint8Array;
  /** Remembers that this block's shards are written. */
  settle(): Promise<void>;
}

export interface Listing {
  readonly count: number;
  /** Changes with any image's name, size or version. */
  readonly fingerprint: string;
  /** Blocks whose shards are written. */
  readonly written: number;
  /** The images from block `first` on; one block is held at a time. */
  blocks(first: number): AsyncIterable<ListedBlock>;
  /** Removes what was kept. */
  forget(): Promise<void>;
}

/** How far a long listing is. */
interface Progress {
  /** Another version's blocks are not read: the listing begins anew. */
  readonly version: typeof version;
  /** Which images are listed: another request begins anew. */
  readonly prefix: string;
  /** Version of the request's document. */
  readonly request: string;
  readonly place: ListingPlace;
  readonly images: number;
  /** Chained SHA-256 over the blocks: names the last block, and in the end the whole. */
  readonly blocks: readonly string[];
  readonly complete: boolean;
  readonly written: number;
}

const version = 2;

type Needed = Pick<Ports, 'store' | 'digest'>;

/**
 * Lists the images under a prefix.
 * @param goesOn asked after every block that was kept; false: stop here, a later call goes on
 * @returns undefined if it was told to stop
 */
export async function openListing(
  ports: Needed,
  job: string,
  prefix: string,
  goesOn: () => boolean,
): Promise<Listing | undefined> {
  const request = (await ports.store.head(keys.request(job)))?.etag ?? '';
  const kept = await keptProgress(ports.store, job);
  const goesOnWith = kept?.version === version && kept.prefix === prefix && kept.request === request;
  let progress = goesOnWith ? kept : undefined;
  if (progress?.complete) return longListing(ports, job, progress);
  let block: PlannedImage[] = [];
  let place: ListingPlace = progress?.place ?? { key: '', taken: 0 };
  for await (const listed of listImages(ports.store, prefix, progress?.place)) {
    for (let taken = 0; taken < listed.images.length; ) {
      if (block.length === listingBlock) {
        progress = await keepBlock(ports, job, { prefix, request, place, before: progress, complete: false }, block);
        if (!goesOn()) return undefined;
        block = [];
      }
      const fitting = listed.images.slice(taken, taken + listingBlock - block.length);
      for (const image of fitting) block.push(image);
      taken += fitting.length;
      place = placeBehind(listed, taken);
    }
  }
  if (!progress) return shortListing(ports, prefix, block);
  progress = await keepBlock(ports, job, { prefix, request, place, before: progress, complete: true }, block);
  return longListing(ports, job, progress);
}

const keptProgress = async (store: ObjectStore, job: string): Promise<Progress | undefined> => {
  const bytes = await store.get(keys.listing(job));
  return bytes && fromJson<Progress>(bytes);
};

interface Step extends Pick<Progress, 'prefix' | 'request' | 'place' | 'complete'> {
  readonly before: Progress | undefined;
}

/** The block first, then the word that it is there. */
async function keepBlock(
  { store, digest }: Needed,
  job: string,
  { before, ...step }: Step,
  images: readonly PlannedImage[],
): Promise<Progress> {
  const bytes = formatBlock(images);
  const name = digest.sha256(toJson([before?.blocks.at(-1) ?? '', digest.sha256(bytes)])).slice(0, 16);
  await store.put(keys.listed(job, name), bytes);
  const progress: Progress = {
    version,
    ...step,
    images: (before?.images ?? 0) + images.length,
    blocks: [...(before?.blocks ?? []), name],
    written: 0,
  };
  await store.put(keys.listing(job), toJson(progress));
  return progress;
}

/** A line of JSON for every `listingLine` images: shards are cut from it without reading the images again. */
function formatBlock(images: readonly PlannedImage[]): Uint8Array {
  const lines: string[] = [];
  for (let i = 0; i < images.length; i += listingLine) lines.push(JSON.stringify(images.slice(i, i + listingLine)));
  return new TextEncoder().encode(lines.join('\n'));
}

function linesOf(block: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = [];
  for (let from = 0; from < block.length; ) {
    const end = block.indexOf(newline, from);
    lines.push(block.subarray(from, end < 0 ? block.length : end));
    from = end < 0 ? block.length : end + 1;
  }
  return lines;
}
const newline = 0x0a;

/** The lines' arrays as one: brackets off, commas between. */
function shardOfLines(name: string, lines: readonly Uint8Array[]): Uint8Array {
  const encoder = new TextEncoder();
  const comma = encoder.encode(',');
  const inside = lines.flatMap((line, i) => (i ? [comma, line.subarray(1, -1)] : [line.subarray(1, -1)]));
  const parts = [encoder.encode(`{"shard":${JSON.stringify(name)},"images":[`), ...inside, encoder.encode(']}\n')];
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let filled = 0;
  for (const part of parts) {
    bytes.set(part, filled);
    filled += part.length;
  }
  return bytes;
}

const shortListing = (ports: Needed, prefix: string, images: readonly PlannedImage[]): Listing => ({
  count: images.length,
  fingerprint: fingerprintOf(ports, 'plan', prefix, images),
  written: 0,
  blocks: async function* () {
    yield {
      count: images.length,
      from: 0,
      images: () => images,
      shard: (shard, from, to) => toJson({ shard, images: images.slice(from, to) }),
      settle: async () => undefined,
    };
  },
  forget: async () => undefined,
});

function longListing(ports: Needed, job: string, progress: Progress): Listing {
  const { store } = ports;
  const { blocks, images, prefix, written } = progress;
  return {
    count: images,
    fingerprint: fingerprintOf(ports, 'plan', prefix, 'blocks', blocks.at(-1)),
    written,
    blocks: async function* (first) {
      for (const [i, name] of blocks.entries()) {
        if (i < first) continue;
        const lines = linesOf(await readObject(store, keys.listed(job, name)));
        yield {
          count: Math.min(listingBlock, images - i * listingBlock),
          from: i * listingBlock,
          images: () => lines.flatMap(line => fromJson<PlannedImage[]>(line)),
          shard: (shard, from, to) => shardOfLines(shard, lines.slice(from / listingLine, Math.ceil(to / listingLine))),
          settle: () => store.put(keys.listing(job), toJson({ ...progress, written: i + 1 })),
        };
      }
    },
    async forget() {
      // First the word that blocks are there: what is left over after a crash is never read.
      await store.delete(keys.listing(job));
      for (const name of blocks) await store.delete(keys.listed(job, name));
    },
  };
}
