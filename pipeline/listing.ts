/** The listing of a job's images: at once where it is short, otherwise in blocks that are kept until the plan is complete. */
import { keys } from '#core/job/keys';
import { listingBlock, type PlannedImage } from '#core/job/plan';
import { fromJson, readJson, toJson } from './documents.ts';
import { fingerprintOf } from './fingerprints.ts';
import { type ListingPlace, listImages } from './list-images.ts';
import type { ObjectStore, Ports } from './ports.ts';

export interface ListedBlock {
  readonly images: readonly PlannedImage[];
  /** Images before it. */
  readonly from: number;
  /** Remembers that this block's shards are written. */
  settle(): Promise<void>;
}

export interface Listing {
  readonly count: number;
  /** Changes with any image's name, size or version. */
  readonly fingerprint: string;
  /** Blocks whose shards are written. */
  readonly written: number;
  /** The images from block \`first\` on; one block is held at a time. */
  blocks(first: number): AsyncIterable<ListedBlock>;
  /** Removes what was kept. */
  forget(): Promise<void>;
}

/** How far a long listing is. */
interface Progress {
  readonly version: 1;
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
  let progress = kept?.prefix === prefix && kept.request === request ? kept : undefined;
  if (progress?.complete) return longListing(ports, job, progress);
  let block: PlannedImage[] = [];
  let place: ListingPlace = progress?.place ?? { key: '', taken: 0 };
  for await (const listed of listImages(ports.store, prefix, progress?.place)) {
    if (block.length === listingBlock) {
      progress = await keepBlock(ports, job, { prefix, request, place, before: progress, complete: false }, block);
      if (!goesOn()) return undefined;
      block = [];
    }
    block.push(listed.image);
    place = listed.place;
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
  const bytes = new TextEncoder().encode(JSON.stringify(images));
  const name = digest.sha256(toJson([before?.blocks.at(-1) ?? '', digest.sha256(bytes)])).slice(0, 16);
  await store.put(keys.listed(job, name), bytes);
  const progress: Progress = {
    version: 1,
    ...step,
    images: (before?.images ?? 0) + images.length,
    blocks: [...(before?.blocks ?? []), name],
    written: 0,
  };
  await store.put(keys.listing(job), toJson(progress));
  return progress;
}

const shortListing = (ports: Needed, prefix: string, images: readonly PlannedImage[]): Listing => ({
  count: images.length,
  fingerprint: fingerprintOf(ports, 'plan', prefix, images),
  written: 0,
  blocks: async function* () {
    yield { images, from: 0, settle: async () => undefined };
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
        yield {
          images: await readJson<PlannedImage[]>(store, keys.listed(job, name)),
          from: i * listingBlock,
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
