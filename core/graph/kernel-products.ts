/** Gradients of kernels as products of matrices over all images at once, with few copies of the maps; and convolutions themselves. */
import { knownSizes, spatialSizes } from './no-gradient.ts';
import type { Attributes } from './ops.ts';
import { add, concat, gemm, matmul, pad, reshape, slice, transpose } from './ops.ts';
import { isKnown } from './sizes-of.ts';
import { constant, type Tensor } from './tensor.ts';
import { count, movedDown, positions, seenByPosition } from './windows.ts';

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
  return short && typeof images === 'number' && images >= manyImages ? { first: 1, turned: imagesLast } : channelsFirst;
}

/** [N,C,…] → [C,N,…]. */
const channelsFirst: Layout = {
  first: 2,
  turned: map => transpose(map, { perm: [1, 0, ...range(map.dims.length).slice(2)] }),
};

/** Up to so many images a product with the identity, in which all threads take part, exchanges axes faster than Transpose; as exactly. */
const fewImages = 64;

/** [N,C,…] → [C,…,N], as one exchange of two axes. */
export function imagesLast(map: Tensor): Tensor {
  const [images, ...sizes] = knownSizes(map.dims, 'the sizes of the map') as [number, ...number[]];
  const turned = transpose(reshape(map, [images, -1]), { perm: [1, 0] });
  return reshape(images <= fewImages ? matmul(turned, identityMatrix(images)) : turned, [...sizes, images]);
}

function identityMatrix(size: number): Tensor {
  const data = new Float32Array(size * size);
  for (let i = 0; i < size; i++) data[i * size + i] = 1;
  return constant(data, [size, size]);
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

/** What gives the kernel's gradient. */
interface KernelProduct {
  /** [N,C,…] of known sizes but N. */
  readonly x: Tensor;
  /** [N,M,…], the gradient of the convolution's output. */
  readonly g: Tensor;
  readonly kernel: readonly number[];
  readonly settings: Settings;
}

/** M and C/group. */
function channelsOf({ x, g, settings: { group } }: KernelProduct): { outputs: number; depth: number } {
  const [channels, outputs] = knownSizes([x.dims[1]!, g.dims[1]!], 'the numbers of channels') as [number, number];
  return { outputs, depth: channels / group };
}

/** [group,a,places] · [group,b,places] → [group,a,b]. */
function placesSummed(a: Tensor, b: Tensor): Tensor {
  const [group, rows] = a.dims;
  if (group !== 1) return matmul(a, transpose(b, { perm: [0, 2, 1] }));
  const flat = (sides: Tensor) => reshape(sides, [sides.dims[1] as number, -1]);
  return reshape(gemm(flat(a), flat(b), undefined, { transB: 1 }), [1, rows as number, -1]);
}

/**
 * The gradient for the kernel [M,C/group,…]: one product with the input as every position sees it. The copies stand in the order
 * of the kernel, so that the result needs no other.
 */
export function kernelByColumns(of: KernelProduct): Tensor {
  const { x, g, kernel, settings } = of;
  const { outputs, depth } = channelsOf(of);
  const { group } = settings;
  const layout = kernel.every(size => size === 1) ? channelsFirst : layoutOf(x, settings);
  const seen = columnsSeen({ x, to: spatialSizes(g), kernel, settings }, layout);
  const columns = reshape(seen, [group, depth * count(kernel), -1]);
  const rows = reshape(layout.turned(g), [group, outputs / group, -1]);
  return reshape(placesSummed(rows, columns), [outputs, depth, ...kernel]);
}

interface Window {
  readonly x: Tensor;
  /** Sizes of what the convolution gives. */
  readonly to: readonly number[];
  readonly kernel: readonly number[];
  readonly settings: Omit<Settings, 'group'>;
}

/** The input as each position of the kernel sees it: [C,positions,…]. */
function columnsSeen({ x, to, kernel, settings }: Window, { first, turned }: Layout): Tensor {
  const { strides, pads, dilations } = settings;
  const from = spatialSizes(x);
  const map = turned(x);
  if (first === 1) return seenByPosition(map, { from, to, kernel, settings });
  const axes = range(to.length).map(i => first + i);
  const wide = withMargins(
    map,
    axes.map((axis, i) => ({ axis, before: pads[i]!, after: pads[i + to.length]! })),
  );
  if (count(kernel) === 1 && `${from}` === `${to}`) return wide;
  const views = positions(kernel).map(position => {
    const starts = position.map((k, i) => k * dilations[i]!);
    const ends = starts.map((start, i) => start + (to[i]! - 1) * strides[i]! + 1);
    const view = slice(wide, { starts, ends, axes, steps: strides });
    return reshape(view, [x.dims[1] as number, 1, -1]);
  });
  return concat(views, { axis: 1 });
}

/** The gradient and the input of a kernel's product, and where the positions of the kernel begin to see. */
interface Positioned extends KernelProduct {
  readonly starts: readonly (readonly number[])[];
  readonly layout: Layout;
  /** Rows of the input, as far as a stride reaches each. */
  readonly rows: number;
  /** [group,C/group,places]: the input as seen from these starts on. */
  seen(...starts: number[]): Tensor;
}

/**
 * The gradient for the kernel [M,C/group,…] with few copies of the maps. A position's place on the first axis moves g, its place on
 * the others the input: 3×3 positions need two moved copies of each, instead of nine of one.
 */
export function kernelByPositions(of: KernelProduct): Tensor {
  const { x, g, kernel, settings } = of;
  const { outputs, depth } = channelsOf(of);
  const [from, to] = [spatialSizes(x), spatialSizes(g)];
  const rows = Math.ceil(from[0]! / settings.strides[0]!);
  const view = viewsOf(x, g, rows, settings);
  const seen = once(starts => reshape(view(starts), [settings.group, depth, -1]));
  const starts = positions(kernel).map(position => startsOf(settings, position));
  // Nothing but padding.
  const isBlind = (at: readonly number[]) =>
    at.some((start, i) => start >= from[i]! || start + (to[i]! - 1) * settings.strides[i]! < 0);
  const positioned = { ...of, starts, layout: layoutOf(x, settings), rows, seen };
  const allAtOnce = isKnown(g.dims) && settings.strides.every(stride => stride === 1) && !starts.some(isBlind);
  const gradient = allAtOnce ? inOneProduct(positioned) : oneByOne(positioned, isBlind);
  return reshape(gradient, [outputs, depth, ...kernel]);
}

/** [group,M/group · C/group,positions], with all moved copies on either side at once. */
function inOneProduct(of: Positioned): Tensor {
  const { g, kernel, settings, starts, layout, rows, seen } = of;
  const { group } = settings;
  const { outputs, depth } = channelsOf(of);
  const ways = [...new Set(starts.map(([start]) => start!))];
  const single = layout.first === 1 ? reshape(layout.turned(g), [1, outputs, spatialSizes(g)[0]!, -1]) : g;
  const behind = movedDown(single, { ways, rows, group });
  const others = starts.slice(0, starts.length / kernel[0]!).map(([, ...rest]) => seen(0, ...rest));
  return allPairs(behind, concat(others, { axis: 1 }), { group, outputs, depth });
}

/** [M · C/group,positions], a product for each. */
function oneByOne(of: Positioned, isBlind: (at: readonly number[]) => boolean): Tensor {
  const { g, settings, starts, layout, rows, seen } = of;
  const { strides, group } = settings;
  const { outputs, depth } = channelsOf(of);
  const gradient = layout.turned(g);
  const moved = once(([by]) => {
    const after = rows - spatialSizes(g)[0]! - by!;
    const map = withMargins(gradient, [{ axis: layout.first, before: by!, after }]);
    return reshape(map, [group, outputs / group, -1]);
  });
  const weights = outputs * depth;
  const each = starts.map(([start, ...rest]) => {
    if (isBlind([start!, ...rest])) return constant(new Float32Array(weights), [1, weights]);
    const behind = moved(Math.floor(start! / strides[0]!));
    return reshape(placesSummed(behind, seen(modulo(start!, strides[0]!), ...rest)), [1, weights]);
  });
  return each.length === 1 ? each[0]! : transpose(concat(each, { axis: 0 }), { perm: [1, 0] });
}

/**
 * One product of everything on one side, [group,ways · M/group,places], with everything on the other, [group,others · C/group,places]:
 * [group,M/group · C/group,ways · others]. Whole rows change places first, which makes two exchanges a quarter of the time of one.
 */
function allPairs(
  a: Tensor,
  b: Tensor,
  { group, outputs, depth }: { readonly group: number; readonly outputs: number; readonly depth: number },
): Tensor {
  const [ways, others] = [(a.dims[1] as number) / (outputs / group), (b.dims[1] as number) / depth];
  const apart = reshape(placesSummed(a, b), [group, ways, outputs / group, others, depth]);
  const pairs = reshape(transpose(apart, { perm: [0, 1, 3, 2, 4] }), [group, ways * others, -1]);
  return transpose(pairs, { perm: [0, 2, 1] });
}

/**
 * y = Conv(x, w) in one group, as one product of matrices. For small maps, on which a convolution's product per image is narrow.
 * @param x [N,C,…] of known sizes
 */
export function convolvedByColumns(
  x: Tensor,
  w: Tensor,
  bias: Tensor | undefined,
  window: Omit<Window, 'x' | 'kernel'>,
): Tensor {
  const [outputs, depth, ...kernel] = knownSizes(w.dims, 'the sizes of the kernel') as [number, number, ...number[]];
  const seen = columnsSeen({ ...window, x, kernel }, { first: 1, turned: imagesLast });
  const columns = reshape(seen, [depth * count(kernel), -1]);
  const [images] = x.dims as readonly [number];
  const sums = reshape(matmul(reshape(w, [outputs, -1]), columns), [-1, images]);
  const y = reshape(transpose(sums, { perm: [1, 0] }), [images, outputs, ...window.to]);
  return bias ? add(y, reshape(bias, [1, -1, ...kernel.map(() => 1)])) : y;
}
