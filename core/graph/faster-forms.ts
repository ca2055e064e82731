/** Forms of operators that ONNX Runtime computes faster, put in their place once all gradients are taken; the same sums (`npm run bench -- training-step`). */
import { addedAt, addedTo, usesIn } from './additions.ts';
import { ownStatistics } from './batch-statistics.ts';
import { convolvedByProducts, sentBackByProducts } from './depthwise-products.ts';
import { isGradient } from './gradients.ts';
import { convolvedByColumns } from './kernel-products.ts';
import {
  type Attributes,
  applyOp,
  batchNormalization,
  cast,
  exp,
  hardSigmoid,
  log,
  mul,
  type Op,
  pad,
  reduceMax,
  reduceMean,
  reduceSum,
  reshape,
  sub,
  transpose,
} from './ops.ts';
import { backAlong, resizeMatrix } from './resampling.ts';
import { rewrite } from './rewrite.ts';
import { isKnown, isZero } from './sizes-of.ts';
import { type ConstantTensor, constant, type Dim, type GraphNode, type NodeOf, type Tensor } from './tensor.ts';
import { count } from './windows.ts';

/** The same tensors by faster forms. */
export function fasterForms(outputs: readonly Tensor[]): Tensor[] {
  const ranks = new Ranks();
  const uses = usesIn(outputs);
  return rewrite(outputs, {
    node: (node, inputs, replaced) => {
      if (elementwise.has(node.op))
        return addedAt(node, inputs) ?? addedTo(node, inputs, uses) ?? ranks.levelled(node, inputs);
      if (node.op === 'Where') return maskedOf(node, inputs);
      if (node.op === 'BatchNormalization') return fromCentred(node, inputs, replaced);
      if (node.op === 'ReduceSum' || node.op === 'ReduceMean') return perChannelOf(node, inputs[0]!);
      if (node.op === 'LogSoftmax') return logSoftmaxOf(inputs[0]!, node.attributes.axis);
      if (node.op === 'Conv' && node.attributes.group === 1) return onFewPlaces(node, inputs);
      if (node.op === 'Conv' || node.op === 'ConvTranspose') return depthwiseOf(node, inputs);
      if (node.op === 'Pad') return padOf(node, inputs[0]!);
      return node.op === 'Resize' ? resizeOf(node, inputs[0]!) : undefined;
    },
  });
}

const elementwise: ReadonlySet<Op> = new Set(['Add', 'Sub', 'Mul', 'Div', 'Pow', 'Max', 'Min', 'Greater', 'Less']);

const isSingle = (dims: readonly Dim[]) => dims.every(dim => dim === 1);

/**
 * Single numbers beside tensors whose last axes are of size 1, such as the kernels of 1×1 convolutions: with fewer axes than
 * the tensor they are broadcast element by element, thirty times as long as with as many.
 */
class Ranks {
  readonly #known = new Map<Tensor, Map<number, Tensor>>();

  levelled(node: GraphNode, inputs: readonly Tensor[]): readonly Tensor[] | undefined {
    const rank = Math.max(...inputs.map(({ dims }) => dims.length));
    const short = ({ dims }: Tensor) => dims.length < rank && isSingle(dims);
    const full = inputs.find(({ dims }) => dims.length === rank);
    if (!inputs.some(short) || full?.dims.at(-1) !== 1 || isSingle(full.dims)) return undefined;
    const raised = inputs.map(tensor => (short(tensor) ? this.#raised(tensor, rank) : tensor));
    return applyOp<Op>(node.op, raised, node.attributes);
  }

  #raised(tensor: Tensor, rank: number): Tensor {
    const known = this.#known.get(tensor) ?? new Map<number, Tensor>();
    this.#known.set(tensor, known);
    const ones = new Array<number>(rank).fill(1);
    const raised = known.get(rank) ?? (tensor.kind === 'constant' ? withDims(tensor, ones) : reshape(tensor, ones));
    known.set(rank, raised);
    return raised;
  }
}

const withDims = (tensor: ConstantTensor, dims: readonly number[]): ConstantTensor => ({ ...tensor, dims });

/**
 * Gradients that a mask lets through as a product with it, which is one pass less than a choice between numbers and zero.
 * Elsewhere the choice may be what keeps out numbers that are not finite.
 */
function maskedOf(node: NodeOf<'Where'>, [mask, x, other]: readonly Tensor[]): readonly Tensor[] | undefined {
  if (!isGradient(node)) return undefined;
  const [y] = node.outputs;
  if (!isZero(other!) || y!.type !== 'float32' || `${x!.dims}` !== `${y!.dims}`) return undefined;
  return [mul(x!, factorOf(mask!))];
}

/** A mask as ones and zeros; whether numbers are above zero, in one pass: they are made so large that 1 cuts them all off. */
function factorOf(mask: Tensor): Tensor {
  const [x, limit] = mask.kind === 'node' && mask.node.op === 'Greater' ? mask.node.inputs : [];
  if (x?.type === 'float32' && isZero(limit!)) return hardSigmoid(x, { alpha: 2 ** 127, beta: 0 });
  return cast(mask, { to: 'float32' });
}

/**
 * Normalisation by the statistics of its own batch, of the centred map that the way back keeps: the map itself is needed no more
 * once its mean is taken, and the runtime centres it in place. One map less in memory for every size there is.
 */
function fromCentred(
  node: NodeOf<'BatchNormalization'>,
  [, scale, bias, mean, variance]: readonly Tensor[],
  replaced: (tensor: Tensor) => Tensor,
): readonly Tensor[] | undefined {
  const own = ownStatistics(node);
  const channels = mean!.dims[0];
  if (!own || typeof channels !== 'number') return undefined;
  const zeros = constant(new Float32Array(channels), [channels]);
  return [batchNormalization(replaced(own.centred), scale!, bias!, zeros, variance!, node.attributes)];
}

/** Sums and means per channel of a batch of maps in two steps, images last: half the time, a quarter of the processor's. */
function perChannelOf(
  { op, attributes: { axes, keepdims } }: NodeOf<'ReduceSum' | 'ReduceMean'>,
  x: Tensor,
): readonly Tensor[] | undefined {
  const inner = x.dims.flatMap((_, axis) => (axis < 2 ? [] : [axis]));
  const perChannel = inner.length > 0 && [0, ...inner].join() === axes.toSorted((a, b) => a - b).join();
  if (!perChannel || x.dims[0] === 1) return undefined;
  const reduce = op === 'ReduceSum' ? reduceSum : reduceMean;
  return [reduce(reduce(x, { axes: inner, keepdims }), { axes: [0], keepdims })];
}

/** Along another axis than the last the runtime turns the tensor round, and back: a fifth of the time written out. */
function logSoftmaxOf(x: Tensor, axis: number): readonly Tensor[] | undefined {
  if (axis === -1 || axis === x.dims.length - 1) return undefined;
  const shifted = sub(x, reduceMax(x, { axes: [axis] }));
  return [sub(shifted, log(reduceSum(exp(shifted), { axes: [axis] })))];
}

/**
 * Padding of as few axes as there can be: neighbours that get none are one with the axis before them. A third of the time, less
 * where they are short.
 */
function padOf(
  { attributes: { pads, mode, value }, outputs: [y] }: NodeOf<'Pad'>,
  x: Tensor,
): readonly Tensor[] | undefined {
  const { dims } = x;
  if (mode !== 'constant' || !isKnown(dims) || !isKnown(y!.dims)) return undefined;
  const merged: { size: number; before: number; after: number }[] = [];
  for (const [axis, size] of dims.entries()) {
    const [before, after] = [pads[axis]!, pads[axis + dims.length]!];
    const last = merged.at(-1);
    if (before !== 0 || after !== 0 || !last) merged.push({ size, before, after });
    else Object.assign(last, { size: last.size * size, before: last.before * size, after: last.after * size });
  }
  if (merged.length === dims.length) return undefined;
  const flat = reshape(
    x,
    merged.map(({ size }) => size),
  );
  const all = [...merged.map(({ before }) => before), ...merged.map(({ after }) => after)];
  return [reshape(pad(flat, { pads: all, mode, value }), y!.dims)];
}

/** Above this size of an axis a product with its matrix costs more than the interpolation itself. */
const mostForProduct = 64;

/** Enlarging small maps as two products of matrices: a quarter of the time. */
function resizeOf({ attributes, outputs: [y] }: NodeOf<'Resize'>, x: Tensor): readonly Tensor[] | undefined {
  const axes = changedAxes(attributes, x, y!);
  if (attributes.mode !== 'linear' || !axes) return undefined;
  let resized = x;
  for (const axis of axes) {
    const [from, to] = [x.dims[axis] as number, y!.dims[axis] as number];
    const matrix = resizeMatrix(from, to, attributes.scales?.[axis] ?? to / from, attributes);
    if (matrix) resized = backAlong(resized, axis, transpose(matrix, { perm: [1, 0] }));
  }
  return [resized];
}

/** The last two axes, where only those change, and are small enough. */
function changedAxes({ scales }: Attributes['Resize'], x: Tensor, y: Tensor): readonly number[] | undefined {
  const rank = x.dims.length;
  if (rank < 3 || !isKnown(x.dims.slice(-2)) || !isKnown(y.dims.slice(-2))) return undefined;
  const same = x.dims.slice(0, -2).every((dim, axis) => (scales ? scales[axis] === 1 : dim === y.dims[axis]));
  const small = x.dims.slice(-2).every(dim => (dim as number) <= mostForProduct);
  return same && small ? [rank - 1, rank - 2] : undefined;
}

/** Up to this many pairs of places, and from this many images on, products of matrices are faster. */
const fewPairs = 10_000;
const manyImages = 8;

/**
 * Depthwise convolutions on small maps: the runtime's fast kernels need weights that do not change, with others it takes up to
 * twenty times as long as a product of matrices per channel.
 */
function depthwiseOf(
  { op, attributes, outputs: [y] }: NodeOf<'Conv' | 'ConvTranspose'>,
  [x, w, bias]: readonly Tensor[],
): readonly Tensor[] | undefined {
  const [from, to] = [x!.dims.slice(2), y!.dims.slice(2)];
  const [images, channels] = x!.dims;
  const single = attributes.group === channels && w!.dims[0] === channels && w!.dims[1] === 1;
  if (!single || w!.kind === 'constant' || typeof images !== 'number' || images < manyImages) return undefined;
  if (!isKnown(from) || !isKnown(to) || count(from) * count(to) > fewPairs) return undefined;
  const form = op === 'Conv' ? convolvedByProducts : sentBackByProducts;
  return [form(x!, w!, bias, { to, settings: attributes })];
}

/** Up to this many places of the result, with this many channels at least, one product over all images beats one for each. */
const fewPlaces = 49;
const manyChannels = 64;

/** Convolutions on small maps, while their kernels change: with others the runtime has forms of its own. */
function onFewPlaces(
  { attributes, outputs: [y] }: NodeOf<'Conv'>,
  [x, w, bias]: readonly Tensor[],
): readonly Tensor[] | undefined {
  if (w!.kind === 'constant' || !isKnown(x!.dims) || !isKnown(y!.dims)) return undefined;
  const [outputs, depth, ...kernel] = w!.dims as readonly [number, number, ...number[]];
  const to = y!.dims.slice(2);
  const plain = attributes.strides.every(stride => stride === 1) && !isSingle(kernel);
  const narrow = count(to) <= fewPlaces && x!.dims[0]! >= manyImages && Math.min(outputs, depth) >= manyChannels;
  return plain && narrow ? [convolvedByColumns(x!, w!, bias, { to, settings: attributes })] : undefined;
}
