/** Reads the nodes of a foreign model as our own operators where they are ones. A table, hence long. */
import * as ops from './ops.ts';
import type { ReadNode } from './read-node.ts';
import { elementTypeOf, isStorable, storedTensor } from './stored-tensor.ts';
import { type ConstantTensor, constant, type ElementType, integers, type Tensor, unknownDims } from './tensor.ts';

/** Types in which node-proto.ts can write a bound or a fill value. */
const writable = new Set<ElementType>(['float32', 'float64', 'int32', 'int64']);

/** The outputs, or undefined if the node is not one of ours as it stands (computed axes, rare settings). */
type Read = (node: ReadNode) => Tensor | readonly Tensor[] | undefined;

const allGiven = ({ inputs }: ReadNode) => inputs.every(tensor => tensor !== undefined) && oneType(inputs);
const oneType = (tensors: readonly (Tensor | undefined)[]) =>
  tensors.every(tensor => tensor?.type === tensors[0]?.type);

const unary =
  (op: (x: Tensor) => Tensor): Read =>
  ({ inputs: [x] }) =>
    op(x!);

const binary =
  (op: (a: Tensor, b: Tensor) => Tensor): Read =>
  node =>
    allGiven(node) && node.inputs.length === 2 ? op(node.inputs[0]!, node.inputs[1]!) : undefined;

/** Max, Min and Sum take any number of tensors. */
const folded =
  (op: (a: Tensor, b: Tensor) => Tensor): Read =>
  node => {
    if (!allGiven(node)) return undefined;
    const tensors = node.inputs as readonly Tensor[];
    return tensors.length === 1 ? ops.identity(tensors[0]!) : tensors.reduce(op);
  };

const reduction =
  (op: typeof ops.reduceSum): Read =>
  node => {
    const axes = node.stored(1);
    if (node.given(1) && !axes) return undefined;
    if ((axes ?? []).length === 0 && node.flag('noop_with_empty_axes', 0)) return ops.identity(node.inputs[0]!);
    return op(node.inputs[0]!, { ...(axes?.length && { axes }), keepdims: node.flag('keepdims', 1) });
  };

/** Pads for auto_pad, where they can be told without knowing the image: undefined otherwise. */
function padsOf(
  node: ReadNode,
  rank: number,
  kernel: readonly number[],
  strides: readonly number[],
  dilations: readonly number[],
) {
  const auto = node.text('auto_pad', 'NOTSET');
  if (auto === 'NOTSET') return node.ints('pads') ?? new Array<number>(2 * rank).fill(0);
  if (auto === 'VALID') return new Array<number>(2 * rank).fill(0);
  const totals = kernel.map((size, i) => samePadding(node.inputs[0]!.dims[i + 2]!, size, strides[i]!, dilations[i]!));
  if (totals.some(total => total === undefined)) return undefined;
  const less = totals.map(total => Math.floor(total! / 2));
  const more = totals.map(total => Math.ceil(total! / 2));
  return auto === 'SAME_UPPER' ? [...less, ...more] : [...more, ...less];
}

/** Padding that makes the output ⌈size / stride⌉ long. */
function samePadding(size: number | string, kernel: number, stride: number, dilation: number): number | undefined {
  const extent = (kernel - 1) * dilation + 1;
  if (stride === 1) return extent - 1;
  if (typeof size === 'string') return undefined;
  return Math.max(0, (Math.ceil(size / stride) - 1) * stride + extent - size);
}

/** Strides, dilations and pads of a convolution or pooling over windows of the given size. */
function windowsOf(node: ReadNode, kernel: readonly (number | string)[] | undefined) {
  if (!kernel?.every(size => typeof size === 'number')) return undefined;
  const rank = kernel.length;
  const strides = node.ints('strides') ?? new Array<number>(rank).fill(1);
  const dilations = node.ints('dilations') ?? new Array<number>(rank).fill(1);
  const pads = padsOf(node, rank, kernel, strides, dilations);
  return pads && { strides, dilations, pads };
}

const convolution: Read = node => {
  const [x, w, b] = node.inputs;
  const windows = windowsOf(node, w!.dims.slice(2));
  return windows && ops.conv(x!, w!, b, { ...windows, group: node.int('group', 1) });
};

const transposedConvolution: Read = node => {
  const [x, w, b] = node.inputs;
  if (node.has('output_shape') || node.text('auto_pad', 'NOTSET') !== 'NOTSET') return undefined;
  const windows = windowsOf(node, w!.dims.slice(2));
  const output_padding = node.ints('output_padding');
  return (
    windows &&
    ops.convTranspose(x!, w!, b, { ...windows, group: node.int('group', 1), ...(output_padding && { output_padding }) })
  );
};

const averagePool: Read = node => {
  const kernel_shape = node.ints('kernel_shape');
  const windows = windowsOf(node, kernel_shape);
  if (!windows || !kernel_shape) return undefined;
  const ceil_mode = node.flag('ceil_mode', 0);
  return ops.averagePool(node.inputs[0]!, {
    ...windows,
    kernel_shape,
    ceil_mode,
    count_include_pad: node.flag('count_include_pad', 0),
  });
};

const maxPool: Read = node => {
  const kernel_shape = node.ints('kernel_shape');
  const windows = windowsOf(node, kernel_shape);
  if (!windows || !kernel_shape || node.outputs.length > 1) return undefined;
  return ops.maxPool(node.inputs[0]!, { ...windows, kernel_shape, ceil_mode: node.flag('ceil_mode', 0) });
};

const clip: Read = node => {
  const [x] = node.inputs;
  const [min, max] = [node.stored(1)?.[0], node.stored(2)?.[0]];
  if ((node.given(1) && min === undefined) || (node.given(2) && max === undefined)) return undefined;
  if (!writable.has(x!.type)) return undefined;
  return ops.clip(x!, { ...(min !== undefined && { min }), ...(max !== undefined && { max }) });
};

const split: Read = node => {
  const [x] = node.inputs;
  const axis = node.int('axis', 0);
  const sizes = node.stored(1);
  if (sizes) return ops.split(x!, { axis, split: sizes });
  const size = x!.dims.at(axis);
  if (node.given(1) || typeof size !== 'number') return undefined;
  const pieces = node.int('num_outputs', node.outputs.length);
  const piece = Math.ceil(size / pieces);
  const last = size - piece * (pieces - 1);
  return last > 0 ? ops.split(x!, { axis, split: [...new Array<number>(pieces - 1).fill(piece), last] }) : undefined;
};

/** "To the end" is the largest int64 in many files; as a number it would round up and no longer be one. */
const inRange = (position: number) => Math.min(Math.max(position, -(2 ** 52)), 2 ** 52);

const slice: Read = node => {
  const [starts, ends, axes, steps] = [1, 2, 3, 4].map(position => node.stored(position));
  if (!starts || !ends || (node.given(3) && !axes) || (node.given(4) && !steps)) return undefined;
  return ops.slice(node.inputs[0]!, {
    starts: starts.map(inRange),
    ends: ends.map(inRange),
    ...(axes && { axes }),
    ...(steps && { steps }),
  });
};

const pad: Read = node => {
  const pads = node.stored(1);
  const mode = node.text('mode', 'constant');
  const value = node.given(2) ? node.stored(2)?.[0] : 0;
  const known = mode === 'constant' || mode === 'reflect' || mode === 'edge';
  if (!pads || value === undefined || !known || node.given(3) || !writable.has(node.inputs[0]!.type)) return undefined;
  return ops.pad(node.inputs[0]!, { pads, mode, value });
};

const oneOf = <T extends string>(value: string, ...values: readonly T[]): T | undefined =>
  values.find(candidate => candidate === value);

const resize: Read = node => {
  const [x, , , sizes] = node.inputs;
  const scales = node.stored(2);
  const mode = oneOf(node.text('mode', 'nearest'), 'nearest', 'linear', 'cubic');
  const coordinate_transformation_mode = oneOf(
    node.text('coordinate_transformation_mode', 'half_pixel'),
    'half_pixel',
    'pytorch_half_pixel',
    'align_corners',
    'asymmetric',
  );
  const nearest_mode = oneOf(
    node.text('nearest_mode', 'round_prefer_floor'),
    'round_prefer_floor',
    'round_prefer_ceil',
    'floor',
    'ceil',
  );
  const rare = node.flag('exclude_outside', 0) || node.has('axes', 'keep_aspect_ratio_policy');
  const rareCubic = node.float('cubic_coeff_a', -0.75) !== -0.75;
  if (!mode || !coordinate_transformation_mode || !nearest_mode || rare || rareCubic) return undefined;
  const how = { mode, coordinate_transformation_mode, nearest_mode, antialias: node.flag('antialias', 0) };
  if (node.given(2)) return scales && ops.resize(x!, { scales }, how);
  return sizes && ops.resize(x!, { sizes }, how);
};

const reshape: Read = node => {
  const [x, sizes] = node.inputs;
  const zeroMeansZero = node.flag('allowzero', 0) && !node.stored(1)?.every(size => size !== 0);
  return zeroMeansZero ? undefined : ops.reshape(x!, sizes!);
};

const squeeze: Read = node => {
  const [x] = node.inputs;
  if (node.given(1)) {
    const axes = node.stored(1);
    return axes && ops.squeeze(x!, { axes });
  }
  if (x!.dims.some(dim => typeof dim === 'string')) return undefined;
  return ops.squeeze(x!, { axes: x!.dims.flatMap((dim, i) => (dim === 1 ? [i] : [])) });
};

const unsqueeze: Read = node => {
  const axes = node.stored(1);
  return axes && ops.unsqueeze(node.inputs[0]!, { axes });
};

const shape: Read = node => {
  const sizes = ops.shape(node.inputs[0]!);
  if (!node.has('start', 'end')) return sizes;
  return ops.slice(sizes, { starts: [node.int('start', 0)], ends: [node.int('end', 2 ** 40)] });
};

const topK: Read = node => {
  const k = node.stored(1)?.[0];
  if (k === undefined || !node.flag('sorted', 1)) return undefined;
  return ops.topK(node.inputs[0]!, k, { axis: node.int('axis', -1), largest: node.flag('largest', 1) });
};

const cast: Read = node => ops.cast(node.inputs[0]!, { to: elementTypeOf(node.int('to', 0)) });

const castLike: Read = ({ inputs: [x, like] }) => (x!.type === like!.type ? x : ops.cast(x!, { to: like!.type }));

const where: Read = ({ inputs }) =>
  oneType(inputs.slice(1)) ? ops.where(inputs[0]!, inputs[1]!, inputs[2]!) : undefined;

const gemm: Read = node => {
  const [a, b, c] = node.inputs;
  return ops.gemm(a!, b!, c, {
    alpha: node.float('alpha', 1),
    beta: node.float('beta', 1),
    transA: node.flag('transA', 0),
    transB: node.flag('transB', 0),
  });
};

const batchNormalization: Read = node => {
  const [x, scale, bias, mean, variance] = node.inputs;
  if (node.outputs.length > 1 || node.flag('training_mode', 0) || !allGiven(node)) return undefined;
  return ops.batchNormalization(x!, scale!, bias!, mean!, variance!, { epsilon: node.float('epsilon', 1e-5) });
};

const layerNormalization: Read = node => {
  const [x, scale, bias] = node.inputs;
  if (node.outputs.length > 1 || node.int('stash_type', 1) !== 1 || !oneType([x, scale, bias ?? x])) return undefined;
  return ops.layerNormalization(x!, scale!, bias, { axis: node.int('axis', -1), epsilon: node.float('epsilon', 1e-5) });
};

const gelu: Read = node =>
  ops.gelu(node.inputs[0]!, { approximate: node.text('approximate', 'none') as 'none' | 'tanh' });

const hardSigmoid: Read = node =>
  ops.hardSigmoid(node.inputs[0]!, { alpha: node.float('alpha', 0.2), beta: node.float('beta', 0.5) });

const argMax: Read = node =>
  node.flag('select_last_index', 0)
    ? undefined
    : ops.argMax(node.inputs[0]!, { axis: node.int('axis', 0), keepdims: node.flag('keepdims', 1) });

/** Constant has an attribute per kind of value. */
const constantNode: Read = node => {
  const tensor = node.attribute('value')?.t;
  if (tensor) return isStorable(tensor) ? storedTensor(tensor) : undefined;
  if (node.has('value_float')) return constant(node.float('value_float', 0));
  if (node.has('value_int')) return integers([node.int('value_int', 0)], []);
  if (node.has('value_ints')) return integers(node.ints('value_ints') ?? []);
  const floats = node.attribute('value_floats')?.floats;
  return floats && constant(Float32Array.from(floats));
};

const constantOfShape: Read = node => {
  const tensor = node.attribute('value')?.t;
  if (!tensor) return ops.constantOfShape(node.inputs[0]!);
  return isStorable(tensor)
    ? ops.constantOfShape(node.inputs[0]!, { value: storedTensor(tensor) as ConstantTensor })
    : undefined;
};

const transpose: Read = node => {
  const perm = node.ints('perm');
  return ops.transpose(node.inputs[0]!, perm ? { perm } : {});
};

const dropout: Read = node => {
  const training = node.given(2) && node.stored(2)?.[0] !== 0;
  return node.outputs.length > 1 || training ? undefined : ops.identity(node.inputs[0]!);
};

/** By ONNX name. An operator that is missing stays as it is. */
const reads: Readonly<Record<string, Read>> = {
  Add: binary(ops.add),
  Sub: binary(ops.sub),
  Mul: binary(ops.mul),
  Div: binary(ops.div),
  Pow: binary(ops.pow),
  Equal: binary(ops.equal),
  Greater: binary(ops.greater),
  GreaterOrEqual: binary(ops.greaterOrEqual),
  Less: binary(ops.less),
  MatMul: binary(ops.matmul),
  Max: folded(ops.max),
  Min: folded(ops.min),
  Sum: folded(ops.add),
  Sqrt: unary(ops.sqrt),
  Exp: unary(ops.exp),
  Log: unary(ops.log),
  Abs: unary(ops.abs),
  Neg: unary(ops.neg),
  Relu: unary(ops.relu),
  Sigmoid: unary(ops.sigmoid),
  Tanh: unary(ops.tanh),
  Erf: unary(ops.erf),
  Gelu: gelu,
  HardSigmoid: hardSigmoid,
  HardSwish: unary(ops.hardSwish),
  Not: unary(ops.not),
  Identity: unary(ops.identity),
  GlobalAveragePool: unary(ops.globalAveragePool),
  Clip: clip,
  Cast: cast,
  CastLike: castLike,
  Where: where,
  BatchNormalization: batchNormalization,
  LayerNormalization: layerNormalization,
  Softmax: node => ops.softmax(node.inputs[0]!, { axis: node.int('axis', -1) }),
  LogSoftmax: node => ops.logSoftmax(node.inputs[0]!, { axis: node.int('axis', -1) }),
  ReduceSum: reduction(ops.reduceSum),
  ReduceMean: reduction(ops.reduceMean),
  ReduceMax: reduction(ops.reduceMax),
  ReduceMin: reduction(ops.reduceMin),
  ReduceL2: reduction(ops.reduceL2),
  ArgMax: argMax,
  TopK: topK,
  Reshape: reshape,
  Transpose: transpose,
  Concat: node => (allGiven(node) ? ops.concat(node.inputs as Tensor[], { axis: node.int('axis', 0) }) : undefined),
  Split: split,
  Slice: slice,
  Gather: node => ops.gather(node.inputs[0]!, node.inputs[1]!, { axis: node.int('axis', 0) }),
  GatherElements: node => ops.gatherElements(node.inputs[0]!, node.inputs[1]!, { axis: node.int('axis', 0) }),
  Shape: shape,
  Unsqueeze: unsqueeze,
  Squeeze: squeeze,
  Expand: node => ops.expand(node.inputs[0]!, node.inputs[1]!),
  Pad: pad,
  Resize: resize,
  ConstantOfShape: constantOfShape,
  Range: node => (allGiven(node) ? ops.range(node.inputs[0]!, node.inputs[1]!, node.inputs[2]!) : undefined),
  Gemm: gemm,
  Conv: convolution,
  ConvTranspose: transposedConvolution,
  AveragePool: averagePool,
  MaxPool: maxPool,
  Constant: constantNode,
  Dropout: dropout,
};

/** Inputs whose rank must be known: those that are data, not shapes computed at run time in ways we cannot follow. */
const followable = (node: ReadNode) => node.inputs.every(tensor => tensor === undefined || tensor.dims !== unknownDims);

/**
 * The outputs of a node of the standard operators as nodes of ours.
 * @returns undefined if it is not one of ours as it stands
 * @throws ShapeError if its inputs do not fit
 */
export function readAsOurs(node: ReadNode): readonly Tensor[] | undefined {
  const read = reads[node.opType];
  if (!read || !followable(node)) return undefined;
  const result = read(node);
  return result === undefined || Array.isArray(result) ? (result as readonly Tensor[] | undefined) : [result as Tensor];
}
