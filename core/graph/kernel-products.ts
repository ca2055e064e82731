/** Gradients of convolutions as products of matrices over all images at once, with few copies of the maps. */
import { positions } from './depthwise-products.ts';
import { knownSizes, spatialSizes } from './no-gradient.ts';
import type { Attributes } from './ops.ts';
import { concat, matmul, pad, reshape, slice, transpose } from './ops.ts';
import { constant, type Tensor } from './tensor.ts';

type Settings = Attributes['Conv'];

const range = (length: number) => Array.from({ length }, (_, i) => i);
const modulo = (a: number, b: number) => ((a % b) + b) % b;

/** Up to this many columns, and with any strides, images are the last axis from this many on: longer runs to copy. */
const fewColumns = 16;
const manyImages = 8;

/** Maps with channels first, and where their spatial axes begin. */
interface Layout {
  readonly first: number;
  turned(map: Tensor): Tensor;
}

function layoutOf(x: Tensor, { strides }: Settings): Layout {
  const spatial = spatialSizes(x);
  const [images] = x.dims;
  const short = spatial.at(-1)! <= fewColumns || strides.some(stride => stride > 1);
  return short && typeof images === 'number' && images >= manyImages
    ? { first: 1, turned: imagesLast }
    : { first: 2, turned: map => transpose(map, { perm: [1, 0, ...range(spatial.length).map(i => i + 2)] }) };
}

/** [N,C,…] → [C,…,N], as one exchange of two axes. */
function imagesLast(map: Tensor): Tensor {
  const sizes = knownSizes(map.dims.slice(1), 'channels, height and width');
  return reshape(transpose(reshape(map, [0, -1]), { perm: [1, 0] }), [...sizes, -1]);
}

/** Zeros put before and after along an axis, or, below zero, places taken away. */
interface Margin {
  readonly axis: number;
  readonly before: number;
  readonly after: number;
}

function withMargins(map: Tensor, margins: readonly Margin[]): Tensor {
  const rank = map.dims.length;
  const pads = new Array<number>(2 * rank).fill(0);
  for (const { axis, before, after } of margins) [pads[axis], pads[axis + rank]] = [before, after];
  return pads.some(size => size !== 0) ? pad(map, { pads }) : map;
}

/** The first place that a position of the kernel sees, along each axis of the input. */
const startsOf = ({ pads, dilations }: Settings, position: readonly number[]) =>
  position.map((k, axis) => k * dilations[axis]! - pads[axis]!);

/**
 * The input [C,…] as positions of the kernel see it: along the first spatial axis from a row below the stride on, along the
 * others from their own starts on.
 */
function viewsOf(x: Tensor, g: Tensor, rows: number, settings: Settings): (starts: readonly number[]) => Tensor {
  const { strides, pads } = settings;
  const [from, to] = [spatialSizes(x), spatialSizes(g)];
  const { first, turned } = layoutOf(x, settings);
  const map = turned(x);
  const others = range(from.length).slice(1);
  if (strides.every(stride => stride === 1))
    return starts => {
      const after = (i: number) => to[i]! + starts[i]! - from[i]!;
      return withMargins(
        map,
        others.map(i => ({ axis: first + i, before: -starts[i]!, after: after(i) })),
      );
    };
  const wide = others.map(i => ({ axis: first + i, before: pads[i]!, after: pads[i + from.length]! }));
  const full = withMargins(map, [{ axis: first, before: 0, after: rows * strides[0]! - from[0]! }, ...wide]);
  return ([row, ...rest]) => {
    const starts = [row!, ...rest.map((at, i) => at + pads[i + 1]!)];
    const ends = starts.map((at, i) => at + ((i === 0 ? rows : to[i]!) - 1) * strides[i]! + 1);
    return slice(full, { starts, ends, axes: starts.map((_, i) => first + i), steps: strides });
  };
}

/** What is made for a key, once. */
function once(make: (key: readonly number[]) => Tensor): (...key: number[]) => Tensor {
  const made = new Map<string, Tensor>();
  return (...key) => {
    const known = made.get(`${key}`) ?? make(key);
    made.set(`${key}`, known);
    return known;
  };
}

/**
 * The gradient for the kernel [M,C/group,…]. A position's place on the first axis moves g, its place on the others the input:
 * 3×3 positions need two moved copies of each, instead of nine of one.
 * @param x [N,C,…] of known sizes but N
 * @param g [N,M,…], the gradient of the convolution's output
 */
export function kernelByPositions(x: Tensor, g: Tensor, kernel: readonly number[], settings: Settings): Tensor {
  const { strides, group } = settings;
  const [channels, outputs] = knownSizes([x.dims[1]!, g.dims[1]!], 'the numbers of channels') as [number, number];
  const [from, to] = [spatialSizes(x), spatialSizes(g)];
  const rows = Math.ceil(from[0]! / strides[0]!);
  const { first, turned } = layoutOf(x, settings);
  const gradient = turned(g);
  const moved = once(([by]) => withMargins(gradient, [{ axis: first, before: by!, after: rows - to[0]! - by! }]));
  const view = once(viewsOf(x, g, rows, settings));
  const depth = channels / group;
  const weights = outputs * depth;
  const each = positions(kernel).map(position => {
    const [start, ...rest] = startsOf(settings, position) as [number, ...number[]];
    // Nothing but padding.
    const blind = [start, ...rest].some((at, i) => at >= from[i]! || at + (to[i]! - 1) * strides[i]! < 0);
    if (blind) return constant(new Float32Array(weights), [1, weights]);
    const behind = reshape(moved(Math.floor(start / strides[0]!)), [group, outputs / group, -1]);
    const seen = reshape(view(modulo(start, strides[0]!), ...rest), [group, depth, -1]);
    return reshape(matmul(behind, transpose(seen, { perm: [0, 2, 1] })), [1, weights]);
  });
  const all = each.length === 1 ? each[0]! : transpose(concat(each, { axis: 0 }), { perm: [1, 0] });
  return reshape(all, [outputs, depth, ...kernel]);
}

/** [N,C,h,w] → [h,w,N·C], as one exchange of two axes. */
function placesFirst(map: Tensor): Tensor {
  const [images, channels, ...spatial] = knownSizes(map.dims, 'the sizes of the map') as [number, number, ...number[]];
  return reshape(transpose(reshape(map, [images * channels, -1]), { perm: [1, 0] }), [...spatial, images * channels]);
}

/**
 * The gradient for the input [N,C,…], at strides of 1 and in one group: what every place got from the places of g around it, as
 * one product of matrices. For small maps, on which a convolution's product per image is narrow.
 * @param pads with which g, slid over, gives the size of the input
 */
export function inputByProduct(
  g: Tensor,
  w: Tensor,
  spatial: readonly number[],
  { pads, dilations }: Pick<Settings, 'pads' | 'dilations'>,
): Tensor {
  const [images] = knownSizes(g.dims.slice(0, 1), 'the number of images') as [number];
  const [outputs, channels, ...kernel] = knownSizes(w.dims, 'the sizes of the kernel') as [number, number, ...number[]];
  const rank = kernel.length;
  const margins = range(rank).map(axis => ({ axis, before: pads[axis]!, after: pads[axis + rank]! }));
  const wide = withMargins(placesFirst(g), margins);
  const views = positions(kernel).map(position => {
    const starts = position.map((k, i) => (kernel[i]! - 1 - k) * dilations[i]!);
    const ends = starts.map((start, i) => start + spatial[i]!);
    return reshape(slice(wide, { starts, ends, axes: range(rank) }), [-1, outputs]);
  });
  const taps = reshape(transpose(reshape(w, [outputs * channels, -1]), { perm: [1, 0] }), [-1, channels]);
  const rows = reshape(matmul(concat(views, { axis: 1 }), taps), [-1, images * channels]);
  return reshape(transpose(rows, { perm: [1, 0] }), [images, channels, ...spatial]);
}
