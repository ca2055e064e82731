/** Every operator, with its ONNX name and attributes, and one function each: elementwise, reduction, movement, product. A table, hence long. */
import type { AttributeProto } from './onnx.ts';
import { shapesOf } from './shapes.ts';
import {
  type ConstantTensor,
  constant,
  type Dim,
  type ElementType,
  integers,
  makeNode,
  type NodeTensor,
  type Tensor,
  type TensorShape,
} from './tensor.ts';

type None = Record<never, never>;
type Ints = readonly number[];
type Reduction = { axes: Ints; keepdims: 0 | 1 };
type Windows = { strides: Ints; pads: Ints };
type Pooling = Windows & { kernel_shape: Ints; dilations: Ints; ceil_mode: 0 | 1 };

/**
 * Operators of opset 21 with their attributes, all of them given: functions below fill in ONNX's defaults and make axes
 * non-negative. Settings that ONNX passes as inputs (axes, pads, starts, …) are attributes here; model.ts writes them
 * as inputs. A line added here makes the compiler ask for its rules.
 */
export interface Attributes {
  // elementwise
  Add: None;
  Sub: None;
  Mul: None;
  Div: None;
  Pow: None;
  Max: None;
  Min: None;
  Equal: None;
  Greater: None;
  GreaterOrEqual: None;
  Less: None;
  Sqrt: None;
  Exp: None;
  Log: None;
  Abs: None;
  Neg: None;
  Relu: None;
  Sigmoid: None;
  Tanh: None;
  Erf: None;
  Gelu: { approximate: 'none' | 'tanh' };
  HardSigmoid: { alpha: number; beta: number };
  HardSwish: None;
  Not: None;
  Identity: None;
  /** No bound where it is undefined. */
  Clip: { min: number | undefined; max: number | undefined };
  Cast: { to: ElementType };
  Where: None;
  BatchNormalization: { epsilon: number };
  /** Over all axes from `axis` on. */
  LayerNormalization: { axis: number; epsilon: number };
  Softmax: { axis: number };
  LogSoftmax: { axis: number };
  // reduction
  ReduceSum: Reduction;
  ReduceMean: Reduction;
  ReduceMax: Reduction;
  ReduceMin: Reduction;
  ReduceL2: Reduction;
  ArgMax: { axis: number; keepdims: 0 | 1 };
  TopK: { k: number; axis: number; largest: 0 | 1 };
  // movement
  Reshape: None;
  Transpose: { perm: Ints };
  Concat: { axis: number };
  Split: { axis: number; split: Ints };
  Slice: { starts: Ints; ends: Ints; axes: Ints; steps: Ints };
  Gather: { axis: number };
  GatherElements: { axis: number };
  ScatterElements: { axis: number; reduction: 'none' | 'add' };
  Shape: None;
  Unsqueeze: { axes: Ints };
  Squeeze: { axes: Ints };
  Expand: None;
  Pad: { pads: Ints; mode: 'constant' | 'reflect' | 'edge'; value: number };
  Resize: {
    /** One factor per axis; undefined where the sizes are given by a second input. */
    scales: Ints | undefined;
    mode: 'nearest' | 'linear' | 'cubic';
    coordinate_transformation_mode: 'half_pixel' | 'pytorch_half_pixel' | 'align_corners' | 'asymmetric';
    nearest_mode: 'round_prefer_floor' | 'round_prefer_ceil' | 'floor' | 'ceil';
    antialias: 0 | 1;
  };
  /** The value to repeat, a tensor of one element. */
  ConstantOfShape: { value: ConstantTensor };
  Range: None;
  // product
  MatMul: None;
  Gemm: { alpha: number; beta: number; transA: 0 | 1; transB: 0 | 1 };
  Conv: Windows & { dilations: Ints; group: number };
  ConvTranspose: Windows & { dilations: Ints; group: number; output_padding: Ints };
  AveragePool: Pooling & { count_include_pad: 0 | 1 };
  MaxPool: Pooling;
  GlobalAveragePool: None;
  /** A node of a foreign model that none of the rows above describes; see import.ts. */
  Imported: ImportedAttributes;
}

export interface ImportedAttributes {
  readonly opType: string;
  readonly domain: string;
  /** Version of that domain's operator set. */
  readonly version: number;
  readonly attribute: readonly AttributeProto[];
  /** The ONNX input positions that the node's first inputs take; positions between are left out ('' in the file). */
  readonly positions: readonly number[];
  /** Names by which its subgraphs read the inputs that come after those. */
  readonly captures: readonly string[];
  /** Outputs, in order; undefined for one that the node leaves out. */
  readonly outputs: readonly (TensorShape | undefined)[];
}

export type Op = keyof Attributes;

/** One application of an operator, its shapes checked. @throws ShapeError showing the shapes of all inputs */
export function applyOp<O extends Op>(
  op: O,
  inputs: readonly Tensor[],
  attributes: Attributes[O],
): readonly NodeTensor[] {
  return makeNode(op, inputs, attributes, shapesOf(op, inputs, attributes));
}

const first = <O extends Op>(op: O, inputs: readonly Tensor[], attributes: Attributes[O]) =>
  applyOp(op, inputs, attributes)[0]!;

type OpsWithout<A> = { [O in Op]: Attributes[O] extends A ? (A extends Attributes[O] ? O : never) : never }[Op];
const unary = (op: OpsWithout<None>) => (x: Tensor) => first(op, [x], {});
const binary = (op: OpsWithout<None>) => (a: Tensor, b: Tensor) => first(op, [a, b], {});

const positive = (axis: number, { dims }: { dims: readonly Dim[] }) => (axis < 0 ? axis + dims.length : axis);
const repeated = (value: number, count: number): Ints => new Array<number>(count).fill(value);

// Elementwise: shapes broadcast as in NumPy, element types must agree.

export const add = binary('Add');
export const sub = binary('Sub');
export const mul = binary('Mul');
export const div = binary('Div');
export const pow = binary('Pow');
export const max = binary('Max');
export const min = binary('Min');
export const equal = binary('Equal');
export const greater = binary('Greater');
export const greaterOrEqual = binary('GreaterOrEqual');
export const less = binary('Less');
export const sqrt = unary('Sqrt');
export const exp = unary('Exp');
export const log = unary('Log');
export const abs = unary('Abs');
export const neg = unary('Neg');
export const relu = unary('Relu');
export const sigmoid = unary('Sigmoid');
export const tanh = unary('Tanh');
export const erf = unary('Erf');
export const hardSwish = unary('HardSwish');
export const not = unary('Not');
export const identity = unary('Identity');

/** x · Φ(x), with the normal distribution Φ or its approximation by tanh. */
export const gelu = (x: Tensor, { approximate = 'none' }: { approximate?: 'none' | 'tanh' } = {}) =>
  first('Gelu', [x], { approximate });

/** alpha · x + beta, held between 0 and 1. */
export const hardSigmoid = (x: Tensor, { alpha = 0.2, beta = 0.5 }: { alpha?: number; beta?: number } = {}) =>
  first('HardSigmoid', [x], { alpha, beta });

/** Values below `min` become `min`, above `max` become `max`. */
export const clip = (x: Tensor, { min, max }: { min?: number; max?: number }) => first('Clip', [x], { min, max });

export const cast = (x: Tensor, { to }: { to: ElementType }) => first('Cast', [x], { to });

/** `condition ? a : b`, element by element. */
export const where = (condition: Tensor, a: Tensor, b: Tensor) => first('Where', [condition, a, b], {});

/** (x − mean) / √(variance + epsilon) · scale + bias per channel (axis 1), with stored statistics. */
export const batchNormalization = (
  x: Tensor,
  scale: Tensor,
  bias: Tensor,
  mean: Tensor,
  variance: Tensor,
  { epsilon = 1e-5 }: { epsilon?: number } = {},
) => first('BatchNormalization', [x, scale, bias, mean, variance], { epsilon });

/** (x − mean) / √(variance + epsilon) · scale + bias, with mean and variance over the axes from `axis` on. */
export const layerNormalization = (
  x: Tensor,
  scale: Tensor,
  bias?: Tensor,
  { axis = -1, epsilon = 1e-5 }: { axis?: number; epsilon?: number } = {},
) => first('LayerNormalization', bias ? [x, scale, bias] : [x, scale], { axis: positive(axis, x), epsilon });

export const softmax = (x: Tensor, { axis = -1 }: { axis?: number } = {}) =>
  first('Softmax', [x], { axis: positive(axis, x) });

export const logSoftmax = (x: Tensor, { axis = -1 }: { axis?: number } = {}) =>
  first('LogSoftmax', [x], { axis: positive(axis, x) });

// Reduction: over all axes where none are named; reduced axes stay with size 1 unless keepdims is 0.

const reduction =
  (op: 'ReduceSum' | 'ReduceMean' | 'ReduceMax' | 'ReduceMin' | 'ReduceL2') =>
  (x: Tensor, { axes = x.dims.map((_, i) => i), keepdims = 1 }: Partial<Reduction> = {}) =>
    first(op, [x], { axes: axes.map(axis => positive(axis, x)), keepdims });

export const reduceSum = reduction('ReduceSum');
export const reduceMean = reduction('ReduceMean');
export const reduceMax = reduction('ReduceMax');
export const reduceMin = reduction('ReduceMin');
export const reduceL2 = reduction('ReduceL2');

/** Index (int64) of the largest element, the first of equals. */
export const argMax = (x: Tensor, { axis = 0, keepdims = 1 }: { axis?: number; keepdims?: 0 | 1 } = {}) =>
  first('ArgMax', [x], { axis: positive(axis, x), keepdims });

/** The k largest (or smallest) elements in order, and their indices (int64). */
export function topK(
  x: Tensor,
  k: number,
  { axis = -1, largest = 1 }: { axis?: number; largest?: 0 | 1 } = {},
): [values: NodeTensor, indices: NodeTensor] {
  const [values, indices] = applyOp('TopK', [x], { k, axis: positive(axis, x), largest });
  return [values!, indices!];
}

// Movement.

/** @param dims 0 keeps the size at its place, one −1 takes what is left; or an int64 tensor. */
export const reshape = (x: Tensor, dims: Ints | Tensor) =>
  first('Reshape', [x, 'kind' in dims ? dims : integers(dims)], {});

/** Output axis i is input axis perm[i]; by default the axes are reversed. */
export const transpose = (x: Tensor, { perm = x.dims.map((_, i) => i).reverse() }: { perm?: Ints } = {}) =>
  first('Transpose', [x], { perm });

export const concat = (xs: readonly [Tensor, ...Tensor[]] | readonly Tensor[], { axis }: { axis: number }) =>
  first('Concat', xs, { axis: xs[0] ? positive(axis, xs[0]) : axis });

/** Cuts an axis into pieces of the given sizes. */
export const split = (x: Tensor, { axis = 0, split }: { axis?: number; split: Ints }) =>
  applyOp('Split', [x], { axis: positive(axis, x), split });

/** As Python's x[start:end:step] per axis; negative positions count from the end. */
export const slice = (
  x: Tensor,
  {
    starts,
    ends,
    axes = starts.map((_, i) => i),
    steps = repeated(1, starts.length),
  }: { starts: Ints; ends: Ints; axes?: Ints; steps?: Ints },
) => first('Slice', [x], { starts, ends, axes: axes.map(axis => positive(axis, x)), steps });

/** x[indices] along an axis; negative indices count from the end. */
export const gather = (x: Tensor, indices: Tensor, { axis = 0 }: { axis?: number } = {}) =>
  first('Gather', [x, indices], { axis: positive(axis, x) });

/** What stands along an axis of x where `indices` (int64, of the rank of x) point, in their shape. */
export const gatherElements = (x: Tensor, indices: Tensor, { axis = 0 }: { axis?: number } = {}) =>
  first('GatherElements', [x, indices], { axis: positive(axis, x) });

/** x with `updates` put (or added) where `indices` (int64, the shape of `updates`) point along an axis. */
export const scatterElements = (
  x: Tensor,
  indices: Tensor,
  updates: Tensor,
  { axis = 0, reduction = 'none' }: { axis?: number; reduction?: 'none' | 'add' } = {},
) => first('ScatterElements', [x, indices, updates], { axis: positive(axis, x), reduction });

/** The sizes of x, an int64 tensor [rank]. */
export const shape = unary('Shape');

/** New axes of size 1, at these places of the output. */
export const unsqueeze = (x: Tensor, { axes }: { axes: Ints }) =>
  first('Unsqueeze', [x], { axes: axes.map(axis => (axis < 0 ? axis + x.dims.length + axes.length : axis)) });

/** Drops axes of size 1. */
export const squeeze = (x: Tensor, { axes }: { axes: Ints }) =>
  first('Squeeze', [x], { axes: axes.map(axis => positive(axis, x)) });

/** Repeats x to the broadcast of its shape and `dims` (int64). */
export const expand = (x: Tensor, dims: Tensor) => first('Expand', [x, dims], {});

/** @param pads all begins, then all ends */
export const pad = (x: Tensor, { pads, mode = 'constant', value = 0 }: { pads: Ints } & Partial<Attributes['Pad']>) =>
  first('Pad', [x], { pads, mode, value });

/** Changes sizes by interpolation: by a factor per axis, or to sizes (int64) for all axes. */
export function resize(
  x: Tensor,
  target: { scales: Ints } | { sizes: Tensor },
  {
    mode = 'nearest',
    coordinate_transformation_mode = 'half_pixel',
    nearest_mode = 'round_prefer_floor',
    antialias = 0,
  }: Partial<Omit<Attributes['Resize'], 'scales'>> = {},
): NodeTensor {
  const how = { mode, coordinate_transformation_mode, nearest_mode, antialias };
  return 'scales' in target
    ? first('Resize', [x], { scales: target.scales, ...how })
    : first('Resize', [x, target.sizes], { scales: undefined, ...how });
}

/** A tensor of one repeated value; `dims` is int64, `value` has one element. */
export const constantOfShape = (
  dims: Tensor,
  { value = constant(Float32Array.of(0)) }: { value?: ConstantTensor } = {},
) => first('ConstantOfShape', [dims], { value });

/** start, start + delta, … below limit; scalars of one type. */
export const range = (start: Tensor, limit: Tensor, delta: Tensor) => first('Range', [start, limit, delta], {});

// Product.

/** Matrix product of the last two axes; the axes before them broadcast. */
export const matmul = (a: Tensor, b: Tensor) => first('MatMul', [a, b], {});

/** alpha · A′ B′ + beta · C, where ′ transposes if asked. */
export const gemm = (
  a: Tensor,
  b: Tensor,
  c?: Tensor,
  { alpha = 1, beta = 1, transA = 0, transB = 0 }: Partial<Attributes['Gemm']> = {},
) => first('Gemm', c ? [a, b, c] : [a, b], { alpha, beta, transA, transB });

/** Spatial axes of an N×C×… tensor. */
const spatial = (x: Tensor) => Math.max(0, x.dims.length - 2);

const windows = (rank: number, { strides, pads }: Partial<Windows>): Windows => ({
  strides: strides ?? repeated(1, rank),
  pads: pads ?? repeated(0, 2 * rank),
});

/** Convolution of x [N,C,…] with w [M,C/group,…] and a bias [M]. */
export function conv(
  x: Tensor,
  w: Tensor,
  b?: Tensor,
  { dilations = repeated(1, spatial(x)), group = 1, ...rest }: Partial<Attributes['Conv']> = {},
): NodeTensor {
  return first('Conv', b ? [x, w, b] : [x, w], { ...windows(spatial(x), rest), dilations, group });
}

/** Transposed convolution of x [N,C,…] with w [C,M/group,…] and a bias [M]. */
export function convTranspose(
  x: Tensor,
  w: Tensor,
  b?: Tensor,
  {
    dilations = repeated(1, spatial(x)),
    group = 1,
    output_padding = repeated(0, spatial(x)),
    ...rest
  }: Partial<Attributes['ConvTranspose']> = {},
): NodeTensor {
  const attributes = { ...windows(spatial(x), rest), dilations, group, output_padding };
  return first('ConvTranspose', b ? [x, w, b] : [x, w], attributes);
}

const pooling = (x: Tensor, { kernel_shape, dilations, ceil_mode = 0, ...rest }: PoolingOptions): Pooling => ({
  ...windows(spatial(x), rest),
  kernel_shape,
  dilations: dilations ?? repeated(1, spatial(x)),
  ceil_mode,
});

type PoolingOptions = Pick<Pooling, 'kernel_shape'> & Partial<Pooling>;

export const averagePool = (
  x: Tensor,
  { count_include_pad = 0, ...rest }: PoolingOptions & { count_include_pad?: 0 | 1 },
) => first('AveragePool', [x], { ...pooling(x, rest), count_include_pad });

/** The largest of each window; the node's second output tells where in x it stood, for the gradient. */
export const maxPool = (x: Tensor, options: PoolingOptions) => first('MaxPool', [x], pooling(x, options));

/** Mean over all spatial axes: [N,C,1,1]. */
export const globalAveragePool = unary('GlobalAveragePool');
