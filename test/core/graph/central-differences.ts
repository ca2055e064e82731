/** Slopes of a loss by central differences in float64: what gradients are compared with. */
import type { Tensor } from '#core/graph/tensor';
import { evaluate, type Value } from './evaluator.ts';

type Feeds = Readonly<Record<string, Value>>;

/** The slope of a loss along every element of one input. */
export function centralDifferences(loss: Tensor, name: string, feeds: Feeds, step = 1e-5): Value {
  const { dims, data } = feeds[name]!;
  const at = (i: number, offset: number) => {
    const moved = { dims, data: data.with(i, data[i]! + offset) };
    return evaluate([loss], { ...feeds, [name]: moved })[0]!.data[0]!;
  };
  return { dims, data: data.map((_, i) => (at(i, step) - at(i, -step)) / (2 * step)) };
}

/** Largest difference of two lists of numbers, relative to the largest of them all (at least 1e-3). */
export function relativeError(actual: ArrayLike<number>, expected: readonly number[]): number {
  const scale = Math.max(1e-3, ...expected.map(Math.abs));
  return Math.max(0, ...expected.map((value, i) => Math.abs(actual[i]! - value))) / scale;
}
