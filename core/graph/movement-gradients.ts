/** Gradients of Slice, Gather, Pad and Resize: every element goes back to where it came from. */
import { knownSizes, NoGradient } from './no-gradient.ts';
import { type Attributes, concat, expand, pad, reshape, scatterElements, shape, slice } from './ops.ts';
import { backAlong, paddingMatrix, resizeMatrix } from './resampling.ts';
import { isKnown, sizesOf } from './sizes-of.ts';
import { constant, integers, type Tensor } from './tensor.ts';

/** Zeros around g, or g scattered back one axis at a time where steps leave gaps. */
export function sliceGradient(x: Tensor, g: Tensor, { starts, ends, axes, steps }: Attributes['Slice']): Tensor {
  const lengths = knownSizes(
    axes.map(axis => x.dims[axis]!),
    'the sizes of sliced axes',
  );
  const chosen = axes.map((axis, i) => ({
    axis,
    size: lengths[i]!,
    ...places(lengths[i]!, starts[i]!, ends[i]!, steps[i]!),
  }));
  return chosen.reduce((back, cut) => (cut.step === 1 ? padded(back, cut) : scattered(back, cut)), g);
}

interface Cut {
  readonly axis: number;
  readonly size: number;
  readonly from: number;
  readonly count: number;
  readonly step: number;
}

/** First position, number and distance of what Python's slice takes of an axis. */
function places(size: number, start: number, end: number, step: number) {
  const [lowest, highest] = step < 0 ? [-1, size - 1] : [0, size];
  const held = (at: number) => Math.min(Math.max(at < 0 ? at + size : at, lowest), highest);
  const from = Math.max(held(start), 0);
  return { from, count: Math.max(0, Math.ceil((held(end) - from) / step)), step };
}

function padded(g: Tensor, { axis, size, from, count }: Cut): Tensor {
  if (count === size) return g;
  const pads = new Array<number>(2 * g.dims.length).fill(0);
  pads[axis] = from;
  pads[axis + g.dims.length] = size - from - count;
  return pad(g, { pads });
}

const scattered = (g: Tensor, { axis, size, from, count, step }: Cut): Tensor =>
  scatteredAlong(g, axis, size, integers(Array.from({ length: count }, (_, i) => from + i * step)));

/** Zeros `size` long along an axis, with the slices of g added where the indices (one axis) point. */
function scatteredAlong(g: Tensor, axis: number, size: number, indices: Tensor): Tensor {
  const onAxis = g.dims.map((_, i) => (i === axis ? -1 : 1));
  const target = expand(constant(0), sizesWith(g, axis, size));
  return scatterElements(target, expand(reshape(indices, onAxis), sizesOf(g)), g, { axis, reduction: 'add' });
}

/** The sizes of x with another one at an axis. */
function sizesWith(x: Tensor, axis: number, size: number): Tensor {
  const dims = x.dims.with(axis, size);
  if (isKnown(dims)) return integers(dims);
  const [before, after] = [
    slice(shape(x), { starts: [0], ends: [axis] }),
    slice(shape(x), { starts: [axis + 1], ends: [2 ** 40] }),
  ];
  return concat([before, integers([size]), after], { axis: 0 });
}

/** g added up where its slices came from, in the order of the indices. */
export function gatherGradient(x: Tensor, indices: Tensor, g: Tensor, axis: number): Tensor {
  const [size, ...after] = knownSizes(x.dims.slice(axis), 'the sizes from the gathered axis on');
  const flat = reshape(g, [...new Array<number>(axis).fill(0), -1, ...after]);
  return scatteredAlong(flat, axis, size!, reshape(indices, [-1]));
}

/** Each axis of g times the transpose of the matrix that resized it. */
export function resizeGradient(x: Tensor, y: Tensor, g: Tensor, attributes: Attributes['Resize']): Tensor {
  let back = g;
  for (const [axis, dim] of x.dims.entries()) {
    const unchanged = attributes.scales ? attributes.scales[axis] === 1 : dim === y.dims[axis];
    if (unchanged) continue;
    const [from, to] = knownSizes([dim, y.dims[axis]!], 'the sizes of resized axes');
    const matrix = resizeMatrix(from!, to!, attributes.scales?.[axis] ?? to! / from!, attributes);
    if (matrix) back = backAlong(back, axis, matrix);
  }
  return back;
}

/** What lies inside the padding, and what edges or mirror images add to it. */
export function padGradient(x: Tensor, g: Tensor, { pads, mode }: Attributes['Pad']): Tensor {
  const rank = x.dims.length;
  if (mode === 'constant') {
    const axes = [...x.dims.keys()].filter(axis => pads[axis] !== 0 || pads[axis + rank] !== 0);
    const starts = axes.map(axis => pads[axis]!);
    const ends = axes.map(axis => (pads[axis + rank] === 0 ? 2 ** 40 : -pads[axis + rank]!));
    if (pads.some(size => size < 0)) throw new NoGradient('negative padding; use Slice');
    return axes.length === 0 ? g : slice(g, { starts, ends, axes });
  }
  let back = g;
  for (const [axis, dim] of x.dims.entries()) {
    const [before, after] = [pads[axis]!, pads[axis + rank]!];
    if (before === 0 && after === 0) continue;
    const [size] = knownSizes([dim], 'the sizes of padded axes');
    back = backAlong(back, axis, paddingMatrix(size!, before, after, mode)!);
  }
  return back;
}
