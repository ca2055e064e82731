/** The gradient for a convolution's input as a convolution of the output's gradient with the kernel turned round: its parts. */
import { spatialSizes } from './no-gradient.ts';
import type { Attributes } from './ops.ts';
import { matmul, pad, reshape, slice, transpose } from './ops.ts';
import { constant, type Tensor } from './tensor.ts';
import { count } from './windows.ts';

type Settings = Attributes['Conv'];

const repeated = (value: number, count: number) => new Array<number>(count).fill(value);
const range = (count: number) => Array.from({ length: count }, (_, i) => i);
const allOne = (values: readonly number[]) => values.every(value => value === 1);

/** Padding that makes the turned convolution as large as x; undefined where it would be negative. */
export function turnedPads(x: Tensor, kernel: readonly number[], settings: Settings): number[] | undefined {
  const { pads, dilations } = settings;
  const rank = kernel.length;
  const reach = kernel.map((size, i) => (size - 1) * dilations[i]!);
  const slack = leftOver(x, kernel, settings);
  const begins = reach.map((length, i) => length - pads[i]!);
  const ends = reach.map((length, i) => length - pads[i + rank]! + slack[i]!);
  return [...begins, ...ends].every(size => size >= 0) ? [...begins, ...ends] : undefined;
}

/** Rows at the end of each axis that no window reaches, since the stride does not come out even. */
export function leftOver(x: Tensor, kernel: readonly number[], { strides, pads, dilations }: Settings): number[] {
  if (allOne(strides)) return kernel.map(() => 0);
  return spatialSizes(x).map((size, i) => {
    const room = size + pads[i]! + pads[i + kernel.length]! - (kernel[i]! - 1) * dilations[i]! - 1;
    return room % strides[i]!;
  });
}

/** [M,C/group,…] → [C,M/group,…], every spatial axis back to front. */
export function turnedKernel(w: Tensor, group: number): Tensor {
  const [outputs, depth, ...kernel] = w.dims as readonly [number, number, ...number[]];
  const grouped = reshape(w, [group, outputs / group, depth, ...kernel]);
  const swapped = transpose(grouped, { perm: [0, 2, 1, ...range(kernel.length).map(i => i + 3)] });
  const turned = allOne(kernel) ? swapped : matmul(reshape(swapped, [-1, count(kernel)]), exchange(count(kernel)));
  return reshape(turned, [group * depth, outputs / group, ...kernel]);
}

/** The matrix that turns rows back to front: exact, and half the time of a Slice with negative steps. */
function exchange(size: number): Tensor {
  const data = new Float32Array(size * size);
  for (let i = 0; i < size; i++) data[i * size + size - 1 - i] = 1;
  return constant(data, [size, size]);
}

/** strides − 1 zeros between the positions of a map. */
export function spread(g: Tensor, strides: readonly number[]): Tensor {
  if (allOne(strides)) return g;
  const spatial = spatialSizes(g);
  const rank = spatial.length;
  const cells = reshape(g, [0, 0, ...spatial.flatMap(size => [size, 1])]);
  const ends = strides.flatMap(stride => [0, stride - 1]);
  const padded = pad(cells, { pads: [...repeated(0, 2 + 2 * rank), 0, 0, ...ends] });
  const dense = reshape(padded, [0, 0, ...spatial.map((size, i) => size * strides[i]!)]);
  return slice(dense, {
    starts: repeated(0, rank),
    ends: spatial.map((size, i) => (size - 1) * strides[i]! + 1),
    axes: range(rank).map(i => i + 2),
  });
}
