/** The gradient of every operator, as more graph: one total table, a missing rule does not compile. A table, hence long. */
import { type BatchStatistics, ownStatistics } from './batch-statistics.ts';
import { biasGradient, inputGradient, kernelGradient } from './convolution-gradients.ts';
import { elementCount } from './dims.ts';
import { gatherGradient, padGradient, resizeGradient, sliceGradient } from './movement-gradients.ts';
import { knownSizes, NoGradient } from './no-gradient.ts';
import {
  add,
  cast,
  concat,
  conv,
  div,
  equal,
  erf,
  exp,
  gemm,
  greater,
  greaterOrEqual,
  less,
  log,
  matmul,
  max,
  mul,
  neg,
  type Op,
  pow,
  reduceMean,
  reduceSum,
  reshape,
  batchNormalization as scaleAndShift,
  scatterElements,
  split,
  sqrt,
  squeeze,
  sub,
  tanh,
  transpose,
  unsqueeze,
  where,
} from './ops.ts';
import { averagePoolGradient, maxPoolGradient } from './pooling-gradients.ts';
import { countAlong, sizesOf, zerosLike } from './sizes-of.ts';
import { constant, type NodeOf, type Tensor } from './tensor.ts';
import { momentOf, rememberNormalized, throughWidening, wideningOf } from './widened-statistics.ts';

/**
 * Given a node and the gradient of each of its outputs (zeros where none flows), the gradient of each input. A result
 * may have a shape that broadcasts to its input's, or the broadcast shape of all inputs: gradients.ts sets it right, so
 * that no rule speaks of broadcasting. Undefined where none flows into an input.
 * @throws NoGradient if this node cannot be differentiated; the reason
 */
type Rule<O extends Op> = (g: Tensor, node: NodeOf<O>, all: readonly Tensor[]) => readonly (Tensor | undefined)[];

/** No gradient flows: the output does not change with small changes of the input, or is no number to follow. */
export interface Stops {
  readonly stops: string;
}

/** The operator cannot be differentiated: a loss that needs it is refused. */
export interface Refuses {
  readonly refuses: string;
}

export type GradientRule<O extends Op> = Rule<O> | Stops | Refuses;

const zero = constant(0);
const one = constant(1);
const comparison: Stops = { stops: 'a comparison is true or false' };
const sizesOnly: Stops = { stops: 'sizes do not depend on the values' };

/** The result of a reduction with its axes put back as axes of size 1. */
function withAxes(g: Tensor, { axes, keepdims }: { axes: readonly number[]; keepdims: 0 | 1 }): Tensor {
  return keepdims || axes.length === 0 ? g : unsqueeze(g, { axes: [...axes].sort((a, b) => a - b) });
}

const extreme: Rule<'ReduceMax' | 'ReduceMin'> = (g, { inputs: [x], outputs: [y], attributes }) => {
  const hits = cast(equal(x!, withAxes(y!, attributes)), { to: 'float32' });
  const shared = div(withAxes(g, attributes), reduceSum(hits, { axes: attributes.axes }));
  return [mul(hits, shared)];
};

const larger =
  (firstWins: (a: Tensor, b: Tensor) => Tensor): Rule<'Max' | 'Min'> =>
  (g, { inputs: [a, b] }) => {
    const first = firstWins(a!, b!);
    return [where(first, g, zero), where(first, zero, g)];
  };

/** Densities and constants of the normal distribution. */
const normalDensity = (x: Tensor) => mul(exp(mul(mul(x, x), constant(-0.5))), constant(1 / Math.sqrt(2 * Math.PI)));
const normalBelow = (x: Tensor) => mul(add(erf(mul(x, constant(Math.SQRT1_2))), one), constant(0.5));

/** d/dx of x/2 · (1 + tanh u) with u = √(2/π) (x + 0.044715 x³). */
function tanhGeluSlope(x: Tensor): Tensor {
  const square = mul(x, x);
  const factor = constant(Math.sqrt(2 / Math.PI));
  const t = tanh(mul(mul(factor, x), add(one, mul(constant(0.044715), square))));
  const slope = mul(factor, add(one, mul(constant(3 * 0.044715), square)));
  const bend = mul(mul(x, sub(one, mul(t, t))), slope);
  return mul(constant(0.5), add(add(one, t), bend));
}

/** Statistics [C] beside a map [N,C,…]. */
const perChannel = (statistic: Tensor, { dims }: Tensor) => reshape(statistic, [1, -1, ...dims.slice(2).map(() => 1)]);

const batchNormalization: Rule<'BatchNormalization'> = (g, node) => {
  const { inputs, attributes } = node;
  const [x, scale, , mean, variance] = inputs as readonly [Tensor, Tensor, Tensor, Tensor, Tensor];
  const axes = x.dims.flatMap((_, axis) => (axis === 1 ? [] : [axis]));
  const inverse = div(one, sqrt(add(variance, constant(attributes.epsilon))));
  const slope = mul(scale, inverse);
  const own = ownStatistics(node);
  const total = reduceSum(g, { axes, keepdims: 0 });
  const widening = own && wideningOf(x);
  const centred = own?.centred ?? sub(x, perChannel(mean, x));
  const moment = widening ? momentOf(g, widening, own, total) : reduceSum(mul(g, centred), { axes, keepdims: 0 });
  const dScale = mul(moment, inverse);
  if (own) return [throughBatch(g, own, { slope, total, along: mul(dScale, inverse) }), dScale, total];
  const dVariance = mul(mul(constant(-0.5), mul(slope, mul(inverse, inverse))), moment);
  return [mul(g, perChannel(slope, x)), dScale, total, neg(mul(slope, total)), dVariance];
};

/**
 * The gradient through the mean and the variance as well, which do not pass any on: slope · (g − Σg/n − (x − mean) · Σĝ/n)
 * (https://arxiv.org/abs/1502.03167, section 3), with few passes over the maps.
 */
function throughBatch(
  g: Tensor,
  statistics: BatchStatistics,
  { slope, total, along }: { slope: Tensor; total: Tensor; along: Tensor },
): Tensor {
  const { centred, count } = statistics;
  const share = constant(1 / count);
  const channels = knownSizes([g.dims[1]!], 'the number of channels');
  const [zeros, ones] = [0, 1].map(value => constant(new Float32Array(channels[0]!).fill(value), channels));
  const away = scaleAndShift(centred, mul(along, share), mul(total, share), zeros!, ones!, { epsilon: 0 });
  return rememberNormalized(mul(sub(g, away), perChannel(slope, g)), { g, statistics, slope, total, along });
}

const layerNormalization: Rule<'LayerNormalization'> = (g, { inputs: [x, scale], attributes: { axis, epsilon } }) => {
  const axes = x!.dims.flatMap((_, i) => (i < axis ? [] : [i]));
  const centred = sub(x!, reduceMean(x!, { axes }));
  const inverse = div(one, sqrt(add(reduceMean(mul(centred, centred), { axes }), constant(epsilon))));
  const normal = mul(centred, inverse);
  const scaled = mul(g, scale!);
  const mean = reduceMean(scaled, { axes });
  const along = mul(normal, reduceMean(mul(scaled, normal), { axes }));
  return [mul(inverse, sub(sub(scaled, mean), along)), mul(g, normal), g];
};

const matrixProduct: Rule<'MatMul'> = (g, { inputs: [a, b] }) => {
  const left = a!.dims.length === 1 ? unsqueeze(a!, { axes: [0] }) : a!;
  const right = b!.dims.length === 1 ? unsqueeze(b!, { axes: [1] }) : b!;
  const rows = a!.dims.length === 1 ? unsqueeze(g, { axes: [b!.dims.length === 1 ? 0 : -2] }) : g;
  const full = b!.dims.length === 1 ? unsqueeze(rows, { axes: [-1] }) : rows;
  const dLeft = matmul(full, turned(right));
  const dRight = matmul(turned(left), full);
  return [
    a!.dims.length === 1 ? squeeze(dLeft, { axes: [-2] }) : dLeft,
    b!.dims.length === 1 ? squeeze(dRight, { axes: [-1] }) : dRight,
  ];
};

/** A factor that was only repeated before a product need not be: the other factor repeats it. */
function unrepeated(g: Tensor, { dims }: Tensor): Tensor {
  const repeated = g.kind === 'node' && g.node.op === 'Expand' && g.dims.join() === dims.join();
  return repeated ? g.node.inputs[0]! : g;
}

const product: Rule<'Mul'> = (g, { inputs: [a, b] }) => {
  const [left, right] = [unrepeated(g, b!), unrepeated(g, a!)];
  return a === b ? [mul(add(left, left), a!)] : [mul(left, b!), mul(right, a!)];
};

/** The last two axes exchanged. */
function turned(x: Tensor): Tensor {
  const rank = x.dims.length;
  return transpose(x, { perm: [...x.dims.keys()].map(i => (i < rank - 2 ? i : 2 * rank - 3 - i)) });
}

const generalProduct: Rule<'Gemm'> = (g, { inputs: [a, b], attributes: { alpha, beta, transA, transB } }) => {
  const flipped = (flag: 0 | 1) => (flag ? 0 : 1);
  const dA = transA
    ? gemm(b!, g, undefined, { alpha, transA: transB, transB: 1 })
    : gemm(g, b!, undefined, { alpha, transB: flipped(transB) });
  const dB = transB
    ? gemm(g, a!, undefined, { alpha, transA: 1, transB: transA })
    : gemm(a!, g, undefined, { alpha, transA: flipped(transA) });
  return [dA, dB, beta === 1 ? g : mul(g, constant(beta))];
};

const convolution: Rule<'Conv'> = (gradient, { inputs: [x, w], outputs: [y], attributes }) => {
  const widened = throughWidening(gradient, y!);
  if (widened) return widened;
  const { g, slope } = withoutSlope(gradient, w!);
  const along = slope && reshape(slope, [-1, ...w!.dims.slice(1).map(() => 1)]);
  const scaled = along ? mul(w!, along) : w!;
  const dW = kernelGradient({ x: x!, w: w!, g, settings: attributes });
  const dX = inputGradient({ x: x!, w: scaled, g, settings: attributes });
  return [dX, along ? mul(dW, along) : dW, biasGradient(gradient)];
};

/**
 * A factor per channel of a gradient, as normalisation gives it: on the kernel, which takes it twice, it costs no pass over
 * the map, unless the map is the smaller of them.
 */
function withoutSlope(g: Tensor, w: Tensor): { g: Tensor; slope?: Tensor } {
  if (g.kind !== 'node' || g.node.op !== 'Mul') return { g };
  const [map, kernel] = [g, w].map(({ dims }) => elementCount(dims));
  if (typeof map === 'number' && typeof kernel === 'number' && map < 2 * kernel) return { g };
  const [inner, slope] = g.node.inputs as readonly [Tensor, Tensor];
  const perChannel = slope.dims.every((dim, axis) => dim === (axis === 1 ? g.dims[1] : 1));
  return perChannel && slope.dims.length === g.dims.length && `${inner.dims}` === `${g.dims}`
    ? { g: inner, slope }
    : { g };
}

/** y = ConvTranspose(x, w) is how Conv sends x back as a gradient: the roles of x and g are exchanged. */
const transposedConvolution: Rule<'ConvTranspose'> = (g, { inputs: [x, w], attributes }) => {
  const { strides, pads, dilations, group } = attributes;
  const settings = { strides, pads, dilations, group };
  return [conv(g, w!, undefined, settings), kernelGradient({ x: g, w: w!, g: x!, settings }), biasGradient(g)];
};

/** Nothing flows at the bounds themselves, as PyTorch's relu6 has it: so the input need not be kept beside the output. */
const clipped: Rule<'Clip'> = (g, { outputs: [y], attributes: { min, max } }) => {
  const above = min === undefined ? [] : [greater(y!, constant(min))];
  const below = max === undefined ? [] : [less(y!, constant(max))];
  const [inside, ...rest] = [...above, ...below];
  // Never neither: so both is the same as alike.
  return [inside ? where(rest[0] ? equal(inside, rest[0]) : inside, g, zero) : g];
};

const pieces: Rule<'Concat'> = (g, { inputs, attributes: { axis } }) => {
  const sizes = knownSizes(
    inputs.map(input => input.dims[axis]!),
    'the sizes of the joined axis',
  );
  return split(g, { axis, split: sizes });
};

const reshaped: Rule<'Reshape' | 'Squeeze' | 'Unsqueeze'> = (g, { inputs: [x] }) => [reshape(g, sizesOf(x!))];

/** Total: an operator without a rule does not compile. */
export const gradientRules: { readonly [O in Op]: GradientRule<O> } = {
  // elementwise
  Add: g => [g, g],
  Sub: g => [g, neg(g)],
  Mul: product,
  Div: (g, { inputs: [, b], outputs: [y] }) => [div(g, b!), neg(div(mul(g, y!), b!))],
  Pow: (g, { inputs: [a, b], outputs: [y] }) => [mul(g, mul(b!, pow(a!, sub(b!, one)))), mul(g, mul(y!, log(a!)))],
  Max: larger((a, b) => greaterOrEqual(a, b)),
  Min: larger((a, b) => greaterOrEqual(b, a)),
  Equal: comparison,
  Greater: comparison,
  GreaterOrEqual: comparison,
  Less: comparison,
  // At 0, where the slope has no end, 0 as for relu: else a spread of 0 would make no number of every weight below it.
  Sqrt: (g, { outputs: [y] }) => [where(greater(y!, zero), div(g, max(add(y!, y!), constant(1e-30))), zero)],
  Exp: (g, { outputs: [y] }) => [mul(unrepeated(g, y!), y!)],
  Log: (g, { inputs: [x] }) => [div(g, x!)],
  Abs: (g, { inputs: [x] }) => [where(greater(x!, zero), g, where(less(x!, zero), neg(g), zero))],
  Neg: g => [neg(g)],
  Relu: (g, { outputs: [y] }) => [where(greater(y!, zero), g, zero)],
  Sigmoid: (g, { outputs: [y] }) => [mul(g, mul(y!, sub(one, y!)))],
  Tanh: (g, { outputs: [y] }) => [mul(g, sub(one, mul(y!, y!)))],
  Erf: (g, { inputs: [x] }) => [mul(g, mul(constant(2 / Math.sqrt(Math.PI)), exp(neg(mul(x!, x!)))))],
  Gelu: (g, { inputs: [x], attributes: { approximate } }) => [
    mul(g, approximate === 'tanh' ? tanhGeluSlope(x!) : add(normalBelow(x!), mul(x!, normalDensity(x!)))),
  ],
  HardSigmoid: (g, { outputs: [y], attributes: { alpha } }) => [
    where(greater(mul(y!, sub(one, y!)), zero), mul(g, constant(alpha)), zero),
  ],
  HardSwish: (g, { inputs: [x] }) => {
    const slope = add(div(x!, constant(3)), constant(0.5));
    const inner = where(greater(x!, constant(-3)), mul(g, slope), zero);
    return [where(less(x!, constant(3)), inner, g)];
  },
  Not: comparison,
  Identity: g => [g],
  Clip: clipped,
  Cast: (g, { inputs: [x] }) => {
    if (x!.type === 'float32') return [g];
    if (x!.type.includes('float')) throw new NoGradient(`it starts from ${x!.type}; only float32 is trained`);
    return [undefined];
  },
  Where: (g, { inputs: [condition] }) => [undefined, where(condition!, g, zero), where(condition!, zero, g)],
  BatchNormalization: batchNormalization,
  LayerNormalization: layerNormalization,
  Softmax: (g, { outputs: [y], attributes: { axis } }) => [mul(y!, sub(g, reduceSum(mul(g, y!), { axes: [axis] })))],
  LogSoftmax: (g, { outputs: [y], attributes: { axis } }) => [sub(g, mul(exp(y!), reduceSum(g, { axes: [axis] })))],
  // reduction
  ReduceSum: (g, { attributes }) => [withAxes(g, attributes)],
  ReduceMean: (g, { inputs: [x], attributes }) => [div(withAxes(g, attributes), countAlong(x!, attributes.axes))],
  ReduceMax: extreme,
  ReduceMin: extreme,
  ReduceL2: (g, { inputs: [x], outputs: [y], attributes }) => [
    mul(x!, div(withAxes(g, attributes), max(withAxes(y!, attributes), constant(1e-30)))),
  ],
  ArgMax: { stops: 'an index does not change with small changes of the values' },
  TopK: (g, { inputs: [x], outputs: [, indices], attributes: { axis } }) => [
    scatterElements(zerosLike(x!), indices!, g, { axis }),
  ],
  // movement
  Reshape: reshaped,
  Transpose: (g, { attributes: { perm } }) => [transpose(g, { perm: perm.map((_, i) => perm.indexOf(i)) })],
  Concat: pieces,
  Split: (_g, { attributes: { axis } }, all) => [concat(all, { axis })],
  Slice: (g, { inputs: [x], attributes }) => [sliceGradient(x!, g, attributes)],
  Gather: (g, { inputs: [x, indices], attributes: { axis } }) => [gatherGradient(x!, indices!, g, axis)],
  GatherElements: (g, { inputs: [x, indices], attributes: { axis } }) => [
    scatterElements(zerosLike(x!), indices!, g, { axis, reduction: 'add' }),
  ],
  ScatterElements: { refuses: 'it is only made by gradients, and gradients of gradients are not taken' },
  Shape: sizesOnly,
  Unsqueeze: reshaped,
  Squeeze: reshaped,
  Expand: g => [g, undefined],
  Pad: (g, { inputs: [x], attributes }) => [padGradient(x!, g, attributes)],
  Resize: (g, { inputs: [x], outputs: [y], attributes }) => [resizeGradient(x!, y!, g, attributes)],
  ConstantOfShape: sizesOnly,
  Range: { stops: 'the number of its elements depends on its inputs' },
  // product
  MatMul: matrixProduct,
  Gemm: generalProduct,
  Conv: convolution,
  ConvTranspose: transposedConvolution,
  AveragePool: (g, { inputs: [x], outputs: [y], attributes }) => [averagePoolGradient(x!, y!, g, attributes)],
  MaxPool: (g, { inputs: [x], outputs: [, places] }) => [maxPoolGradient(x!, places!, g)],
  GlobalAveragePool: (g, { inputs: [x] }) => [div(g, countAlong(x!, [...x!.dims.keys()].slice(2)))],
  Imported: { refuses: 'it is an operator of the model that has no gradient here' },
};
