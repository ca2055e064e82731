/** Assignment to the nearest centroid as an ONNX graph, so that only ids (and two distances) leave it, not all products. */
import { toModel } from '../graph/model.ts';
import { cast, div, gemm, max, mul, reduceL2, reduceSum, relu, slice, squeeze, sub, topK } from '../graph/ops.ts';
import { constant, input, type Tensor } from '../graph/tensor.ts';
import type { Centroids } from './kmeans.ts';
import type { Metric } from './metric.ts';

/**
 * Nearest centroid of each row by the largest x·c + bias, the first of equals, and how far it and the next are.
 *
 * Inputs: `points` float32 [rows, dimension], any number of rows; `centroids` float32 [dimension, clusters], two or more, and
 * `bias` float32 [clusters], both from `centroidFeeds`; `origin` float32 [dimension], the one given to it.
 * Outputs: `assignment` int32 [rows]; `distances` float32 [rows, 2], to the nearest and to the second nearest centroid (see
 * `Metric`). Asking for the two best is no slower than for the best alone.
 */
export function assignGraph(dimension: number, metric: Metric): Uint8Array {
  const points = input('points', 'float32', ['rows', dimension]);
  const centroids = input('centroids', 'float32', [dimension, 'clusters']);
  const bias = input('bias', 'float32', ['clusters']);
  const origin = input('origin', 'float32', [dimension]);
  const [scores, ids] = topK(gemm(points, centroids, bias), 2);
  const nearest = squeeze(slice(ids, { starts: [0], ends: [1], axes: [1] }), { axes: [1] });
  const doubled = mul(scores, constant(2));
  const distances =
    metric === 'cosine' ? sub(constant(2), div(doubled, lengths(points))) : sub(squares(points, origin), doubled);
  return toModel({
    name: 'assign',
    inputs: [points, centroids, bias, origin],
    outputs: { assignment: cast(nearest, { to: 'int32' }), distances: relu(distances) },
  });
}

const lengths = (points: Tensor) => max(reduceL2(points, { axes: [1] }), constant(1e-30));

function squares(points: Tensor, origin: Tensor): Tensor {
  const shifted = sub(points, origin);
  return reduceSum(mul(shifted, shifted), { axes: [1] });
}

/** Below every real score, and twice of it beyond float32: a centroid that is never nearest, and infinitely far. */
const unreachable = -3e38;

export interface CentroidFeeds {
  /** Columns: more than centroids where `least` asks for them; those beyond are never nearest and infinitely far. */
  readonly columns: number;
  /** [dimension, columns]. */
  readonly centroids: Float32Array;
  /** [columns]. */
  readonly bias: Float32Array;
}

/**
 * What the graphs are fed. The nearest centroid has the largest x·c − |c|²/2. With an origin o near the vectors, and
 * c′ = c − o, that is x·c′ − o·c′ − |c′|²/2 up to a constant: the same order, but nothing large cancels in float32 where the
 * vectors lie far from zero. For cosine (unit centroids) there is no bias, and the origin plays no part.
 * @param origin [dimension]
 */
export function centroidFeeds(
  { data, count, dimension }: Centroids,
  origin: Float64Array,
  metric: Metric,
  least = 1,
): CentroidFeeds {
  const columns = Math.max(count, least);
  const centroids = new Float32Array(dimension * columns);
  const bias = new Float32Array(columns).fill(unreachable, count);
  for (let k = 0; k < count; k++) {
    let offset = 0;
    for (let i = 0; i < dimension; i++) {
      const away = metric === 'cosine' ? 0 : origin[i]!;
      const rounded = Math.fround(data[k * dimension + i]! - away);
      centroids[i * columns + k] = rounded;
      offset += away * rounded + (rounded * rounded) / 2;
    }
    bias[k] = metric === 'cosine' ? 0 : -offset;
  }
  return { columns, centroids, bias };
}
