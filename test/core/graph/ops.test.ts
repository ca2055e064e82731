/** Every operator: ONNX Runtime against the plain evaluator, and the shape rule against the shapes that came out. */
import { describe, expect, test } from 'vitest';
import * as ops from '#core/graph/ops';
import { constant, type Dim, input, integers, type Tensor } from '#core/graph/tensor';
import { Random, seedOf } from '#core/random';
import { evaluate } from './evaluator.ts';
import { sample, table } from './op-cases.ts';
import { run } from './runtime.ts';

/** Reads `floor((H+1)/2)` with the sizes of this run. */
function resolved(dim: Dim, sizes: Readonly<Record<string, number>>): number {
  const formula = String(dim).replaceAll('floor', 'Math.floor').replaceAll('min', 'Math.min');
  return new Function(...Object.keys(sizes), `return ${formula}`)(...Object.values(sizes)) as number;
}

describe('operators in ONNX Runtime', () => {
  test.each(table)('%s', async (name, { given, build }) => {
    const random = new Random(seedOf(name));
    const feeds = Object.fromEntries(given.map((one, i) => [`x${i}`, sample(one, random)]));
    const inputs = given.map(({ dims, type = 'float32' }, i) => input(`x${i}`, type, dims));
    const outputs = [build(...inputs)].flat() as Tensor[];
    const actual = await run(outputs, feeds);
    for (const [i, expected] of evaluate(outputs, feeds).entries()) {
      expect(actual[i]!.dims).toEqual(expected.dims);
      expect(outputs[i]!.dims).toEqual(expected.dims);
      for (const [j, value] of expected.data.entries()) expect(actual[i]!.data[j]).toBeCloseTo(value, 4);
    }
  });
});

/** Operators whose rule needs numbers where these cases have symbols. */
describe('shape rules with symbols', () => {
  test.each(table)('%s', (name, { given, build }) => {
    const random = new Random(seedOf(name));
    const feeds = Object.fromEntries(given.map((one, i) => [`x${i}`, sample(one, random)]));
    const sizes: Record<string, number> = {};
    const symbolic = given.map(({ dims, type = 'float32' }, i) => {
      const names = dims.map((size, axis) => {
        if (size === 1) return 1;
        sizes[`d${size}`] = size;
        return axis === 0 || given.length === 1 ? `d${size}` : size;
      });
      return input(`x${i}`, type, names);
    });
    const outputs = [build(...symbolic)].flat() as Tensor[];
    for (const [i, { dims }] of evaluate(outputs, feeds).entries())
      expect(outputs[i]!.dims.map(dim => resolved(dim, sizes))).toEqual(dims);
  });
});

describe('what operators refuse', () => {
  const x = input('x', 'float32', [4, 3]);
  test.each([
    ['MatMul: [4,3] x [5,2] (inner sizes differ)', () => ops.matmul(x, input('y', 'float32', [5, 2]))],
    ['Add: [4,3] x [4] (sizes differ)', () => ops.add(x, input('y', 'float32', [4]))],
    ['Add: float32 [4,3] x int64 [3] (element types differ)', () => ops.add(x, integers([1, 2, 3]))],
    ['Concat: [4,3] x [4] (ranks differ)', () => ops.concat([x, input('y', 'float32', [4])], { axis: 0 })],
    ['Reshape: float32 [4,3] x int64 [2] (12 elements do not fill [5,-1])', () => ops.reshape(x, [5, -1])],
    ['ReduceSum: [4,3] (axis 2 is out of range)', () => ops.reduceSum(x, { axes: [2] })],
    ['Squeeze: [4,3] (axis 1 and 1 differ)', () => ops.squeeze(x, { axes: [1] })],
    [
      'Conv: [1,3,4,4] x [8,2,3,3] (channels differ)',
      () => ops.conv(input('x', 'float32', [1, 3, 4, 4]), input('w', 'float32', [8, 2, 3, 3])),
    ],
    [
      'Conv: [1,2,2,4] x [8,2,3,3] (the window is larger than the padded image)',
      () => ops.conv(input('x', 'float32', [1, 2, 2, 4]), input('w', 'float32', [8, 2, 3, 3])),
    ],
    ['Where: [4,3] x [4,3] x [4,3] (the condition is not bool)', () => ops.where(x, x, x)],
    ['TopK: [4,3] (k = 4 is more than there are)', () => ops.topK(x, 4)],
    ['Transpose: [4,3] (perm [0,0] does not fit)', () => ops.transpose(x, { perm: [0, 0] })],
  ])('%s', (message, build) => {
    expect(build).toThrow(message);
  });

  test('a constant whose numbers do not fill its dims', () => {
    expect(() => constant(new Float32Array(5), [2, 3])).toThrow('constant: 5 numbers do not fill [2,3]');
  });
});
