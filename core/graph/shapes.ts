/** One shape rule per operator: element type and dims of the outputs, or why the inputs do not fit. A table, hence long. */
import {
  ceilDivided,
  type Dim,
  dividedEvenly,
  elementCount,
  floorDivided,
  formatDims,
  merged,
  minus,
  plus,
  smaller,
  times,
} from './dims.ts';
import { knownValues } from './known-values.ts';
import type { Attributes, Op } from './ops.ts';
import { type ElementType, freshDim, type Tensor, type TensorShape, unknownDims } from './tensor.ts';

/** An operator was applied to shapes or types it does not take. */
export class ShapeError extends Error {
  override name = 'ShapeError';
}

type ShapeRule<O extends Op> = (inputs: readonly Tensor[], attributes: Attributes[O]) => readonly TensorShape[];

/** Why an operator refuses; `shapesOf` puts the operator and its inputs in front. */
function refuse(reason: string): never {
  throw new ShapeError(reason);
}

const check = (condition: boolean, reason: string) => {
  if (!condition) refuse(reason);
};

/** The dims of a tensor of which at least the rank is known. */
function ranked({ dims }: Tensor): readonly Dim[] {
  return dims === unknownDims ? refuse('an input of unknown rank') : dims;
}

const same = (a: Dim, b: Dim, what: string): Dim => merged(a, b) ?? refuse(`${what} differ`);

function broadcast(a: readonly Dim[], b: readonly Dim[]): Dim[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const left = a[i - rank + a.length] ?? 1;
    const right = b[i - rank + b.length] ?? 1;
    if (left === 1) return right;
    return right === 1 ? left : same(left, right, 'sizes');
  });
}

function broadcastAll(inputs: readonly Tensor[]): Dim[] {
  return inputs.map(ranked).reduce<Dim[]>((dims, next) => broadcast(dims, next), []);
}

function oneType(inputs: readonly Tensor[]): ElementType {
  const [{ type } = refuse('no inputs')] = inputs;
  check(
    inputs.every(input => input.type === type),
    'element types differ',
  );
  return type;
}

const broadcasting: ShapeRule<Op> = inputs => [{ type: oneType(inputs), dims: broadcastAll(inputs) }];
const comparing: ShapeRule<Op> = inputs => {
  oneType(inputs);
  return [{ type: 'bool', dims: broadcastAll(inputs) }];
};
const unchanged: ShapeRule<Op> = ([x]) => [{ type: x!.type, dims: x!.dims }];

const checkAxis = (axis: number, dims: readonly Dim[]) =>
  check(Number.isInteger(axis) && axis >= 0 && axis < dims.length, `axis ${axis} is out of range`);

const alongAxis: ShapeRule<'Softmax' | 'LogSoftmax'> = ([x], { axis }) => {
  checkAxis(axis, ranked(x!));
  return [{ type: x!.type, dims: x!.dims }];
};

function withoutAxes(dims: readonly Dim[], axes: readonly number[], keepdims: 0 | 1): Dim[] {
  for (const axis of axes) checkAxis(axis, dims);
  return dims.flatMap((dim, i) => (axes.includes(i) ? (keepdims ? [1] : []) : [dim]));
}

const reducing: ShapeRule<'ReduceSum' | 'ReduceMean' | 'ReduceMax' | 'ReduceMin' | 'ReduceL2'> = (
  [x],
  { axes, keepdims },
) => [{ type: x!.type, dims: withoutAxes(ranked(x!), axes, keepdims) }];

/** One size of a reshape to −1: what is left of the elements. */
function leftOver(dims: readonly Dim[], others: readonly Dim[]): Dim {
  const above = elementCount(dims);
  const below = elementCount(others);
  if (typeof above === 'number' && typeof below === 'number')
    check(above % below === 0, `${above} elements do not fill ${formatDims([...others, -1])}`);
  return dividedEvenly(above, below) ?? `(${above})/(${below})`;
}

function reshaped(dims: readonly Dim[], target: readonly Dim[]): Dim[] {
  const wanted = target.map((dim, i) => (dim === 0 ? (dims[i] ?? refuse(`nothing to keep at place ${i}`)) : dim));
  const others = wanted.filter(dim => dim !== -1);
  if (others.length < wanted.length - 1) refuse('more than one -1');
  const result = wanted.map(dim => (dim === -1 ? leftOver(dims, others) : dim));
  if (merged(elementCount(dims), elementCount(result)) === undefined)
    refuse(`${elementCount(dims)} elements do not fill ${formatDims(result)}`);
  return result;
}

/** The dims that a tensor of sizes holds; fresh ones where they are known only when the graph runs. */
function dimsFrom(sizes: Tensor): Dim[] {
  const known = knownValues(sizes);
  if (known) return [...known];
  const [rank] = ranked(sizes);
  check(sizes.dims.length === 1 && typeof rank === 'number', 'the rank of the new shape is not known');
  return Array.from({ length: rank as number }, freshDim);
}

/** Positions beyond this mean "to the end", whatever the size. */
const farAway = 2 ** 30;

/** Where position `at` lies in an axis, counted from the front and held inside [lowest, highest]. */
function held(at: number, dim: Dim, lowest: number, highest: Dim): Dim {
  if (typeof dim === 'number') return Math.min(Math.max(at < 0 ? at + dim : at, lowest), Number(highest));
  if (at < -farAway) return lowest;
  if (at > farAway) return highest;
  return at < 0 ? plus(dim, at) : at;
}

/**
 * Number of elements of dim[start:end:step], as in Python but for a start in front of everything and a negative step,
 * which ONNX takes for 0. An axis of unknown size is taken to be long enough for the
 * start and for positions counted from its end.
 */
function sliced(dim: Dim, start: number, end: number, step: number): Dim {
  check(step !== 0, 'a step is 0');
  if (step < 0) {
    const last = plus(dim, -1);
    return atLeastZero(ceilDivided(minus(held(start, dim, 0, last), held(end, dim, -1, last)), -step));
  }
  const to = held(end, dim, 0, dim);
  const inside = typeof dim === 'string' && typeof to === 'number' && to > 0 ? smaller(dim, to) : to;
  return atLeastZero(ceilDivided(minus(inside, held(start, dim, 0, dim)), step));
}

const atLeastZero = (dim: Dim) => (typeof dim === 'number' ? Math.max(0, dim) : dim);

interface WindowAttributes {
  strides: readonly number[];
  pads: readonly number[];
  dilations: readonly number[];
}

function checkWindows({ strides, pads, dilations }: WindowAttributes, rank: number): void {
  check(strides.length === rank && dilations.length === rank, `strides or dilations are not ${rank} numbers`);
  check(pads.length === 2 * rank, `pads are not ${2 * rank} numbers`);
}

/** Sizes after sliding a window: ⌊(in + pads − extent) / stride⌋ + 1 (https://onnx.ai/onnx/operators/onnx__Conv.html). */
function slidden(
  spatial: readonly Dim[],
  kernel: readonly Dim[],
  attributes: WindowAttributes & { ceil_mode?: 0 | 1 },
): Dim[] {
  const { strides, pads, dilations, ceil_mode } = attributes;
  checkWindows(attributes, spatial.length);
  check(kernel.length === spatial.length, 'the kernel has another rank');
  return spatial.map((size, i) => {
    const extent = plus(times(plus(kernel[i]!, -1), dilations[i]!), 1);
    const stride = strides[i]!;
    const room = minus(plus(size, pads[i]! + pads[i + spatial.length]!), extent);
    check(typeof room === 'string' || room >= 0, 'the window is larger than the padded image');
    if (!ceil_mode) return floorDivided(plus(room, stride), stride);
    // A last window that would start behind the image, in its padding, is left out.
    const count = plus(ceilDivided(room, stride), 1);
    const certain = typeof extent === 'number' && pads[i + spatial.length]! + stride <= extent;
    return certain ? count : smaller(count, ceilDivided(plus(size, pads[i]!), stride));
  });
}

const pooled: (inputs: readonly Tensor[], attributes: Attributes['MaxPool']) => TensorShape[] = ([x], attributes) => {
  const [n, c, ...spatial] = ranked(x!);
  check(n !== undefined && c !== undefined, 'the input has no channels');
  return [{ type: x!.type, dims: [n!, c!, ...slidden(spatial, attributes.kernel_shape, attributes)] }];
};

function convolved(inputs: readonly Tensor[], attributes: Attributes['Conv']): TensorShape[] {
  const [x, w, b] = inputs;
  const [n, c, ...spatial] = ranked(x!);
  const [m, depth, ...kernel] = ranked(w!);
  check(c !== undefined && depth !== undefined, 'the input has no channels');
  same(c!, times(depth!, attributes.group), 'channels');
  if (b) same(b.dims[0] ?? refuse('the bias is a scalar'), m!, 'bias and output channels');
  return [{ type: oneType(inputs), dims: [n!, m!, ...slidden(spatial, kernel, attributes)] }];
}

function spreadOut(inputs: readonly Tensor[], attributes: Attributes['ConvTranspose']): TensorShape[] {
  const [x, w] = inputs;
  const [n, c, ...spatial] = ranked(x!);
  const [depth, m, ...kernel] = ranked(w!);
  const { strides, pads, dilations, group, output_padding } = attributes;
  checkWindows(attributes, spatial.length);
  same(c!, depth!, 'channels');
  const sizes = spatial.map((size, i) => {
    const reach = plus(times(plus(size, -1), strides[i]!), output_padding[i]!);
    const extent = plus(times(plus(kernel[i]!, -1), dilations[i]!), 1);
    return minus(plus(reach, extent), pads[i]! + pads[i + spatial.length]!);
  });
  return [{ type: oneType(inputs), dims: [n!, times(m!, group), ...sizes] }];
}

function multiplied(inputs: readonly Tensor[]): TensorShape[] {
  const [a, b] = inputs.map(ranked) as [readonly Dim[], readonly Dim[]];
  check(a.length > 0 && b.length > 0, 'a scalar');
  const left = a.length === 1 ? [1, ...a] : a;
  const right = b.length === 1 ? [...b, 1] : b;
  same(left.at(-1)!, right.at(-2)!, 'inner sizes');
  const batch = broadcast(left.slice(0, -2), right.slice(0, -2));
  const rows = a.length === 1 ? [] : [left.at(-2)!];
  const columns = b.length === 1 ? [] : [right.at(-1)!];
  return [{ type: oneType(inputs), dims: [...batch, ...rows, ...columns] }];
}

function scaled(size: Dim, scale: number): Dim {
  if (typeof size === 'number') return Math.floor(size * scale);
  if (Number.isInteger(scale)) return times(size, scale);
  const divisor = Math.round(1 / scale);
  return Math.abs(divisor * scale - 1) < 1e-6 ? floorDivided(size, divisor) : `floor(${scale}*(${size}))`;
}

/** Number of steps of a Range, where its scalars are known. */
function rangeLength(scalars: readonly Tensor[]): Dim {
  const [start, limit, delta] = scalars.map(scalar => knownValues(scalar)?.[0]);
  if (start === undefined || limit === undefined || typeof delta !== 'number' || delta === 0) return freshDim();
  if (typeof start === 'number' && typeof limit === 'number') return Math.max(0, Math.ceil((limit - start) / delta));
  if (delta < 0) return freshDim();
  return atLeastZero(ceilDivided(minus(limit, start), delta));
}

/** Total: an operator without a rule does not compile. */
const shapeRules: { readonly [O in Op]: ShapeRule<O> } = {
  Add: broadcasting,
  Sub: broadcasting,
  Mul: broadcasting,
  Div: broadcasting,
  Pow: broadcasting,
  Max: broadcasting,
  Min: broadcasting,
  Equal: comparing,
  Greater: comparing,
  GreaterOrEqual: comparing,
  Less: comparing,
  Sqrt: unchanged,
  Exp: unchanged,
  Log: unchanged,
  Abs: unchanged,
  Neg: unchanged,
  Relu: unchanged,
  Sigmoid: unchanged,
  Tanh: unchanged,
  Erf: unchanged,
  Gelu: unchanged,
  HardSigmoid: unchanged,
  HardSwish: unchanged,
  Identity: unchanged,
  Clip: unchanged,
  Not: inputs => {
    check(inputs[0]!.type === 'bool', 'not bool');
    return unchanged(inputs, {});
  },
  Cast: ([x], { to }) => [{ type: to, dims: x!.dims }],
  Where: inputs => {
    check(inputs[0]!.type === 'bool', 'the condition is not bool');
    return [{ type: oneType(inputs.slice(1)), dims: broadcastAll(inputs) }];
  },
  BatchNormalization: ([x, ...statistics]) => {
    const channels = ranked(x!)[1] ?? refuse('the input has no channels');
    for (const { dims } of statistics) same(dims[0] ?? refuse('a statistic is a scalar'), channels, 'channels');
    return [{ type: x!.type, dims: x!.dims }];
  },
  LayerNormalization: ([x, scale, bias], { axis }) => {
    const dims = ranked(x!);
    checkAxis(axis, dims);
    for (const weights of [scale!, ...(bias ? [bias] : [])])
      check(ranked(weights).length <= dims.length - axis, 'scale or bias has too many axes');
    broadcastAll([x!, scale!, ...(bias ? [bias] : [])]);
    return [{ type: x!.type, dims }];
  },
  Softmax: alongAxis,
  LogSoftmax: alongAxis,
  ReduceSum: reducing,
  ReduceMean: reducing,
  ReduceMax: reducing,
  ReduceMin: reducing,
  ReduceL2: reducing,
  ArgMax: ([x], { axis, keepdims }) => [{ type: 'int64', dims: withoutAxes(ranked(x!), [axis], keepdims) }],
  TopK: ([x], { k, axis }) => {
    const dims = ranked(x!);
    checkAxis(axis, dims);
    const size = dims[axis]!;
    check(typeof size === 'string' || k <= size, `k = ${k} is more than there are`);
    const kept = dims.with(axis, k);
    return [
      { type: x!.type, dims: kept },
      { type: 'int64', dims: kept },
    ];
  },
  Reshape: ([x, sizes]) => [{ type: x!.type, dims: reshaped(ranked(x!), dimsFrom(sizes!)) }],
  Transpose: ([x], { perm }) => {
    const dims = ranked(x!);
    check([...perm].sort((a, b) => a - b).join() === [...dims.keys()].join(), `perm ${formatDims(perm)} does not fit`);
    return [{ type: x!.type, dims: perm.map(axis => dims[axis]!) }];
  },
  Concat: (inputs, { axis }) => {
    const [first, ...rest] = inputs.map(ranked);
    checkAxis(axis, first!);
    check(
      rest.every(dims => dims.length === first!.length),
      'ranks differ',
    );
    const dims = rest.reduce<readonly Dim[]>(
      (sum, next) => sum.map((dim, i) => (i === axis ? plus(dim, next[i]!) : same(dim, next[i]!, 'sizes'))),
      first!,
    );
    return [{ type: oneType(inputs), dims }];
  },
  Split: ([x], { axis, split }) => {
    const dims = ranked(x!);
    checkAxis(axis, dims);
    const total = split.reduce((a, b) => a + b, 0);
    same(dims[axis]!, total, `the axis and its pieces (${total})`);
    return split.map(size => ({ type: x!.type, dims: dims.with(axis, size) }));
  },
  Slice: ([x], { starts, ends, axes, steps }) => {
    const dims = [...ranked(x!)];
    for (const [i, axis] of axes.entries()) {
      checkAxis(axis, dims);
      dims[axis] = sliced(dims[axis]!, starts[i]!, ends[i]!, steps[i]!);
    }
    return [{ type: x!.type, dims }];
  },
  Gather: ([x, indices], { axis }) => {
    const dims = ranked(x!);
    checkAxis(axis, dims);
    return [{ type: x!.type, dims: dims.toSpliced(axis, 1, ...ranked(indices!)) }];
  },
  GatherElements: ([x, indices], { axis }) => {
    checkAxis(axis, ranked(x!));
    check(ranked(indices!).length === x!.dims.length, 'ranks differ');
    return [{ type: x!.type, dims: indices!.dims }];
  },
  ScatterElements: ([x, indices, updates], { axis }) => {
    const dims = ranked(x!);
    checkAxis(axis, dims);
    check(ranked(indices!).length === dims.length, 'ranks differ');
    for (const [i, size] of indices!.dims.entries()) same(size, updates!.dims[i]!, 'indices and updates');
    return [{ type: oneType([x!, updates!]), dims }];
  },
  Shape: ([x]) => [{ type: 'int64', dims: [ranked(x!).length] }],
  Unsqueeze: ([x], { axes }) => {
    const dims = [...ranked(x!)];
    for (const axis of [...axes].sort((a, b) => a - b)) {
      check(axis >= 0 && axis <= dims.length, `axis ${axis} is out of range`);
      dims.splice(axis, 0, 1);
    }
    return [{ type: x!.type, dims }];
  },
  Squeeze: ([x], { axes }) => {
    const dims = ranked(x!);
    for (const axis of axes) same(dims[axis] ?? refuse(`axis ${axis} is out of range`), 1, `axis ${axis} and 1`);
    return [{ type: x!.type, dims: dims.filter((_, i) => !axes.includes(i)) }];
  },
  Expand: ([x, sizes]) => [{ type: x!.type, dims: broadcast(ranked(x!), dimsFrom(sizes!)) }],
  Pad: ([x], { pads }) => {
    const dims = ranked(x!);
    check(pads.length === 2 * dims.length, `pads are not ${2 * dims.length} numbers`);
    return [{ type: x!.type, dims: dims.map((dim, i) => plus(dim, pads[i]! + pads[i + dims.length]!)) }];
  },
  Resize: ([x, sizes], { scales }) => {
    const dims = ranked(x!);
    const result = sizes ? dimsFrom(sizes) : dims.map((dim, i) => scaled(dim, scales?.[i] ?? 1));
    check((scales?.length ?? result.length) === dims.length, 'not one size per axis');
    return [{ type: x!.type, dims: result }];
  },
  ConstantOfShape: ([sizes], { value }) => [{ type: value.type, dims: dimsFrom(sizes!) }],
  Range: scalars => [{ type: oneType(scalars), dims: [rangeLength(scalars)] }],
  MatMul: multiplied,
  Gemm: (inputs, { transA, transB }) => {
    const [a, b, c] = inputs.map(ranked);
    check(a!.length === 2 && b!.length === 2, 'not two matrices');
    same(a![transA ? 0 : 1]!, b![transB ? 1 : 0]!, 'inner sizes');
    const dims = [a![transA ? 1 : 0]!, b![transB ? 0 : 1]!];
    check(c === undefined || broadcast(dims, c).every((dim, i) => dim === dims[i]), 'the third input does not fit');
    return [{ type: oneType(inputs), dims }];
  },
  Conv: convolved,
  ConvTranspose: spreadOut,
  AveragePool: pooled,
  MaxPool: (inputs, attributes) => {
    const [values] = pooled(inputs, attributes);
    return [values!, { type: 'int64', dims: values!.dims }];
  },
  GlobalAveragePool: ([x]) => [{ type: x!.type, dims: ranked(x!).map((dim, i) => (i < 2 ? dim : 1)) }],
  Imported: (_inputs, { outputs }) => outputs.filter(output => output !== undefined),
};

/** `MatMul: [4,3] x [5,2]`, with the element types where they differ. */
function formatApplication(op: string, inputs: readonly Tensor[]): string {
  const mixed = inputs.some(input => input.type !== inputs[0]!.type);
  const shapes = inputs.map(({ type, dims }) => `${mixed ? `${type} ` : ''}${formatDims(dims)}`);
  return `${op}: ${shapes.join(' x ')}`;
}

/**
 * The shapes of an operator's outputs.
 * @throws ShapeError `MatMul: [4,3] x [5,2] (inner sizes differ)`
 */
export function shapesOf<O extends Op>(
  op: O,
  inputs: readonly Tensor[],
  attributes: Attributes[O],
): readonly TensorShape[] {
  try {
    return shapeRules[op](inputs, attributes);
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
    throw new ShapeError(`${formatApplication(op, inputs)} (${error.message})`);
  }
}
