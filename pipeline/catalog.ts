/** The catalog of a job's inputs: which are copies, which take part in clustering, and their vectors. */
import type { VectorSet } from '#core/clustering/vector-set';
import { PermanentError } from '#core/errors';
import { readNpyOf, writeNpy } from '#core/formats/npy';
import type { Plan } from '#core/job/plan';
import { Random, seedOf } from '#core/random';
import { runOf } from './backbone.ts';
import { findCopies } from './copies.ts';
import { readJson, readObject, toJson } from './documents.ts';
import type { EmbeddedImage, EmbedSummary } from './embed.ts';
import { mapInOrder } from './in-flight.ts';
import { finishPiece, outputKey, readMarker } from './marker.ts';
import type { ObjectStore, Ports } from './ports.ts';
import { blocksOf, inMemoryIfSmall, rowsPerBlock, streamedBlocks, type VectorSource } from './vector-source.ts';

/** Place of an image in the order of drawing: a random number made of its name, the name where two are equal. */
export interface Draw {
  readonly rank: number;
  readonly name: string;
}

/** Which inputs are copies of earlier ones, which are clustered, and how many vectors there are. */
export interface Catalog {
  readonly duplicates: Readonly<Record<string, string>>;
  readonly counts: {
    readonly total: number;
    readonly read: number;
    readonly duplicate: number;
    readonly rejected: number;
  };
  /** Last image of the sample, with `--sample`: those drawn no later than it are clustered. Null: all are. */
  readonly sample: { readonly images: number; readonly last: Draw } | null;
  /** Vectors of the images that are clustered, duplicates left out. */
  readonly rows: number;
  readonly dimension: number;
}

export async function catalog(ports: Ports, plan: Plan): Promise<void> {
  const started = ports.clock.now();
  const document: Catalog = { ...(await survey(ports.store, plan)), dimension: await dimensionOf(ports.store, plan) };
  assertEnough(plan, document);
  const outputs = { json: toJson(document), ...(await sampleOutput(ports.store, plan, document)) };
  await finishPiece(ports, plan, 'cluster', 'catalog', outputs, document.counts, started);
}

export const readCatalog = (store: ObjectStore, plan: Plan): Promise<Catalog> =>
  readJson<Catalog>(store, outputKey(plan, 'cluster', 'catalog', 'json'));

/** One pass over what stage embed told: copies, counts, and with `--sample` the images drawn first, the same whatever the cut into shards. */
async function survey(store: ObjectStore, plan: Plan): Promise<Omit<Catalog, 'dimension'>> {
  const { sample: wanted, seed } = runOf(plan);
  const counts = { total: 0, read: 0, duplicate: 0, rejected: 0 };
  const draws = wanted === undefined ? undefined : new FirstDraws(wanted);
  let rows = 0;
  const copyNames = new Map<number, string>();
  const firsts = await findCopies<EmbeddedImage>(store, plan, 'embed', (image, number, isCopy) => {
    counts.total++;
    if (image.state === 'rejected') counts.rejected++;
    else if (isCopy) {
      counts.duplicate++;
      copyNames.set(number, image.name);
    } else {
      counts.read++;
      rows += image.rows;
      draws?.add({ ...drawOf(image.name, seed), rows: image.rows });
    }
  });
  const duplicates = Object.fromEntries([...firsts].map(([number, first]) => [copyNames.get(number)!, first]));
  // Null where there are no more images than wanted.
  const drawn = draws && counts.read > draws.wanted ? draws.first() : undefined;
  if (!drawn) return { duplicates, counts, sample: null, rows };
  const { rank, name } = drawn.at(-1)!;
  return {
    duplicates,
    counts,
    sample: { images: draws!.wanted, last: { rank, name } },
    rows: drawn.reduce((sum, draw) => sum + draw.rows, 0),
  };
}

interface CountedDraw extends Draw {
  readonly rows: number;
}

/** The draws that come first among many, in memory for a few times as many. */
class FirstDraws {
  readonly wanted: number;
  #draws: CountedDraw[] = [];
  /** Whoever comes after it is not among the first. */
  #last: Draw | undefined;

  constructor(wanted: number) {
    this.wanted = wanted;
  }

  add(draw: CountedDraw): void {
    if (this.#last && compareDraws(draw, this.#last) > 0) return;
    this.#draws.push(draw);
    if (this.#draws.length > 2 * this.wanted + spareDraws) this.first();
  }

  first(): readonly CountedDraw[] {
    this.#draws = this.#draws.sort(compareDraws).slice(0, this.wanted);
    if (this.#draws.length === this.wanted) this.#last = this.#draws.at(-1);
    return this.#draws;
  }
}
const spareDraws = 1000;

const drawOf = (name: string, seed: number): Draw => ({
  rank: new Random(seedOf('sample', seed, name)).uint32(),
  name,
});

const compareDraws = (a: Draw, b: Draw): number => a.rank - b.rank || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);

type Selection = Pick<Catalog, 'duplicates' | 'sample'>;

/** Whether an image's vectors are clustered. */
const takesPart = ({ duplicates, sample }: Selection, seed: number, name: string): boolean =>
  duplicates[name] === undefined && (sample === null || compareDraws(drawOf(name, seed), sample.last) <= 0);

/** Of the first shard that has vectors. */
async function dimensionOf(store: ObjectStore, plan: Plan): Promise<number> {
  for (const shard of plan.shards) {
    const { dimension } = await readVectors(store, plan, shard);
    if (dimension) return dimension;
  }
  return 0;
}

async function readVectors(
  store: ObjectStore,
  plan: Plan,
  shard: string,
): Promise<{ data: Float32Array; dimension: number }> {
  const { data, shape } = readNpyOf('float32', await readObject(store, outputKey(plan, 'embed', shard, 'npy')));
  return { data, dimension: shape[0] ? shape[1]! : 0 };
}

function assertEnough(plan: Plan, { counts, sample, rows }: Catalog): void {
  if (counts.read === 0) {
    throw new PermanentError(
      `none of the ${counts.total} files could be read as an image; the receipt lists the reasons`,
    );
  }
  if (counts.read === 1) {
    throw new PermanentError(
      'only one of the files is an image of its own, and classes are found by comparing images; give two or more',
    );
  }
  const least = plan.clusters === 'auto' ? 2 : plan.clusters;
  if (counts.read < least) {
    throw new PermanentError(
      `${least} clusters need at least as many images, but only ${counts.read} different ones could be read; ask for --clusters ${counts.read} or fewer`,
    );
  }
  if (sample && sample.images < least) {
    throw new PermanentError(
      `${least} clusters need at least as many images, but --sample ${sample.images} clusters fewer; raise --sample or lower --clusters`,
    );
  }
  if (rows < least) {
    throw new PermanentError(
      `${least} clusters need at least as many foreground vectors, but the images gave ${rows}; ask for fewer with --clusters or try --unit image`,
    );
  }
}

/** Vectors beyond this are read from their shards in every pass; below, passes cost no reading. */
const memoryForVectors = 64 * 2 ** 20;

/** The vectors of a sample in one object, so that no restart goes through all shards for them. */
async function sampleOutput(store: ObjectStore, plan: Plan, known: Catalog): Promise<Record<string, Uint8Array>> {
  const { rows: count, dimension, sample } = known;
  if (!sample || !fits(known, memoryForVectors)) return {};
  const data = new Float32Array(count * dimension);
  let filled = 0;
  for await (const vectors of vectorsOfShards(store, plan, known)()) {
    data.set(vectors, filled);
    filled += vectors.length;
  }
  return { 'sample.npy': writeNpy({ kind: 'float32', data, shape: [count, dimension] }) };
}

const fits = ({ rows, dimension }: Catalog, memory: number): boolean =>
  rows * dimension * Float32Array.BYTES_PER_ELEMENT <= memory;

/**
 * The vectors to be clustered, in path order and in blocks that fit the number of clusters.
 * @param memory bytes up to which they are held
 */
export async function clusterRows(
  store: ObjectStore,
  plan: Plan,
  known: Catalog,
  clusters: number,
  memory: number = memoryForVectors,
): Promise<VectorSource> {
  const { rows: count, dimension } = known;
  const kept =
    known.sample && fits(known, memory) && (await store.get(outputKey(plan, 'cluster', 'catalog', 'sample.npy')));
  if (kept) return blocksOf({ ...readNpyOf('float32', kept), count, dimension }, rowsPerBlock(clusters));
  const stream = streamedBlocks({ count, dimension }, vectorsOfShards(store, plan, known), rowsPerBlock(clusters));
  return inMemoryIfSmall(stream, memory);
}

/** Shards that are read at once: the next while one is at work. */
const shardsAhead = 2;

/** Passes over the vectors that are clustered. The first looks up where they stand in their shards, the others know. */
function vectorsOfShards(store: ObjectStore, plan: Plan, selection: Selection): () => AsyncGenerator<Float32Array> {
  const known = new Map<string, readonly number[]>();
  const open = async (shard: string): Promise<Float32Array[]> => {
    const ends = known.get(shard) ?? (await rowsThatTakePart(store, plan, selection, shard));
    known.set(shard, ends);
    const { data, dimension } = await readVectors(store, plan, shard);
    return ends.flatMap((from, i) => (i % 2 === 0 ? [data.subarray(from * dimension, ends[i + 1]! * dimension)] : []));
  };
  return async function* () {
    for await (const pieces of mapInOrder(plan.shards, shardsAhead, open)) yield* pieces;
  };
}

/** Rows of a shard, of neighbours in one go: where the first begin and end, where the second begin and end, … */
async function rowsThatTakePart(
  store: ObjectStore,
  plan: Plan,
  selection: Selection,
  shard: string,
): Promise<number[]> {
  const { seed } = runOf(plan);
  const { images } = (await readMarker<EmbedSummary>(store, plan, 'embed', shard)).summary;
  const ends: number[] = [];
  let from = 0;
  for (const image of images) {
    if (image.state !== 'read') continue;
    const to = from + image.rows;
    if (to > from && takesPart(selection, seed, image.name)) {
      if (ends.at(-1) === from) ends.pop();
      else ends.push(from);
      ends.push(to);
    }
    from = to;
  }
  return ends;
}

/**
 * Pooled vectors of the images that are clustered: all of them, or those drawn first where there are more than `most`.
 * In the order of drawing, which is the same for every cut into shards.
 */
export async function drawnImages(store: ObjectStore, plan: Plan, known: Catalog, most: number): Promise<VectorSet> {
  const { seed } = runOf(plan);
  let drawn: (Draw & { readonly vector: Float32Array })[] = [];
  for (const shard of plan.shards) {
    const { summary } = await readMarker<EmbedSummary>(store, plan, 'embed', shard);
    const key = outputKey(plan, 'embed', shard, 'pooled.npy');
    const { data, shape } = readNpyOf('float32', await readObject(store, key));
    const dimension = shape[1] ?? 0;
    const own = summary.images
      .filter(({ state }) => state === 'read')
      // Copies: a view would keep the whole shard.
      .map(({ name }, i) => ({ ...drawOf(name, seed), vector: data.slice(i * dimension, (i + 1) * dimension) }))
      .filter(({ name }) => takesPart(known, seed, name));
    drawn = [...drawn, ...own].sort(compareDraws).slice(0, most);
  }
  const dimension = drawn[0]?.vector.length ?? 0;
  const data = new Float32Array(drawn.length * dimension);
  for (const [i, { vector }] of drawn.entries()) data.set(vector, i * dimension);
  return { data, count: drawn.length, dimension };
}
