/** Near-duplicates: images whose pooled embeddings are almost equal, found by comparing all with all in blocks. */
import { similarGraph } from '#core/clustering/similar-graph';
import { SimilarGroups } from '#core/clustering/similar-groups';
import type { VectorSet } from '#core/clustering/vector-set';
import { type NearDuplicate, parseNearDuplicatesCsv, writeNearDuplicatesCsv } from '#core/formats/near-duplicates-csv';
import { readNpyOf } from '#core/formats/npy';
import type { Plan } from '#core/job/plan';
import { scanCopies, toldImages } from './copies.ts';
import { readObject } from './documents.ts';
import type { EmbeddedImage } from './embed.ts';
import { mapInOrder } from './in-flight.ts';
import { finishPiece, outputKey } from './marker.ts';
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
/** Vectors of one part: compared with itself and with the parts before it, as far as so many bytes reach. */
const partBytes = 8 * 2 ** 20;
const backBytes = 512 * 2 ** 20;
/** Nor are images compared that are further apart in path order: beyond, time grows no longer with the square. */
const furthest = 262_144;
/** Parts that are no longer in memory are read again in quarters. */
const piecesOfPart = 4;

/** What the piece tells. */
export interface NearDuplicatesSummary {
  readonly groups: number;
  readonly images: number;
}

/** @param bytes of vectors in one part; beside it memory keeps parts before it, as many as `Tuning.vectorBytes` allows */
export async function findNearDuplicates(ports: Ports, plan: Plan, bytes: number = partBytes): Promise<void> {
  const started = ports.clock.now();
  const distinct = await findDistinct(ports.store, plan);
  const groups = (await linkSimilar(ports, plan, distinct, bytes)).groups();
  const rows = await nameMembers(ports.store, plan, distinct, groups);
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

/** Numbers of distinct images that are similar, linked. */
async function linkSimilar(ports: Ports, plan: Plan, distinct: DistinctImages, bytes: number): Promise<SimilarGroups> {
  const groups = new SimilarGroups();
  const { count } = distinct;
  if (count < 2) return groups;
  const lastColumns = count % blockRows || blockRows;
  const sessions = ports.models.device === 'cpu' ? ports.tuning.threads : 1;
  const read = (range: Range, bytes: number) => parts(ports.store, plan, distinct, range, bytes);
  const keptBytes = ports.tuning.vectorBytes ?? backBytes;
  let kept: Part[] = [];
  let model: Model | undefined;
  try {
    for await (const part of read({ from: 0, to: count }, bytes)) {
      const graph = similarGraph(part.dimension, Math.min(few, lastColumns));
      model ??= await ports.models.load(graph, { sessions, threadsPerSession: 1 });
      const from = furthestBack(part, bytes);
      kept = kept.filter(({ first }) => first >= from);
      const forgotten = { from, to: (kept[0] ?? part).first };
      for await (const piece of read(forgotten, bytes / piecesOfPart))
        await compareParts(model, piece, part, sessions + 1, groups);
      for (const other of [...kept, part]) await compareParts(model, other, part, sessions + 1, groups);
      kept.push(part);
      while (bytesOf(kept) > keptBytes) kept.shift();
    }
  } finally {
    await model?.release();
  }
  return groups;
}

const bytesOf = (all: readonly Part[]): number => all.reduce((sum, { data }) => sum + data.byteLength, 0);

/** The first image that those of a part are compared with: where a part began. */
function furthestBack({ first, dimension }: Part, bytes: number): number {
  const rows = rowsIn(bytes, dimension);
  const partsBack = Math.min(Math.floor(backBytes / (4 * dimension * rows)), Math.ceil(furthest / rows) - 1);
  return Math.max(0, first - partsBack * rows);
}

/** Which images are compared: those that were read, copies left out. Their numbers count only these. */
interface DistinctImages {
  readonly count: number;
  readonly shards: readonly {
    readonly shard: string;
    /** Number of its first distinct image. */
    readonly first: number;
    readonly count: number;
    /** For every image of the shard that was read: whether it is none's copy. */
    readonly kept: Uint8Array;
  }[];
}

async function findDistinct(store: ObjectStore, plan: Plan): Promise<DistinctImages> {
  const kept: number[] = [];
  const shards: DistinctImages['shards'][number][] = [];
  let first = 0;
  const see = (image: EmbeddedImage, _number: number, isCopy: boolean) => {
    if (image.state === 'read') kept.push(isCopy ? 0 : 1);
  };
  const endShard = (shard: string) => {
    const count = kept.reduce((sum, one) => sum + one, 0);
    shards.push({ shard, first, count, kept: Uint8Array.from(kept) });
    kept.length = 0;
    first += count;
  };
  await scanCopies<EmbeddedImage>(store, plan, 'embed', see, endShard);
  return { count: first, shards };
}

/** Images by their numbers among those that are compared. */
interface Range {
  readonly from: number;
  readonly to: number;
}

/** Vectors of a range that begins with a block, in parts of so many bytes, whole blocks each. */
async function* parts(
  store: ObjectStore,
  plan: Plan,
  distinct: DistinctImages,
  { from, to }: Range,
  bytes: number,
): AsyncGenerator<Part> {
  let part: Part | undefined;
  let filled = from;
  for (const { shard, first, count, kept } of distinct.shards) {
    if (first + count <= from || first >= to || !count) continue;
    const key = outputKey(plan, 'embed', shard, 'pooled.npy');
    const { data, shape } = readNpyOf('float32', await readObject(store, key));
    const dimension = shape[1]!;
    let number = first - 1;
    for (const [i, isKept] of kept.entries()) {
      if (!isKept || ++number < from || number >= to) continue;
      part ??= emptyPart(to - filled, filled, dimension, bytes);
      part.data.set(data.subarray(i * dimension, (i + 1) * dimension), (filled - part.first) * dimension);
      if (++filled < part.first + part.count) continue;
      yield part;
      part = undefined;
    }
  }
}

/** Whole blocks of so many bytes, at least one. */
const rowsIn = (bytes: number, dimension: number): number =>
  Math.max(1, Math.floor(bytes / (4 * dimension * blockRows))) * blockRows;

function emptyPart(left: number, first: number, dimension: number, bytes: number): Part {
  const count = Math.min(rowsIn(bytes, dimension), left);
  return { data: new Float32Array(count * dimension), count, dimension, first };
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
  distinct: DistinctImages,
  groups: ReturnType<SimilarGroups['groups']>,
): Promise<NearDuplicate[]> {
  const wanted = new Set(groups.flatMap(({ members }) => members));
  const names = new Map<number, string>();
  const isWanted = ({ first, count }: { first: number; count: number }) => {
    for (let number = first; number < first + count; number++) if (wanted.has(number)) return true;
    return false;
  };
  const asked = distinct.shards.filter(isWanted);
  let at = 0;
  for await (const { images } of toldImages<EmbeddedImage>(
    store,
    plan,
    'embed',
    asked.map(({ shard }) => shard),
  )) {
    const { first, kept } = asked[at++]!;
    let number = first;
    images
      .filter(({ state }) => state === 'read')
      .forEach(({ name }, i) => {
        if (!kept[i]) return;
        if (wanted.has(number)) names.set(number, name);
        number++;
      });
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
