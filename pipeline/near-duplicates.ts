/** Near-duplicates: images whose pooled embeddings are almost equal, found by comparing all with all in blocks. */
import { similarGraph } from '#core/clustering/similar-graph';
import { SimilarGroups } from '#core/clustering/similar-groups';
import type { VectorSet } from '#core/clustering/vector-set';
import { type NearDuplicate, parseNearDuplicatesCsv, writeNearDuplicatesCsv } from '#core/formats/near-duplicates-csv';
import { readNpyOf } from '#core/formats/npy';
import type { Plan } from '#core/job/plan';
import { readObject } from './documents.ts';
import type { EmbedSummary } from './embed.ts';
import { mapInOrder } from './in-flight.ts';
import { finishPiece, outputKey, readMarker } from './marker.ts';
import type { Model, ObjectStore, Ports, TensorValue } from './ports.ts';

/**
 * Cosine of two embeddings from which on images count as near-duplicates: most copies that were encoded anew or made a
 * little brighter lie above it, one in a hundred different photos of the same kind of thing too (bench/RESULTS.md).
 */
export const nearDuplicateCosine = 0.98;

/** The piece of stage embed that comes after all shards. */
export const nearDuplicatesPiece = 'near-duplicates';

/** Rows per product: 4 MB of cosines stay in the processor's cache. */
const blockRows = 1024;
/** Links per image and block: enough to join a group through its members. */
const few = 8;
/** Vectors held at once, twice: one part stays while the others pass by. */
const partBytes = 32 * 2 ** 20;
/** Images further apart in path order are not compared: beyond so many, time grows no longer with the square. */
const furthest = 262_144;

/** What the piece tells. */
export interface NearDuplicatesSummary {
  readonly groups: number;
  readonly images: number;
}

/** @param bytes of vectors held at once, twice */
export async function findNearDuplicates(ports: Ports, plan: Plan, bytes: number = partBytes): Promise<void> {
  const started = ports.clock.now();
  const groups = (await linkSimilar(ports, plan, bytes)).groups();
  const rows = await nameMembers(ports.store, plan, groups);
  const csv = new TextEncoder().encode(writeNearDuplicatesCsv(rows));
  const summary: NearDuplicatesSummary = { groups: groups.length, images: rows.length };
  await finishPiece(ports, plan, 'embed', nearDuplicatesPiece, { csv }, summary, started);
}

export async function readNearDuplicates(store: ObjectStore, plan: Plan): Promise<NearDuplicate[]> {
  const bytes = await readObject(store, outputKey(plan, 'embed', nearDuplicatesPiece, 'csv'));
  return parseNearDuplicatesCsv(new TextDecoder().decode(bytes));
}

/** Vectors of images that follow each other. */
interface Part extends VectorSet {
  /** Number of the first among all images that were read, copies left out. */
  readonly first: number;
}

/** Numbers of images that are similar, linked. */
async function linkSimilar(ports: Ports, plan: Plan, bytes: number): Promise<SimilarGroups> {
  const groups = new SimilarGroups();
  const size = await sizeOf(ports.store, plan);
  const { count, dimension } = size;
  if (count < 2) return groups;
  const lastColumns = count % blockRows || blockRows;
  const options = { sessions: ports.models.device === 'cpu' ? ports.tuning.threads : 1, threadsPerSession: 1 };
  const model = await ports.models.load(similarGraph(dimension, Math.min(few, lastColumns)), options);
  try {
    const rows = Math.max(1, Math.floor(bytes / (4 * dimension * blockRows))) * blockRows;
    for await (const part of parts(ports.store, plan, size, rows, 0)) {
      await compareParts(model, part, part, options.sessions + 1, groups);
      const next = part.first + part.count;
      if (next === size.count) break;
      for await (const other of parts(ports.store, plan, size, rows, next)) {
        if (other.first - part.first >= furthest) break;
        await compareParts(model, part, other, options.sessions + 1, groups);
      }
    }
  } finally {
    await model.release();
  }
  return groups;
}

async function sizeOf(store: ObjectStore, plan: Plan): Promise<{ count: number; dimension: number }> {
  const size = { count: 0, dimension: 0 };
  for await (const { vector } of distinctImages(store, plan)) {
    size.count++;
    size.dimension = vector.length;
  }
  return size;
}

/** Every image that was read, in path order, copies of earlier ones left out. */
async function* distinctImages(
  store: ObjectStore,
  plan: Plan,
): AsyncGenerator<{ readonly name: string; readonly vector: Float32Array }> {
  const seen = new Set<string>();
  for (const shard of plan.shards) {
    const { images } = (await readMarker<EmbedSummary>(store, plan, 'embed', shard)).summary;
    const key = outputKey(plan, 'embed', shard, 'pooled.npy');
    const { data, shape } = readNpyOf('float32', await readObject(store, key));
    const dimension = shape[1] ?? 0;
    let read = 0;
    for (const image of images) {
      if (image.state !== 'read') continue;
      const vector = data.subarray(read * dimension, (read + 1) * dimension);
      read++;
      if (seen.has(image.sha256)) continue;
      seen.add(image.sha256);
      yield { name: image.name, vector };
    }
  }
}

/** All vectors from the image `from` on, in parts of so many rows. */
async function* parts(
  store: ObjectStore,
  plan: Plan,
  { count, dimension }: { count: number; dimension: number },
  rows: number,
  from: number,
): AsyncGenerator<Part> {
  const begin = (first: number) => new Float32Array(Math.min(rows, count - first) * dimension);
  let first = from;
  let data = begin(first);
  let number = 0;
  for await (const { vector } of distinctImages(store, plan)) {
    if (number++ < from) continue;
    data.set(vector, (number - 1 - first) * dimension);
    if ((number - first) * dimension < data.length) continue;
    yield { data, count: number - first, dimension, first };
    first = number;
    data = begin(first);
  }
}

async function compareParts(model: Model, a: Part, b: Part, inFlight: number, groups: SimilarGroups): Promise<void> {
  const compare = async ([i, j]: readonly [number, number]) => ({ i, j, ...(await similar(model, a, i, b, j)) });
  for await (const { i, j, cosines, nearest, cosine, row } of mapInOrder(blockPairs(a, b), inFlight, compare)) {
    const each = cosines.length / rowsAt(a, i);
    cosines.forEach((value, at) => {
      if (value >= nearDuplicateCosine)
        groups.link(a.first + i + Math.floor(at / each), b.first + j + nearest[at]!, value);
    });
    cosine.forEach((value, at) => {
      if (value >= nearDuplicateCosine) groups.link(b.first + j + at, a.first + i + row[at]!, value);
    });
  }
}

/** Where two blocks begin within their parts; of the blocks of one part, each pair once. */
function* blockPairs(a: Part, b: Part): Generator<readonly [number, number]> {
  for (let i = 0; i < a.count; i += blockRows) {
    for (let j = a === b ? i : 0; j < b.count; j += blockRows) yield [i, j];
  }
}

const rowsAt = ({ count }: Part, at: number): number => Math.min(blockRows, count - at);

async function similar(model: Model, a: Part, i: number, b: Part, j: number) {
  const { outputs } = await model.run({
    a: rowsTensor(a, i),
    b: rowsTensor(b, j),
    'ids of a': idsTensor(a, i, [rowsAt(a, i), 1]),
    'ids of b': idsTensor(b, j, [1, rowsAt(b, j)]),
  });
  return {
    cosines: outputs.cosines!.data as Float32Array,
    nearest: outputs.nearest!.data as Int32Array,
    cosine: outputs.cosine!.data as Float32Array,
    row: outputs.row!.data as Int32Array,
  };
}

/** A copy: runs move their feeds away. */
const rowsTensor = (part: Part, at: number): TensorValue => {
  const rows = rowsAt(part, at);
  const data = part.data.slice(at * part.dimension, (at + rows) * part.dimension);
  return { type: 'float32', dims: [rows, part.dimension], data };
};

const idsTensor = (part: Part, at: number, dims: number[]): TensorValue => ({
  type: 'int32',
  dims,
  data: Int32Array.from({ length: rowsAt(part, at) }, (_, i) => part.first + at + i),
});

/** The groups with the images' names. */
async function nameMembers(
  store: ObjectStore,
  plan: Plan,
  groups: ReturnType<SimilarGroups['groups']>,
): Promise<NearDuplicate[]> {
  const names = new Map<number, string>(groups.flatMap(({ members }) => members.map(member => [member, ''] as const)));
  if (names.size === 0) return [];
  let number = 0;
  for await (const { name } of distinctImages(store, plan)) {
    if (names.has(number)) names.set(number, name);
    number++;
  }
  return groups.flatMap(({ members, strongest }, i) =>
    members.map((member, at) => ({
      group: i + 1,
      image: names.get(member)!,
      like: names.get(strongest[at]!.to)!,
      // Six digits: what lies behind them differs from one processor to the next.
      cosine: Math.round(strongest[at]!.strength * 1e6) / 1e6,
    })),
  );
}
