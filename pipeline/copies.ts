/** Copies among a job's images: files with the same bytes, whatever their names and the size of the job. */
import { PermanentError } from '#core/errors';
import { FirstSeen } from '#core/job/first-seen';
import { type Plan, shardSize } from '#core/job/plan';
import { mapInOrder } from './in-flight.ts';
import { type Marker, readMarker } from './marker.ts';
import type { ObjectStore } from './ports.ts';

/** Stages whose markers tell of every image of a shard, in path order. */
type TellingStage = 'embed' | 'label' | 'finetune';

/** What all of them tell. */
type Told = { readonly name: string } & (
  | { readonly state: 'rejected' }
  | { readonly state: string; readonly sha256: string }
);

/** Markers read at the same time: each takes some milliseconds of waiting, but those of large shards tens of MB. */
const markersAtOnce = ({ images }: Plan): number => (shardSize(images) > 256 ? 2 : 8);

/** The markers of so many pieces, in order, a few of them read ahead. */
export const readMarkers = <Summary>(
  store: ObjectStore,
  plan: Plan,
  stage: Parameters<typeof readMarker>[2],
  pieces: readonly string[],
): AsyncGenerator<Marker<Summary>> =>
  mapInOrder(pieces, markersAtOnce(plan), piece => readMarker<Summary>(store, plan, stage, piece));

export interface ToldShard<Image> {
  readonly shard: string;
  /** Images of the shards before. */
  readonly first: number;
  readonly images: readonly Image[];
}

/** What a stage told of every image, shard by shard. */
export async function* toldImages<Image extends Told>(
  store: ObjectStore,
  plan: Plan,
  stage: TellingStage,
  shards: readonly string[] = plan.shards,
): AsyncGenerator<ToldShard<Image>> {
  let first = 0;
  for await (const { piece, summary } of readMarkers<{ images: readonly Image[] }>(store, plan, stage, shards)) {
    yield { shard: piece, first, images: summary.images };
    first += summary.images.length;
  }
}

/** Called for every image in path order, with its number, and whether an earlier one that was read has the same bytes. */
export type See<Image> = (image: Image, number: number, isCopy: boolean) => void;

/** Number of each copy → number of the first image with its bytes. Rejected images are no copies of anything. */
export async function scanCopies<Image extends Told>(
  store: ObjectStore,
  plan: Plan,
  stage: TellingStage,
  see: See<Image> = () => undefined,
  endShard: (shard: string) => void = () => undefined,
): Promise<ReadonlyMap<number, number>> {
  const seen = new FirstSeen(plan.images);
  const firsts = new Map<number, number>();
  for await (const { shard, first, images } of toldImages<Image>(store, plan, stage)) {
    images.forEach((image, i) => {
      const number = first + i;
      const original = 'sha256' in image ? seen.enter(image.sha256, number) : number;
      if (original !== number) firsts.set(number, original);
      see(image, number, original !== number);
    });
    endShard(shard);
    if (firsts.size > mostCopies)
      throw new PermanentError(
        `more than ${mostCopies} of the images are copies of others; leave them out of the data set (near-duplicates.csv and receipt.json of a smaller job name them)`,
      );
  }
  return firsts;
}

/** Their names go into one document. */
const mostCopies = 4_000_000;

/** Number of each copy → name of the first image with its bytes. */
export async function findCopies<Image extends Told>(
  store: ObjectStore,
  plan: Plan,
  stage: TellingStage,
  see?: See<Image>,
): Promise<ReadonlyMap<number, string>> {
  const firsts = await scanCopies(store, plan, stage, see);
  const names = await namesOf(store, plan, stage, new Set(firsts.values()));
  return new Map([...firsts].map(([copy, first]) => [copy, names.get(first)!]));
}

/** Names of images by their numbers. Markers are read as far as the last of them. */
export async function namesOf(
  store: ObjectStore,
  plan: Plan,
  stage: TellingStage,
  numbers: ReadonlySet<number>,
): Promise<ReadonlyMap<number, string>> {
  const names = new Map<number, string>();
  if (!numbers.size) return names;
  for await (const { first, images } of toldImages(store, plan, stage)) {
    images.forEach(({ name }, i) => {
      if (numbers.has(first + i)) names.set(first + i, name);
    });
    if (names.size === numbers.size) break;
  }
  return names;
}
