/** Batch normalisation as it is trained: with the mean and variance of the batch, which also move the running ones. */
import { elementCount } from './dims.ts';
import { add, batchNormalization, mul, reduceMean, reshape, sub } from './ops.ts';
import { constant, type GraphNode, type Tensor } from './tensor.ts';

export interface BatchStatistics {
  /** [C] */
  readonly mean: Tensor;
  /** [C], of all elements: divided by their number n. */
  readonly variance: Tensor;
  /** How many elements each was taken over. */
  readonly count: number;
  /** x − mean, [N,C,…]. */
  readonly centred: Tensor;
}

/** Mean and variance of every channel of x [N,C,…]. */
export function batchStatistics(x: Tensor): BatchStatistics {
  const axes = x.dims.flatMap((_, axis) => (axis === 1 ? [] : [axis]));
  const count = elementCount(axes.map(axis => x.dims[axis]!));
  if (typeof count !== 'number') throw new Error(`batchStatistics: the sizes [${x.dims}] must be known`);
  const mean = reduceMean(x, { axes });
  const centred = sub(x, mean);
  const variance = reduceMean(mul(centred, centred), { axes, keepdims: 0 });
  return { mean: reshape(mean, [-1]), variance, count, centred };
}

const normalizedByBatch = new WeakMap<GraphNode, BatchStatistics>();

/** The statistics of its own input that a node normalises by; undefined where they are others. */
export const ownStatistics = (node: GraphNode): BatchStatistics | undefined => normalizedByBatch.get(node);

/** x normalised by its own statistics, and those. */
export function normalizeByBatch(x: Tensor, scale: Tensor, bias: Tensor, epsilon: number) {
  const statistics = batchStatistics(x);
  const { mean, variance } = statistics;
  const y = batchNormalization(x, scale, bias, mean, variance, { epsilon });
  normalizedByBatch.set(y.node, statistics);
  return { y, statistics };
}

/** A running statistic after one more batch: (1 − momentum) · old + momentum · new. */
export const moved = (running: Tensor, now: Tensor, momentum: number): Tensor =>
  add(mul(constant(1 - momentum), running), mul(constant(momentum), now));

/** The variance that running statistics keep: divided by n − 1, as PyTorch does. */
export const unbiased = ({ variance, count }: BatchStatistics): Tensor =>
  mul(variance, constant(count / Math.max(1, count - 1)));
