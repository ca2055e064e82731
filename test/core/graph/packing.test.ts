/** Vectors laid end to end: the same numbers, and what they end with done once. */
import { describe, expect, test } from 'vitest';
import { add, div, mul, reshape } from '#core/graph/ops';
import { endToEnd, packed } from '#core/graph/packing';
import { constant, input, nodesBelow, type Tensor } from '#core/graph/tensor';
import { evaluate } from './evaluator.ts';

const a = [input('a0', 'float32', [2]), input('a1', 'float32', [3])];
const b = [input('b0', 'float32', [2]), input('b1', 'float32', [3])];
const feeds = {
  a0: { dims: [2], data: [1, 2] },
  a1: { dims: [3], data: [3, 4, 5] },
  b0: { dims: [2], data: [10, 20] },
  b1: { dims: [3], data: [30, 40, 50] },
  all: { dims: [5], data: [1, 2, 3, 4, 5] },
};
const operators = (tensor: Tensor) => nodesBelow([tensor]).map(({ op }) => op);
const each = (of: (a: Tensor, b: Tensor) => Tensor) => a.map((tensor, i) => of(tensor, b[i]!));

describe('tensors end to end', () => {
  test('are a vector, whatever their shape', () => {
    const [result] = evaluate([endToEnd([reshape(a[0]!, [2, 1]), a[1]!])], feeds);
    expect(result).toEqual({ dims: [5], data: [1, 2, 3, 4, 5] });
  });

  test('are moved at once where each is moved alike', () => {
    const moved = each((a, b) => add(mul(constant(0.5), a), mul(constant(2), b)));
    const all = input('all', 'float32', [5]);
    const whole = packed(moved, vectors => (vectors.every((vector, i) => vector === a[i]) ? all : undefined));
    expect(operators(whole)).toEqual(['Mul', 'Concat', 'Mul', 'Add']);
    expect(evaluate([whole], feeds)[0]).toEqual({ dims: [5], data: [20.5, 41, 61.5, 82, 102.5] });
  });

  test.each<[string, Tensor[]]>([
    ['numbers differ', a.map((tensor, i) => mul(constant(i + 1), tensor))],
    ['a number stands elsewhere', [mul(constant(2), a[0]!), mul(a[1]!, constant(2))]],
    ['operators differ', [add(a[0]!, b[0]!), mul(a[1]!, b[1]!)]],
    ['a vector is repeated', [add(a[0]!, input('c', 'float32', [1])), add(a[1]!, b[1]!)]],
    ['an operator is another', each(div)],
    ['one is no result', [a[0]!, add(a[1]!, b[1]!)]],
  ])('are not where %s', (_why, vectors) => {
    expect(operators(packed(vectors)).at(-1)).toBe('Concat');
  });
});
