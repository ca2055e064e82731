/** Resize and Pad as one matrix per axis: what each new element takes of the old ones, and the way back for gradients. */
import { NoGradient } from './no-gradient.ts';
import { type Attributes, matmul, transpose } from './ops.ts';
import { constant, type Tensor } from './tensor.ts';

type Resize = Attributes['Resize'];

/** Old elements and their shares, per new element. */
type Taps = readonly (readonly [from: number, share: number])[];

const within = (at: number, size: number) => Math.min(Math.max(at, 0), size - 1);

/** Where a new position lies on the old axis (https://onnx.ai/onnx/operators/onnx__Resize.html). */
function sourcePosition(at: number, from: number, to: number, scale: number, how: Resize): number {
  switch (how.coordinate_transformation_mode) {
    case 'half_pixel':
      return (at + 0.5) / scale - 0.5;
    case 'pytorch_half_pixel':
      return to > 1 ? (at + 0.5) / scale - 0.5 : 0;
    case 'align_corners':
      return to > 1 ? (at * (from - 1)) / (to - 1) : 0;
    case 'asymmetric':
      return at / scale;
  }
}

function nearest(position: number, mode: Resize['nearest_mode']): number {
  if (mode === 'floor') return Math.floor(position);
  if (mode === 'ceil') return Math.ceil(position);
  return mode === 'round_prefer_floor' ? Math.ceil(position - 0.5) : Math.floor(position + 0.5);
}

/** A triangle around the position, as wide as one old element, or one new one where antialias makes it smaller. */
function linearTaps(position: number, size: number, scale: number, antialias: 0 | 1): Taps {
  const support = antialias && scale < 1 ? 1 / scale : 1;
  const taps: [number, number][] = [];
  for (let i = Math.ceil(position - support); i <= Math.floor(position + support); i++) {
    const share = 1 - Math.abs(i - position) / support;
    if (share > 0) taps.push([within(i, size), share]);
  }
  const total = taps.reduce((sum, [, share]) => sum + share, 0);
  return taps.map(([i, share]) => [i, share / total]);
}

function matrixOf(to: number, from: number, taps: (at: number) => Taps): Tensor {
  const data = new Float32Array(to * from);
  for (let at = 0; at < to; at++)
    for (const [source, share] of taps(at)) data[at * from + source] = data[at * from + source]! + share;
  return constant(data, [to, from]);
}

/** The matrix [to,from] that resizes an axis; undefined where it changes nothing. @throws NoGradient for cubic */
export function resizeMatrix(from: number, to: number, scale: number, how: Resize): Tensor | undefined {
  if (how.mode === 'cubic') throw new NoGradient('cubic interpolation has no gradient here; use linear');
  if (from === to && scale === 1) return undefined;
  return matrixOf(to, from, at => {
    const position = sourcePosition(at, from, to, scale, how);
    if (how.mode === 'nearest') return [[within(nearest(position, how.nearest_mode), from), 1]];
    return linearTaps(position, from, scale, how.antialias);
  });
}

/** The matrix that pads an axis by repeating its edge or its mirror image; undefined where it changes nothing. */
export function paddingMatrix(size: number, before: number, after: number, mode: 'reflect' | 'edge') {
  if (before === 0 && after === 0) return undefined;
  return matrixOf(size + before + after, size, at => {
    const i = at - before;
    if (mode === 'edge') return [[within(i, size), 1]];
    return [[i < 0 ? -i : i >= size ? 2 * (size - 1) - i : i, 1]];
  });
}

/** The transpose of a matrix [to,from] applied to an axis of g that is `to` long. */
export function backAlong(g: Tensor, axis: number, matrix: Tensor): Tensor {
  const rank = g.dims.length;
  if (axis === rank - 1) return matmul(g, matrix);
  const turned = transpose(matrix, { perm: [1, 0] });
  if (axis === rank - 2) return matmul(turned, g);
  const perm = g.dims.map((_, i) => (i === axis ? rank - 1 : i === rank - 1 ? axis : i));
  return transpose(matmul(transpose(g, { perm }), matrix), { perm });
}
