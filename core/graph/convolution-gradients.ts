/** Gradients of a convolution for its input and its kernel: several forms of the same sums, chosen by shape in one place. */
import { canHalve, kernelByHalves } from './depthwise-halves.ts';
import { kernelByPairs, kernelByRows } from './depthwise-products.ts';
import { elementCount } from './dims.ts';
import { inputByProduct, inputBySums } from './input-products.ts';
import { kernelByColumns, kernelByPositions } from './kernel-products.ts';
import { knownSizes, NoGradient, spatialSizes } from './no-gradient.ts';
import type { Attributes } from './ops.ts';
import { concat, conv, convTranspose, matmul, mul, pad, reduceSum, reshape, slice, transpose } from './ops.ts';
import { isKnown } from './sizes-of.ts';
import type { Tensor } from './tensor.ts';
import { leftOver, spread, turnedKernel, turnedPads } from './turned-convolution.ts';
import { count, positions } from './windows.ts';

type Settings = Attributes['Conv'];

/** y = Conv(x, w), seen from behind: g is the gradient of y. */
export interface Convolution {
  /** [N,C,…] */
  readonly x: Tensor;
  /** [M,C/group,…]; for the gradient of the kernel only its sizes count. */
  readonly w: Tensor;
  /** [N,M,…] */
  readonly g: Tensor;
  readonly settings: Settings;
}

export type InputForm = 'flipped' | 'transposed' | 'gathered' | 'summed';
export type KernelForm =
  | 'shifted'
  | 'columns'
  | 'product'
  | 'taps'
  | 'image'
  | 'depthwise'
  | 'pairs'
  | 'rows'
  | 'halves';

const repeated = (value: number, count: number) => new Array<number>(count).fill(value);
const range = (count: number) => Array.from({ length: count }, (_, i) => i);
const allOne = (values: readonly number[]) => values.every(value => value === 1);

interface Sizes {
  readonly outputs: number;
  readonly depth: number;
  readonly kernel: readonly number[];
  readonly rank: number;
}

function kernelSizes({ w }: Convolution): Sizes {
  const [outputs, depth, ...kernel] = knownSizes(w.dims, 'the sizes of the kernel');
  return { outputs: outputs!, depth: depth!, kernel, rank: kernel.length };
}

/** One product of matrices, no window to slide. */
function isPointwise({ settings: { strides, pads } }: Convolution, kernel: readonly number[]): boolean {
  return allOne(kernel) && allOne(strides) && pads.every(size => size === 0);
}

// The input: dX = g convolved with the kernel turned round.

/** Up to this many places, with this many channels and images at least, one product over all images beats one for each. */
const fewPlaces = 64;
const manyChannels = 64;
const manyImages = 8;

/**
 * Which form of the input's gradient is fastest (`npm run bench -- convolution`): a turned convolution at stride 1, where
 * the transposed one takes up to twice as long, or one product over all images on small maps; the transposed one, or on small
 * maps sums per place, where the turned one would multiply by the zeros between strides (4 to 20 times as long).
 */
export function inputForm(convolution: Convolution): InputForm {
  const { x, g, settings } = convolution;
  const { kernel, outputs, depth } = kernelSizes(convolution);
  const large = Math.min(outputs, depth) >= manyChannels && settings.group === 1 && !allOne(kernel);
  const [images] = x.dims;
  const many = large && typeof images === 'number' && images >= manyImages;
  const isSmall = ({ dims }: Tensor) => isKnown(dims) && count(dims.slice(2)) <= fewPlaces;
  const direct = allOne(settings.strides) && turnedPads(x, kernel, settings) !== undefined;
  if (direct) return many && isSmall(x) ? 'gathered' : 'flipped';
  return many && isSmall(g) ? 'summed' : 'transposed';
}

/** The forms that can compute the input's gradient of a convolution. */
export function possibleInputForms(convolution: Convolution): InputForm[] {
  const { strides, group } = convolution.settings;
  const single = group === 1;
  const always: InputForm[] = ['transposed', ...(single ? (['summed'] as const) : [])];
  if (!turnedPads(convolution.x, kernelSizes(convolution).kernel, convolution.settings)) return always;
  return [...always, 'flipped', ...(allOne(strides) && single ? (['gathered'] as const) : [])];
}

/**
 * The gradient for the input, in the shape of x.
 * @throws NoGradient if strides are not 1 and the size of the image is not known
 */
export function inputGradient(convolution: Convolution, form = inputForm(convolution)): Tensor {
  const { x, w, g, settings } = convolution;
  const sizes = kernelSizes(convolution);
  if (form === 'summed') return inputBySums(g, w, spatialSizes(x), settings);
  if (form === 'transposed')
    return convTranspose(g, w, undefined, { ...settings, output_padding: leftOver(x, sizes.kernel, settings) });
  const pads = turnedPads(x, sizes.kernel, settings);
  if (!pads) throw new NoGradient('the padding is wider than the kernel');
  const { dilations, group } = settings;
  if (form === 'gathered') return inputByProduct(g, w, spatialSizes(x), { pads, dilations });
  return conv(spread(g, settings.strides), turnedKernel(w, group), undefined, { pads, dilations, group });
}

// The kernel: dW = for each of its positions, the input seen through it times g, summed over images and places.

/** The input as each position of the kernel sees it: tensors [N,C,…] of the size of g, in row-major order. */
function views(x: Tensor, { g, settings }: Convolution, { kernel, rank }: Sizes): Tensor[] {
  const { strides, pads, dilations } = settings;
  if (allOne(kernel) && allOne(strides) && pads.every(size => size === 0)) return [x];
  const spatial = spatialSizes(g);
  const wide = [0, 0, ...pads.slice(0, rank), 0, 0, ...pads.slice(rank)];
  const padded = pads.some(size => size > 0) ? pad(x, { pads: wide }) : x;
  return positions(kernel).map(at => {
    const starts = at.map((k, i) => k * dilations[i]!);
    const ends = starts.map((start, i) => start + (spatial[i]! - 1) * strides[i]! + 1);
    return slice(padded, { starts, ends, axes: range(rank).map(i => i + 2), steps: strides });
  });
}

/** A product of matrices per image and position. */
function shifted(convolution: Convolution, sizes: Sizes): Tensor {
  const { x, g, settings } = convolution;
  const { outputs, depth, kernel } = sizes;
  const rows = reshape(g, [0, settings.group, outputs / settings.group, -1]);
  const products = views(x, convolution, sizes).map(view => {
    const columns = transpose(reshape(view, [0, settings.group, depth, -1]), { perm: [0, 1, 3, 2] });
    return reshape(reduceSum(matmul(rows, columns), { axes: [0], keepdims: 0 }), [outputs, depth, 1]);
  });
  const all = products.length === 1 ? products[0]! : concat(products, { axis: 2 });
  return reshape(all, [outputs, depth, ...kernel]);
}

/** One product of matrices per image, of all positions at once. */
function columns(convolution: Convolution, sizes: Sizes): Tensor {
  const { x, g, settings } = convolution;
  const { outputs, depth, kernel } = sizes;
  const rows = reshape(g, [0, settings.group, outputs / settings.group, -1]);
  const seen = views(x, convolution, sizes).map(view => reshape(view, [0, settings.group, depth, -1]));
  const all = transpose(concat(seen, { axis: 2 }), { perm: [0, 1, 3, 2] });
  return fromColumns(reduceSum(matmul(rows, all), { axes: [0], keepdims: 0 }), outputs, depth, kernel);
}

/** [group,M/group,positions·C/group] → [M,C/group,…]. */
function fromColumns(sums: Tensor, outputs: number, depth: number, kernel: readonly number[]): Tensor {
  const apart = reshape(sums, [outputs, count(kernel), depth]);
  return reshape(transpose(apart, { perm: [0, 2, 1] }), [outputs, depth, ...kernel]);
}

/**
 * A convolution of the images, taken as channels, with g for a kernel. The runtime shares maps among its threads as wholes, so an odd
 * number of them becomes twice as many of half the images.
 */
function image({ x, g, settings }: Convolution, { outputs, depth, kernel, rank }: Sizes): Tensor {
  const { strides, pads, dilations, group } = settings;
  const spatial = range(rank).map(i => i + 2);
  const [batch] = knownSizes(x.dims.slice(0, 1), 'the number of images') as [number];
  const halves = group === 1 && depth % 2 === 1 && batch % 2 === 0 ? 2 : 1;
  const axes = spatial.map(i => i + 1);
  const apart = reshape(x, [batch, group, depth, ...spatialSizes(x)]);
  const images = reshape(transpose(apart, { perm: [2, 1, 0, ...axes] }), [depth, group * batch, ...spatialSizes(x)]);
  const parts = transpose(reshape(g, [halves, batch / halves, outputs, ...spatialSizes(g)]), {
    perm: [0, 2, 1, ...axes],
  });
  const taps = reshape(parts, [halves * outputs, batch / halves, ...spatialSizes(g)]);
  const turned = { strides: dilations, dilations: strides, pads, group: group * halves };
  const sums = conv(images, taps, undefined, turned);
  const exact = slice(sums, { starts: repeated(0, rank), ends: kernel, axes: spatial });
  const whole = reduceSum(reshape(exact, [depth, halves, outputs, ...kernel]), { axes: [1], keepdims: 0 });
  return reshape(transpose(whole, { perm: [1, 0, ...spatial] }), [outputs, depth, ...kernel]);
}

/** One channel each: sums of products, no matrices. */
function depthwise(convolution: Convolution, sizes: Sizes): Tensor {
  const axes = [0, ...range(sizes.rank).map(i => i + 2)];
  const sums = views(convolution.x, convolution, sizes).map(view =>
    reshape(reduceSum(mul(view, convolution.g), { axes, keepdims: 0 }), [sizes.outputs, 1, 1]),
  );
  return reshape(concat(sums, { axis: 2 }), [sizes.outputs, 1, ...sizes.kernel]);
}

const kernelForms: Readonly<Record<KernelForm, (convolution: Convolution, sizes: Sizes) => Tensor>> = {
  shifted,
  columns,
  product: ({ x, g, settings }, { kernel }) => kernelByColumns({ x, g, kernel, settings }),
  taps: ({ x, g, settings }, { kernel }) => kernelByPositions({ x, g, kernel, settings }),
  image,
  depthwise,
  pairs: ({ x, g, settings }, { kernel }) => kernelByPairs(x, g, kernel, settings),
  rows: ({ x, g, settings }, { kernel }) => kernelByRows(x, g, kernel, settings),
  halves: ({ x, g, settings }, { kernel }) => kernelByHalves(x, g, kernel, settings),
};

/** Below this many channels per group the copies of the input cost more than one convolution with whole images. */
const fewChannels = 8;

/** From this many weights per position on a copy of the input for each costs less than moved copies; on maps this wide, from more on. */
const manyWeights = 2 ** 13;
const manyOnWideMaps = 2 ** 14 + 1;
const wideMap = 9;

/** Up to this many positions a product per image, of copies of so few channels, costs less than that. */
const fewPositions = 9;

/** Above this many positions one sum per position costs more than one convolution with whole images. */
const manyPositions = 25;

/** Up to this many pairs of places one product of matrices per channel costs least. */
const fewPairs = 10_000;

/** Up to this many columns one per channel and row of the kernel does. */
const fewColumns = 64;

/** From this many columns on one for each half, which computes half as many pairs; at 14 columns it gains nothing. */
const manyColumns = 24;

/**
 * Which form of the kernel's gradient is fastest (`npm run bench -- convolution`): products of matrices, as long as the
 * forward pass or somewhat longer; for few channels per group a convolution with whole images; for one channel each
 * products over pairs of places or of columns, or sums of products.
 */
export function kernelForm(convolution: Convolution): KernelForm {
  const { outputs, depth, kernel } = kernelSizes(convolution);
  const { group } = convolution.settings;
  if (isPointwise(convolution, kernel)) return pointwiseForm(convolution, outputs * depth);
  if (depth === 1 && outputs === group) return depthwiseForm(convolution, kernel);
  const fixed = convolution.x.dims.every(dim => typeof dim === 'number');
  if (depth < fewChannels && fixed) return group === 1 && count(kernel) <= fewPositions ? 'columns' : 'image';
  const many = isWide(convolution) ? manyOnWideMaps : manyWeights;
  return outputs * depth < many ? 'taps' : 'product';
}

function isWide({ x, settings: { strides } }: Convolution): boolean {
  const columns = x.dims.at(-1);
  return allOne(strides) && typeof columns === 'number' && columns >= wideMap;
}

function depthwiseForm({ x, g, settings }: Convolution, kernel: readonly number[]): KernelForm {
  const [from, to] = [x, g].map(({ dims }) => dims.slice(2));
  if (isKnown(from!) && isKnown(to!)) {
    if (count(from) * count(to) <= fewPairs) return 'pairs';
    const halved = from[1]! >= manyColumns && canHalve(from, to, kernel, settings);
    if (kernel.length === 2 && from[1]! <= fewColumns) return halved ? 'halves' : 'rows';
  }
  if (allOne(settings.strides) && count(kernel) < manyPositions) return 'depthwise';
  return x.dims.every(dim => typeof dim === 'number') ? 'image' : 'product';
}

/** A kernel per image that is summed up, or maps with their axes exchanged: whichever copies less. */
function pointwiseForm({ x, g }: Convolution, weights: number): KernelForm {
  const perImage = elementCount(x.dims.slice(1));
  const behind = elementCount(g.dims.slice(1));
  const known = typeof perImage === 'number' && typeof behind === 'number';
  return known && perImage + behind < weights ? 'product' : 'shifted';
}

/** The forms that can compute the kernel's gradient of a convolution. */
export function possibleKernelForms(convolution: Convolution): KernelForm[] {
  const { outputs, depth, kernel, rank } = kernelSizes(convolution);
  const forms: KernelForm[] = ['shifted', 'columns', 'product', 'taps', 'image'];
  if (depth !== 1 || outputs !== convolution.settings.group) return forms;
  const places = count(spatialSizes(convolution.x)) * count(spatialSizes(convolution.g));
  const pairs = places <= 10 * fewPairs ? (['pairs'] as const) : [];
  const { x, g, settings } = convolution;
  const halves = canHalve(spatialSizes(x), spatialSizes(g), kernel, settings) ? (['halves'] as const) : [];
  return [...forms, 'depthwise', ...(rank === 2 ? (['rows'] as const) : []), ...halves, ...pairs];
}

/**
 * The gradient for the kernel, in the shape of w.
 * @throws NoGradient if the size of the image must be known and is not
 */
export function kernelGradient(convolution: Convolution, form = kernelForm(convolution)): Tensor {
  return kernelForms[form](convolution, kernelSizes(convolution));
}

/** The gradient for the bias [M]. */
export const biasGradient = (g: Tensor): Tensor =>
  reduceSum(g, { axes: g.dims.flatMap((_, axis) => (axis === 1 ? [] : [axis])), keepdims: 0 });
