/** Sample applications of every operator, total over the table: none can be forgotten. A table, hence long. */
import * as ops from '#core/graph/ops';
import { type ElementType, integers, type Tensor } from '#core/graph/tensor';
import type { Random } from '#core/random';
import type { Value } from './evaluator.ts';

export interface Given {
  /** One sample tensor per input: its sizes, and where it is not plain float32 noise, its type and range. */
  readonly dims: readonly number[];
  readonly type?: ElementType;
  readonly from?: number;
  readonly to?: number;
}

export interface Case {
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

export const cases: { readonly [O in Exclude<ops.Op, 'Imported'>]: readonly Case[] } = {
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
  Erf: unary(ops.erf),
  Gelu: [...unary(x => ops.gelu(x!)), ...unary(x => ops.gelu(x!, { approximate: 'tanh' }))],
  HardSigmoid: unary(x => ops.hardSigmoid(x!, { alpha: 0.3, beta: 0.4 })),
  HardSwish: unary(ops.hardSwish, { dims: [4, 6], from: -5, to: 5 }),
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
  LayerNormalization: [
    { given: [of(2, 3, 5), of(5), of(5)], build: (x, s, b) => ops.layerNormalization(x!, s!, b, { epsilon: 0.01 }) },
    { given: [of(2, 3, 5), of(3, 5)], build: (x, s) => ops.layerNormalization(x!, s!, undefined, { axis: 1 }) },
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
  GatherElements: [
    { given: [of(4, 3), whole(-4, 4, 2, 3)], build: (x, i) => ops.gatherElements(x!, i!) },
    { given: [of(2, 5, 3)], build: x => ops.gatherElements(x!, integers([4, 0, 4, 1, 3, 0], [2, 1, 3]), { axis: 1 }) },
  ],
  ScatterElements: [
    {
      given: [of(4, 3), whole(-4, 4, 2, 3), of(2, 3)],
      build: (x, i, u) => ops.scatterElements(x!, i!, u!, { reduction: 'add' }),
    },
    {
      given: [of(2, 5), of(2, 3)],
      build: (x, u) => ops.scatterElements(x!, integers([4, 0, 2, 1, 3, 0], [2, 3]), u!, { axis: 1 }),
    },
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
    { given: [of(2, 2, 5, 4), of(3, 2, 3, 3), of(3)], build: (x, w, b) => ops.conv(x!, w!, b, { pads: [1, 1, 1, 1] }) },
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

/** Random numbers as the case wants them; float32 ones can be held in float32. */
export function sample({ dims, type = 'float32', from = -2, to = 2 }: Given, random: Random): Value {
  const length = dims.reduce((a, b) => a * b, 1);
  const next = () => from + random.uniform() * (to - from);
  const data = Array.from({ length }, () => (type === 'float32' ? Math.fround(next()) : Math.floor(next())));
  return { dims, data };
}

/** Every case with its name. */
export const table = Object.entries(cases).flatMap(([op, list]) =>
  list.map((one, i) => [list.length > 1 ? `${op} ${i + 1}` : op, one] as const),
);
