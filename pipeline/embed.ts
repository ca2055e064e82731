/** Stage embed: every image of a shard becomes a few vectors for clustering and one pooled vector. */
import { applyAttention, backboneMaps } from '#core/attention/segmentation-model';
import { segmentsWithin } from '#core/clustering/within-image';
import { writeNpy } from '#core/formats/npy';
import { toModel } from '#core/graph/model';
import { reshape, transpose } from '#core/graph/ops';
import type { ModelSizeRule } from '#core/image/model-input';
import { centreCrop, pixelFeeds, pixelInput } from '#core/image/pixel-input';
import { keys } from '#core/job/keys';
import type { Plan, PlannedShard } from '#core/job/plan';
import type { SettledRun } from '#core/job/request';
import { Random, seedOf } from '#core/random';
import { openAttended, openAttention, runOf, sizeRule } from './backbone.ts';
import { readJson } from './documents.ts';
import { mapInOrder } from './in-flight.ts';
import { decodeFound, type FoundImage, findImages, type ReadImage } from './inputs.ts';
import { finishPiece } from './marker.ts';
import { findNearDuplicates, nearDuplicatesPiece } from './near-duplicates.ts';
import { Pace, type PaceSummary } from './pace.ts';
import type { Model, Ports, TensorValue } from './ports.ts';

/** What embed tells about one image. */
export type EmbeddedImage =
  | { readonly name: string; readonly state: 'rejected'; readonly reason: string }
  | {
      readonly name: string;
      readonly state: 'read';
      readonly sha256: string;
      readonly width: number;
      readonly height: number;
      readonly notes: readonly string[];
      /** Rows in the shard's vectors. */
      readonly rows: number;
    };

export interface EmbedSummary {
  readonly images: readonly EmbeddedImage[];
  readonly pace: PaceSummary;
}

interface Vectors {
  /** Unit rows for clustering, one after another. */
  readonly rows: readonly Float32Array[];
  /** One unit row for the image as a whole. */
  readonly pooled: Float32Array;
}

export async function embed(ports: Ports, plan: Plan, piece: string): Promise<void> {
  return piece === nearDuplicatesPiece ? findNearDuplicates(ports, plan) : embedShard(ports, plan, piece);
}

async function embedShard(ports: Ports, plan: Plan, shard: string): Promise<void> {
  const started = ports.clock.now();
  const run = runOf(plan);
  const { images } = await readJson<PlannedShard>(ports.store, keys.shard(plan.job, plan.fingerprints.plan, shard));
  const { model, threshold, rule } = await embeddingModel(ports, plan, run);
  const pace = new Pace(ports, ports.tuning.threads);
  const results: { image: EmbeddedImage; vectors?: Vectors }[] = [];
  try {
    const work = async (found: FoundImage) => {
      const read = await pace.during('decode', () => decodeFound(ports, found, rule));
      return read.state === 'rejected' ? { image: read } : embedOne({ model, pace, run, rule, threshold }, read);
    };
    const found = findImages(ports.store, run.images, images);
    for await (const result of mapInOrder(found, ports.tuning.threads * aheadPerThread, work)) {
      results.push(result);
      ports.log.progress('embed', shard, results.length, images.length);
    }
  } finally {
    await model.release();
  }
  const vectors = results.flatMap(result => result.vectors ?? []);
  const outputs = { npy: toNpy(vectors.flatMap(v => v.rows)), 'pooled.npy': toNpy(vectors.map(v => v.pooled)) };
  await finishPiece(
    ports,
    plan,
    'embed',
    shard,
    outputs,
    { images: results.map(r => r.image), pace: pace.summary() } satisfies EmbedSummary,
    started,
  );
}

async function embeddingModel(ports: Ports, plan: Plan, run: SettledRun) {
  const backbone = await openAttended(ports.store, plan);
  const { model: attention, report } = await openAttention(ports.store, plan);
  const wanted = run.unit === 'image' ? ['foreground', 'pooled'] : ['foreground', 'embedding'];
  const { inputs, image } = pixelInput();
  const seen = run.method === 'pass' && run.unit === 'image' ? centreCrop(image, methodCrop) : image;
  const [first, second] = applyAttention(attention, backboneMaps(backbone, seen), wanted);
  // One row per position, as the segments take them.
  const rows = run.unit === 'image' ? second! : transpose(reshape(second!, [0, 0, -1]), { perm: [0, 2, 1] });
  const graph = toModel({ name: 'embed', inputs, outputs: { [wanted[0]!]: first!, [wanted[1]!]: rows } });
  const model = await ports.models.load(graph, { sessions: ports.tuning.threads, threadsPerSession: 1 });
  const threshold = typeof run.threshold === 'number' ? run.threshold : report.threshold;
  return { model, threshold, rule: sizeRule(run, backbone.settings) };
}

/** What the method clusters: the middle of a photo of 256 pixels on its shorter side (2.4). */
const methodCrop = 224;

/** Pictures under way per thread: so many that one slow to decode leaves no core idle; they are small by then. */
const aheadPerThread = 8;

interface Embedder {
  readonly model: Model;
  readonly pace: Pace;
  readonly run: SettledRun;
  readonly rule: ModelSizeRule;
  readonly threshold: number;
}

async function embedOne({ model, pace, run, rule, threshold }: Embedder, read: ReadImage & { state: 'read' }) {
  const { name, sha256, decoded } = read;
  const { image, width, height, notes } = decoded;
  const feeds = pixelFeeds(image, { width, height }, rule);
  const { outputs } = await pace.during('model', () => model.run(feeds));
  const vectors =
    run.unit === 'image'
      ? wholeImage(outputs.pooled!)
      : fromGrid(run, name, threshold, outputs.foreground!, outputs.embedding!);
  return { image: { name, state: 'read' as const, sha256, width, height, notes, rows: vectors.rows.length }, vectors };
}

/** The method's unit: one gate-weighted vector per image, scaled to length one (method 2.4). */
function wholeImage(pooled: TensorValue): Vectors {
  const vector = unit(pooled.data as Float32Array);
  return { rows: [vector], pooled: vector };
}

/** Positions of one image that take part, and the vectors made of them. */
function fromGrid(
  run: SettledRun,
  name: string,
  threshold: number,
  foreground: TensorValue,
  embedding: TensorValue,
): Vectors {
  const [, , height, width] = foreground.dims as [number, number, number, number];
  const grid: FeatureGrid = { data: embedding.data as Float32Array, dimension: embedding.dims[2]!, height, width };
  const scores = foreground.data as Float32Array;
  const inside = positionsInside(scores, threshold);
  const pooled = unit(meanOf(grid, inside.length ? inside : bestPositions(scores)));
  if (!inside.length || run.unit === 'object') return { rows: inside.length ? [pooled] : [], pooled };
  const seed = seedOf(name, run.seed);
  if (run.unit === 'pixels') {
    const picked = new Random(seed).shuffle([...inside]).slice(0, pixelsPerImage);
    return { rows: picked.map(position => unit(meanOf(grid, [position]))), pooled };
  }
  const segments = run.background === 'none' ? segmentsWithoutBackground : segmentsPerImage;
  return { rows: segmentMeans(grid, inside, segments, seed).map(unit), pooled };
}

/** Mean feature of each segment of the positions inside. */
function segmentMeans(grid: FeatureGrid, inside: Int32Array, segments: number, seed: number): Float32Array[] {
  const { dimension, height, width, data } = grid;
  const longer = Math.max(height, width);
  const features = new Float32Array(inside.length * dimension);
  const places = new Float32Array(inside.length * 2);
  inside.forEach((position, i) => {
    features.set(data.subarray(position * dimension, (position + 1) * dimension), i * dimension);
    places[2 * i] = (position % width) / longer;
    places[2 * i + 1] = Math.floor(position / width) / longer;
  });
  const { assignment, count } = segmentsWithin(features, dimension, places, { segments, seed });
  return Array.from({ length: count }, (_, segment) =>
    meanOf(
      grid,
      inside.filter((_position, i) => assignment[i] === segment),
    ),
  );
}

/** Quality 2: four segments inside the foreground, eight where there is no background. */
const segmentsPerImage = 4;
const segmentsWithoutBackground = 8;
/** Enough positions of every image for `--unit pixels`; more only repeats what neighbours say. */
const pixelsPerImage = 64;

function positionsInside(scores: Float32Array, threshold: number): Int32Array {
  const inside = [];
  for (let p = 0; p < scores.length; p++) if (scores[p]! >= threshold) inside.push(p);
  return Int32Array.from(inside);
}

/** The tenth of the positions with the highest scores: what an image without foreground is pooled from. */
function bestPositions(scores: Float32Array): Int32Array {
  const order = Int32Array.from(scores.keys()).sort((a, b) => scores[b]! - scores[a]! || a - b);
  return order.slice(0, Math.max(1, Math.ceil(scores.length / 10)));
}

/** One feature vector per position: data [height · width, dimension]. */
interface FeatureGrid {
  readonly data: Float32Array;
  readonly dimension: number;
  readonly height: number;
  readonly width: number;
}

function meanOf({ data, dimension }: FeatureGrid, positions: Iterable<number>): Float32Array {
  const sum = new Float64Array(dimension);
  let count = 0;
  for (const position of positions) {
    for (let d = 0, at = position * dimension; d < dimension; d++) sum[d]! += data[at + d]!;
    count++;
  }
  return Float32Array.from(sum, value => value / count);
}

/** x / (|x| + 1e-8), as the method normalises rows (2.4). */
function unit(vector: Float32Array): Float32Array {
  let sum = 0;
  for (const value of vector) sum += value * value;
  const scale = 1 / (Math.sqrt(sum) + 1e-8);
  return vector.map(value => value * scale);
}

function toNpy(rows: readonly Float32Array[]): Uint8Array {
  const dimension = rows[0]?.length ?? 0;
  const data = new Float32Array(rows.length * dimension);
  rows.forEach((vector, i) => {
    data.set(vector, i * dimension);
  });
  return writeNpy({ kind: 'float32', data, shape: [rows.length, dimension] });
}
