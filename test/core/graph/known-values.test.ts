/** What is known of small tensors before a graph runs: wherever numbers are claimed, ONNX Runtime computes the same. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { knownValues } from '#core/graph/known-values';
import {
  abs,
  add,
  cast,
  concat,
  constantOfShape,
  div,
  equal,
  expand,
  gather,
  greater,
  max,
  min,
  mul,
  neg,
  pow,
  range,
  reduceSum,
  reshape,
  shape,
  slice,
  sqrt,
  squeeze,
  sub,
  transpose,
  unsqueeze,
  where,
} from '#core/graph/ops';
import { constant, type Dim, input, integers, type Tensor } from '#core/graph/tensor';
import { run } from './runtime.ts';

const dims = [2, 3, 224, 160];
const image = (symbols: readonly Dim[] = dims) => input('x', 'float32', symbols);

/** What exporters make of sizes, by name; x is the image. */
const programs: Readonly<Record<string, (x: Tensor) => Tensor>> = {
  'a size divided by a patch, and a little': x => div(slice(shape(x), { starts: [2], ends: [4] }), integers([16])),
  'division of negative numbers': () => div(integers([-7, 7, -7]), integers([2, -2, -2])),
  'floats, and back': x =>
    cast(div(cast(shape(x), { to: 'float32' }), constant(Float32Array.of(14), [1])), { to: 'int64' }),
  'a square root': x => sqrt(cast(shape(x), { to: 'float32' })),
  'a power, a sum, a difference': x =>
    sub(add(pow(cast(shape(x), { to: 'float32' }), constant(2)), constant(1)), constant(3)),
  'where a shape says -1': x => {
    const wanted = integers([-1, 3, -1, 160]);
    const ones = constantOfShape(shape(wanted), { value: integers([1]) });
    return where(equal(wanted, mul(ones, integers([-1]))), shape(x), wanted);
  },
  'comparisons, chosen by': x => where(greater(shape(x), integers([100])), shape(x), neg(shape(x))),
  'larger and smaller': x => max(min(cast(shape(x), { to: 'float32' }), constant(200)), constant(3)),
  'pads, turned around as PyTorch does': () => {
    const pads = reshape(concat([integers([0, 1, 2, 3]), integers([0, 0, 0, 0])], { axis: 0 }), [4, 2]);
    const back = slice(pads, { starts: [-1], ends: [-(2 ** 40)], axes: [0], steps: [-1] });
    return reshape(transpose(back, { perm: [1, 0] }), [-1]);
  },
  'a column repeated': x =>
    expand(unsqueeze(slice(shape(x), { starts: [0], ends: [2] }), { axes: [1] }), integers([2, 3])),
  'rows side by side': () => concat([integers([1, 2, 3, 4], [2, 2]), integers([5, 6], [2, 1])], { axis: 1 }),
  'columns picked': () => gather(integers([1, 2, 3, 4, 5, 6], [2, 3]), integers([2, -3]), { axis: 1 }),
  'the number of patches': x =>
    reduceSum(mul(slice(shape(x), { starts: [2], ends: [4] }), integers([3])), { axes: [0] }),
  'half positions': () => range(constant(0.5), constant(7), constant(1)),
  'counting down': () =>
    range(constant(BigInt64Array.of(5n), []), constant(BigInt64Array.of(-4n), []), constant(BigInt64Array.of(-2n), [])),
  'a scalar': x => squeeze(slice(shape(x), { starts: [3], ends: [4] }), { axes: [0] }),
  'sizes without sign': x => abs(neg(shape(x))),
};

const given = { x: { dims, data: new Array<number>(dims.reduce((a, b) => a * b)).fill(0) } };

describe('known values', () => {
  test.each(Object.keys(programs))('%s', async name => {
    const x = image();
    const tensor = programs[name]!(x);
    const known = knownValues(tensor);
    expect(known).toBeDefined();
    // The runtime takes no graph without an input that is used.
    const anchored = add(cast(tensor, { to: 'float32' }), mul(reduceSum(x, { keepdims: 0 }), constant(0)));
    const [result] = await run([anchored], given);
    expect([...result!.data].map(Math.fround)).toEqual(known!.map(value => Math.fround(Number(value))));
    expect(result!.data).toHaveLength(known!.length);
  });

  test('sizes that are symbols stay symbols, and are not mistaken for numbers', () => {
    const x = image(['N', 3, 'H', 'W']);
    expect(knownValues(shape(x))).toEqual(['N', 3, 'H', 'W']);
    const patches = div(slice(shape(x), { starts: [2], ends: [4] }), integers([16]));
    expect(knownValues(patches)).toEqual(['floor(H/16)', 'floor(W/16)']);
    expect(knownValues(equal(shape(x), integers([-1, -1, -1, -1])))).toEqual([0, 0, 0, 0]);
    expect(knownValues(equal(shape(x), integers([2, 3, 224, 160])))).toBeUndefined();
    expect(knownValues(sqrt(cast(shape(x), { to: 'float32' })))).toBeUndefined();
    expect(knownValues(div(cast(shape(x), { to: 'float32' }), constant(2)))).toBeUndefined();
  });

  test('what depends on the image, and what is large, is unknown', () => {
    expect(knownValues(image([1]))).toBeUndefined();
    expect(knownValues(reduceSum(image([2, 2])))).toBeUndefined();
    expect(knownValues(integers(new Array<number>(65).fill(1)))).toBeUndefined();
  });

  test('slices are those of the runtime', async () => {
    const anyPosition = fc.integer({ min: -8, max: 8 });
    await fc.assert(
      fc.asyncProperty(anyPosition, anyPosition, fc.constantFrom(-3, -1, 1, 2), async (start, end, step) => {
        const five = integers([10, 11, 12, 13, 14]);
        const part = slice(five, { starts: [start], ends: [end], steps: [step] });
        const known = knownValues(part);
        const anchored = add(cast(part, { to: 'float32' }), mul(reduceSum(image([1]), { keepdims: 0 }), constant(0)));
        const [result] = await run([anchored], { x: { dims: [1], data: [0] } });
        expect(known).toEqual([...result!.data]);
      }),
      { numRuns: 60 },
    );
  });
});
