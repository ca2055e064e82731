/** Every operator: ONNX Runtime against the plain evaluator, and the shape rule against the shapes that came out. */
import { describe, expect, test } from 'vitest';
import * as ops from '#core/graph/ops';
import { constant, type Dim, type ElementType, input, integers, type Tensor } from '#core/graph/tensor';
import { Random, seedOf } from '#core/random';
import { evaluate, type Value } from './evaluator.ts';
import { run } from './runtime.ts';

interface Given {
  /** One sample tensor per input: its sizes, and where it is not plain float32 noise, its type and range. */
  readonly dims: readonly number[];
  readonly type?: ElementType;
  readonly from?: number;
  readonly to?: number;
}

interface Case {
  readonly given: readonly Given[];
  readonly build: (...tensors: Tensor[]) => Tensor | readonly Tensor[];
}

const of = (...dims: number[]): Given => ({ dims });
const positive = (...dims: number[]): Given => ({ dims, from: 0.1, to: 3 });
const whole = (from: number, to: number, ...dims: number[]): Given => ({ dims, type: 'int64', from, to });
const bools = (...dims: number[]): Given => ({ dims, type: 'bool', from: 0, to: 2 });
const one = (given: Given, build: Case['build']): Case => ({ given: [given], build });
const pair = (build: Case['build']): Case[] => [
  { given: [of(2, 3, 4), of(3, 1)], build },
  { given: [of(4), of(2, 1, 4)], build },
];
const unary = (build: Case['build'], given = of(3, 5)) => [one(given, build)];
const reductions = (op: typeof ops.reduceSum): Case[] => [
  one(of(2, 3, 4), x => op(x, { axes: [1], keepdims: 0 })),
  one(of(2, 3, 4), x => op(x, { axes: [-1, 0] })),
  one(of(2, 3), x => op(x, { keepdims: 0 })),
];

const cases: { readonly [O in Exclude<ops.Op, 'Imported'>]: readonly Case[] } = {
  Add: pair(ops.add),
  Sub: pair(ops.sub),
  Mul: pair(ops.mul),
  Div: pair(ops.div),
  Pow: [{ given: [positive(2, 3), of(3)], build: ops.pow }],
  Max: pair(ops.max),
  Min: pair(ops.min),
  Equal: [{ given: [whole(0, 3, 4, 4), whole(0, 3, 4)], build: ops.equal }],
  Greater: pair(ops.greater),
  GreaterOrEqual: [{ given: [whole(0, 3, 4, 4), whole(0, 3, 4)], build: ops.greaterOrEqual }],
  Less: pair(ops.less),
  Sqrt: unary(ops.sqrt, positive(3, 4)),
  Exp: unary(ops.exp),
  Log: unary(ops.log, positive(3, 4)),
  Abs: unary(ops.abs),
  Neg: unary(ops.neg),
  Relu: unary(ops.relu),
  Sigmoid: unary(ops.sigmoid),
  Tanh: unary(ops.tanh),
  Not: unary(ops.not, bools(3, 3)),
  Identity: unary(ops.identity),
  Clip: [
    one(of(4, 5), x => ops.clip(x, { min: -0.5, max: 0.5 })),
    one(of(4, 5), x => ops.clip(x, { max: 0.25 })),
    one(whole(-5, 5, 9), x => ops.clip(x, { min: 0 })),
  ],
  Cast: [
    one({ dims: [9], from: -3, to: 3 }, x => ops.cast(x, { to: 'int64' })),
    one(bools(7), x => ops.cast(x, { to: 'float32' })),
  ],
  Where: [{ given: [bools(3, 1), of(2, 1, 4), of(4)], build: ops.where }],
  BatchNormalization: [
    {
      given: [of(2, 3, 2, 2), of(3), of(3), of(3), positive(3)],
      build: (x, scale, bias, mean, variance) =>
        ops.batchNormalization(x!, scale!, bias!, mean!, variance!, { epsilon: 0.1 }),
    },
  ],
  Softmax: [one(of(2, 3, 4), x => ops.softmax(x, { axis: 1 })), one(of(5), x => ops.softmax(x))],
  LogSoftmax: [one(of(2, 3, 4), x => ops.logSoftmax(x, { axis: -2 }))],
  ReduceSum: reductions(ops.reduceSum),
  ReduceMean: reductions(ops.reduceMean),
  ReduceMax: reductions(ops.reduceMax),
  ReduceMin: reductions(ops.reduceMin),
  ReduceL2: reductions(ops.reduceL2),
  ArgMax: [
    one(of(2, 5), x => ops.argMax(x, { axis: 1, keepdims: 0 })),
    one(whole(0, 2, 4, 6), x => ops.argMax(x, { axis: 0 })),
  ],
  TopK: [one(of(3, 5), x => ops.topK(x, 2)), one(of(4, 3), x => ops.topK(x, 3, { axis: 0, largest: 0 }))],
  Reshape: [
    one(of(2, 3, 4), x => ops.reshape(x, [0, -1])),
    one(of(2, 3, 4), x => ops.reshape(x, [4, 6])),
    one(of(2, 3, 4), x =>
      ops.reshape(x, ops.concat([ops.slice(ops.shape(x), { starts: [2], ends: [3] }), integers([-1])], { axis: 0 })),
    ),
  ],
  Transpose: [one(of(2, 3, 4), x => ops.transpose(x)), one(of(2, 3, 4), x => ops.transpose(x, { perm: [1, 2, 0] }))],
  Concat: [{ given: [of(2, 3), of(2, 1), of(2, 2)], build: (...xs) => ops.concat(xs, { axis: -1 }) }],
  Split: [one(of(2, 7), x => ops.split(x, { axis: 1, split: [3, 4] }))],
  Slice: [
    one(of(5, 6), x => ops.slice(x, { starts: [1], ends: [-1] })),
    one(of(5, 6), x => ops.slice(x, { starts: [-2, 4], ends: [2 ** 40, 0], axes: [0, 1], steps: [1, -2] })),
    one(of(7), x => ops.slice(x, { starts: [-1], ends: [-(2 ** 40)], steps: [-1] })),
    one(of(9), x => ops.slice(x, { starts: [0], ends: [2 ** 40], steps: [4] })),
    one(of(5, 6), x => ops.slice(x, { starts: [1, 2], ends: [9, 4] })),
    one(of(5), x => ops.slice(x, { starts: [3], ends: [0], steps: [-1] })),
  ],
  Gather: [
    { given: [of(5, 3), whole(-5, 5, 2, 2)], build: (x, i) => ops.gather(x!, i!) },
    { given: [of(5, 3, 2), whole(0, 3)], build: (x, i) => ops.gather(x!, i!, { axis: 1 }) },
  ],
  Shape: [one(of(5, 1, 2), x => ops.shape(x))],
  Unsqueeze: [one(of(2, 3), x => ops.unsqueeze(x, { axes: [0, -1] }))],
  Squeeze: [one(of(2, 1, 3, 1), x => ops.squeeze(x, { axes: [1, -1] }))],
  Expand: [{ given: [of(2, 1), of(3, 1, 4)], build: (x, like) => ops.expand(x!, ops.shape(like!)) }],
  Pad: [
    one(of(3, 4), x => ops.pad(x, { pads: [1, 0, 0, 2], value: 0.5 })),
    one(of(3, 4), x => ops.pad(x, { pads: [2, 1, 0, 3], mode: 'reflect' })),
    one(of(3, 4), x => ops.pad(x, { pads: [0, 1, 2, 0], mode: 'edge' })),
  ],
  Resize: [
    one(of(1, 2, 3, 5), x => ops.resize(x, { scales: [1, 1, 2, 2] }, { mode: 'linear' })),
    one(of(1, 1, 3, 4), x =>
      ops.resize(
        x,
        { scales: [1, 1, 3, 2] },
        { mode: 'nearest', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' },
      ),
    ),
    one(of(1, 1, 4, 6), x =>
      ops.resize(
        x,
        { sizes: integers([1, 1, 7, 3]) },
        { mode: 'linear', coordinate_transformation_mode: 'align_corners' },
      ),
    ),
    one(of(1, 1, 5, 4), x => ops.resize(x, { sizes: integers([1, 1, 3, 9]) })),
    one(of(1, 1, 8, 8), x => ops.resize(x, { scales: [1, 1, 0.5, 0.25] }, { mode: 'linear', antialias: 1 })),
    one(of(1, 1, 8, 8), x => ops.resize(x, { scales: [1, 1, 0.5, 0.25] }, { mode: 'linear' })),
  ],
  ConstantOfShape: [
    one(of(2, 3), x => ops.constantOfShape(ops.shape(x))),
    one(of(2, 3), x => ops.constantOfShape(ops.shape(x), { value: integers([7]) })),
  ],
  Range: [one(of(6), x => ops.range(integers([1], []), ops.squeeze(ops.shape(x), { axes: [0] }), integers([2], [])))],
  MatMul: [
    { given: [of(4, 3), of(3, 5)], build: ops.matmul },
    { given: [of(2, 1, 4, 3), of(5, 3, 2)], build: ops.matmul },
    { given: [of(3), of(2, 3, 4)], build: ops.matmul },
    { given: [of(2, 4, 3), of(3)], build: ops.matmul },
  ],
  Gemm: [
    { given: [of(4, 3), of(3, 5)], build: (a, b) => ops.gemm(a!, b!) },
    {
      given: [of(3, 4), of(5, 3), of(5)],
      build: (a, b, c) => ops.gemm(a!, b!, c, { alpha: 0.5, beta: 2, transA: 1, transB: 1 }),
    },
  ],
  Conv: [
    { given: [of(2, 3, 5, 6), of(4, 3, 3, 3), of(4)], build: (x, w, b) => ops.conv(x!, w!, b, { pads: [1, 1, 1, 1] }) },
    {
      given: [of(1, 4, 9, 8), of(6, 2, 3, 2)],
      build: (x, w) =>
        ops.conv(x!, w!, undefined, { strides: [2, 1], pads: [0, 1, 2, 0], dilations: [2, 3], group: 2 }),
    },
    { given: [of(2, 3, 7), of(2, 3, 3)], build: (x, w) => ops.conv(x!, w!, undefined, { strides: [2] }) },
  ],
  ConvTranspose: [
    { given: [of(1, 2, 3, 4), of(2, 3, 3, 3), of(3)], build: (x, w, b) => ops.convTranspose(x!, w!, b) },
    {
      given: [of(1, 4, 3, 3), of(4, 2, 3, 2)],
      build: (x, w) =>
        ops.convTranspose(x!, w!, undefined, { strides: [2, 3], pads: [1, 0, 0, 1], group: 2, output_padding: [1, 0] }),
    },
  ],
  AveragePool: [
    one(of(1, 2, 6, 5), x => ops.averagePool(x, { kernel_shape: [3, 2], strides: [2, 1], pads: [1, 1, 1, 0] })),
    one(of(1, 1, 5, 5), x => ops.averagePool(x, { kernel_shape: [3, 3], pads: [1, 1, 1, 1], count_include_pad: 1 })),
    one(of(1, 2, 7, 5), x => ops.averagePool(x, { kernel_shape: [4, 2], strides: [4, 2], ceil_mode: 1 })),
  ],
  MaxPool: [
    one(of(1, 2, 7, 6), x => ops.maxPool(x, { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1 })),
    one(of(1, 2, 7, 6), x => ops.maxPool(x, { kernel_shape: [2, 2], dilations: [2, 1], pads: [1, 0, 1, 0] })),
    one(of(1, 1, 5, 5), x =>
      ops.maxPool(x, { kernel_shape: [2, 2], strides: [2, 2], pads: [1, 1, 1, 1], ceil_mode: 1 }),
    ),
  ],
  GlobalAveragePool: [one(of(2, 3, 4, 5), x => ops.globalAveragePool(x))],
};

function sample({ dims, type = 'float32', from = -2, to = 2 }: Given, random: Random): Value {
  const length = dims.reduce((a, b) => a * b, 1);
  const next = () => from + random.uniform() * (to - from);
  const data = Array.from({ length }, () => (type === 'float32' ? Math.fround(next()) : Math.floor(next())));
  return { dims, data };
}

/** Reads `floor((H+1)/2)` with the sizes of this run. */
function resolved(dim: Dim, sizes: Readonly<Record<string, number>>): number {
  const formula = String(dim).replaceAll('floor', 'Math.floor').replaceAll('min', 'Math.min');
  return new Function(...Object.keys(sizes), `return ${formula}`)(...Object.values(sizes)) as number;
}

const table = Object.entries(cases).flatMap(([op, list]) =>
  list.map((one, i) => [list.length > 1 ? `${op} ${i + 1}` : op, one] as const),
);

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
