/** The two linear views of a backbone's unit features: 64 directions for the foreground head, 128 for labels. */
import { addMoments, covarianceOf, emptyMoments } from '#core/attention/covariance';
import { type Attention, type MapName, mapOrder, type Projection } from '#core/attention/pixel-attention';
import { type CovarianceProduct, principalComponents } from '#core/attention/principal-components';
import type { Backbone } from '#core/attention/segmentation-model';
import { l2Normalize } from '#core/graph/layers';
import { toModel } from '#core/graph/model';
import { add, matmul, reduceSum, transpose } from '#core/graph/ops';
import { constant, input } from '#core/graph/tensor';
import type { SettledRun } from '#core/job/request';
import { scene } from '#core/scenes/scene';
import type { Model, Ports } from './ports.ts';
import type { Sampled } from './sample.ts';
import { tryBackbone } from './try-backbone.ts';

export interface FeatureSpace {
  readonly channels: Attention['channels'];
  readonly head: Projection;
  readonly labels: Projection;
  /** l2(P x + p) of each image's features, [positions, outputs]. */
  readonly projectHead: (images: readonly Sampled[]) => Promise<Float32Array[]>;
}

/** Quality 2: PCA to 64 for the head and to 128 for the labels; the fine map weighs 0.3 in the labels. */
const headDirections = 64;
const labelDirections = 128;
const fineWeight = 0.3;
/** Of the components, relative to the largest variance: what lies below changes no label. */
const tolerance = 3e-3;

export async function fitFeatureSpace(
  ports: Ports,
  run: SettledRun,
  channels: Attention['channels'],
  images: readonly Sampled[],
): Promise<FeatureSpace> {
  const moments = await covariance(ports, images);
  const labelScale = scaleOf(channels, name => (name === 'fine' && channels.deep ? fineWeight : 1));
  const headScale = scaleOf(channels, name => (name === 'deep' && channels.doubled && channels.fine ? 0 : 1));
  // One's products run elsewhere while the other's basis grows here.
  const [head, labels] = await Promise.all([
    projection(ports, moments, headScale, headDirections, run.seed),
    projection(ports, moments, labelScale, labelDirections, run.seed),
  ]);
  return { channels, head, labels, projectHead: sampled => projectAll(ports, head, sampled) };
}

/** Vectors of one length, one after another; one array per image. */
export type VectorRows = readonly Float32Array[];

const asSampled = (rows: VectorRows, dimension: number) =>
  rows.map(features => ({ features, grid: { height: features.length / dimension, width: 1 } }));

/** The leading principal components of vectors, at most so many. With `centred: false` the mean stays in, so that lengths and angles are kept. */
export async function principalProjection(
  ports: Ports,
  rows: VectorRows,
  dimension: number,
  { directions, seed, centred }: { directions: number; seed: number; centred: boolean },
): Promise<Projection> {
  const { mean, covariance: c } = await covariance(ports, asSampled(rows, dimension));
  const moments = centred
    ? { mean, covariance: c }
    : {
        mean: new Float64Array(dimension),
        covariance: c.map((value, i) => value + mean[Math.floor(i / dimension)]! * mean[i % dimension]!),
      };
  return projection(ports, moments, new Float64Array(dimension).fill(1), directions, seed);
}

/** l2(P x + p) of every vector. */
export const projectRows = (ports: Ports, space: Projection, rows: VectorRows): Promise<Float32Array[]> =>
  projectAll(ports, space, asSampled(rows, space.matrix.length / space.outputs));

/** What a backbone's maps are like. */
export interface MapSizes {
  readonly channels: Attention['channels'];
  /** Bytes of the unit features of a picture of this size. */
  readonly featureBytes: number;
}

/**
 * Measured in one run on a generated picture: files need not declare their sizes.
 * @throws PermanentError if the backbone cannot be run or gives nothing to work with
 */
export async function measureMaps(ports: Ports, backbone: Backbone, width: number, height: number): Promise<MapSizes> {
  const { image } = scene(1, { width: width / backbone.scales, height: height / backbone.scales });
  const { deep, fine } = await tryBackbone(ports, backbone, image, { sessions: 1, threadsPerSession: 1, timed: 0 });
  const maps = { fine, deep, doubled: backbone.scales === 2 ? deep : undefined };
  const present = mapOrder.filter(name => maps[name]);
  const total = present.reduce((sum, name) => sum + maps[name]!.channels, 0);
  // The first map gives the grid to the others.
  const grid = fine ?? deep;
  const positions = grid.height * grid.width;
  return {
    channels: Object.fromEntries(present.map(name => [name, maps[name]!.channels])),
    featureBytes: total * positions * Float32Array.BYTES_PER_ELEMENT,
  };
}

/** One number per channel of the unit features. */
function scaleOf(channels: Attention['channels'], weight: (name: MapName) => number): Float64Array {
  return Float64Array.from(mapOrder.flatMap(name => new Array<number>(channels[name] ?? 0).fill(weight(name))));
}

interface Moments {
  readonly mean: Float64Array;
  readonly covariance: Float64Array;
}

/** Images as far as their features go. */
type WithFeatures = Pick<Sampled, 'features' | 'grid'>;

async function covariance(ports: Ports, images: readonly WithFeatures[]): Promise<Moments> {
  const dimension = images[0]!.features!.length / (images[0]!.grid.height * images[0]!.grid.width);
  const x = input('x', 'float32', ['n', dimension]);
  const outputs = {
    products: matmul(transpose(x, { perm: [1, 0] }), x),
    sum: reduceSum(x, { axes: [0], keepdims: 0 }),
  };
  const sums = emptyMoments(dimension);
  const model = await ports.models.load(toModel({ name: 'covariance', inputs: [x], outputs }), {
    sessions: 1,
    threadsPerSession: ports.tuning.threads,
  });
  for (const rows of batches(images, dimension)) {
    const count = rows.length / dimension;
    const result = await model.run({ x: { type: 'float32', dims: [count, dimension], data: rows } });
    addMoments(sums, {
      count,
      sum: result.outputs.sum!.data as Float32Array,
      products: result.outputs.products!.data as Float32Array,
    });
  }
  await model.release();
  return covarianceOf(sums);
}

/** Neighbours tell nearly the same, and a product with all of them would take longer than the rest of the fit. */
const rowsForCovariance = 12_000;
/** So many in one product, that it is worth its call. */
const rowsPerBatch = 4096;

/** Features at every so many positions, evenly over all images, in arrays of whole rows. */
function* batches(images: readonly WithFeatures[], dimension: number): Generator<Float32Array> {
  const rows = images.reduce((sum, { features }) => sum + features!.length / dimension, 0);
  const step = Math.max(1, Math.floor(rows / rowsForCovariance));
  let batch = new Float32Array(rowsPerBatch * dimension);
  let filled = 0;
  let next = 0;
  for (const { features } of images) {
    const count = features!.length / dimension;
    for (; next < count; next += step) {
      batch.set(features!.subarray(next * dimension, (next + 1) * dimension), filled++ * dimension);
      if (filled < rowsPerBatch) continue;
      yield batch;
      batch = new Float32Array(rowsPerBatch * dimension);
      filled = 0;
    }
    next -= count;
  }
  if (filled) yield batch.slice(0, filled * dimension);
}

/** PCA of s ⊙ x: directions V of S C S become the matrix V S and the offset −V S mean on plain unit features. */
async function projection(
  ports: Ports,
  { mean, covariance: c }: Moments,
  scale: Float64Array,
  directions: number,
  seed: number,
): Promise<Projection> {
  const dimension = scale.length;
  const scaled = new Float32Array(c.length);
  for (let i = 0, at = 0; i < dimension; i++) {
    for (let j = 0; j < dimension; j++, at++) scaled[at] = c[at]! * scale[i]! * scale[j]!;
  }
  const rows = input('rows', 'float32', ['n', dimension]);
  const graph = toModel({
    name: 'product',
    inputs: [rows],
    outputs: { product: matmul(rows, constant(scaled, [dimension, dimension])) },
  });
  const model = await ports.models.load(graph, { sessions: 1, threadsPerSession: ports.tuning.threads });
  const outputs = Math.min(directions, dimension);
  const { components } = await principalComponents(dimension, outputs, productOn(model, dimension), {
    tolerance,
    seed,
  });
  await model.release();
  const matrix = Float32Array.from(components, (value, i) => value * scale[i % dimension]!);
  return { matrix, offset: offsetOf(components, scale, mean, outputs), outputs };
}

const productOn =
  (model: Model, dimension: number): CovarianceProduct =>
  async (rows, count) => {
    const result = await model.run({
      rows: { type: 'float32', dims: [count, dimension], data: Float32Array.from(rows.subarray(0, count * dimension)) },
    });
    return result.outputs.product!.data as Float32Array;
  };

function offsetOf(components: Float64Array, scale: Float64Array, mean: Float64Array, outputs: number): Float32Array {
  const offset = new Float32Array(outputs);
  for (let k = 0; k < outputs; k++) {
    let sum = 0;
    for (let i = 0; i < mean.length; i++) sum += components[k * mean.length + i]! * scale[i]! * mean[i]!;
    offset[k] = -sum;
  }
  return offset;
}

async function projectAll(
  ports: Ports,
  { matrix, offset, outputs }: Projection,
  images: readonly WithFeatures[],
): Promise<Float32Array[]> {
  const dimension = matrix.length / outputs;
  const x = input('x', 'float32', ['n', dimension]);
  const product = matmul(x, transpose(constant(matrix, [outputs, dimension]), { perm: [1, 0] }));
  const projected = l2Normalize(add(product, constant(offset, [outputs])), 1, 1e-12);
  const model = await ports.models.load(toModel({ name: 'project', inputs: [x], outputs: { projected } }), {
    sessions: 1,
    threadsPerSession: ports.tuning.threads,
  });
  const all: Float32Array[] = [];
  for (const { features } of images) {
    const result = await model.run({
      x: { type: 'float32', dims: [features!.length / dimension, dimension], data: features! },
    });
    all.push(result.outputs.projected!.data as Float32Array);
  }
  await model.release();
  return all;
}
