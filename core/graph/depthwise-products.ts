/** Depthwise convolutions and their gradients as products of matrices: the sums over pairs of places, of which each position of the kernel takes its own. */
import { knownSizes, spatialSizes } from './no-gradient.ts';
import type { Attributes } from './ops.ts';
import { add, concat, matmul, pad, reshape, slice, transpose } from './ops.ts';
import { constant, type Tensor } from './tensor.ts';

type Settings = Pick<Attributes['Conv'], 'strides' | 'pads' | 'dilations'>;

const count = (sizes: readonly number[]) => sizes.reduce((a, b) => a * b, 1);
const range = (length: number) => Array.from({ length }, (_, i) => i);

/** Every position of a kernel or place of a map, row-major. */
export function positions(sizes: readonly number[]): number[][] {
  return sizes.reduce<number[][]>((all, size) => all.flatMap(at => range(size).map(i => [...at, i])), [[]]);
}

interface Window {
  /** Of the map that the window slides over, of what it gives, and of the window itself. */
  readonly from: readonly number[];
  readonly to: readonly number[];
  readonly kernel: readonly number[];
  readonly settings: Settings;
}

/** Which place of the map a position of the kernel sees from each place of the result: ones in [from · to, kernel]. */
function pairsSeen({ from, to, kernel, settings: { strides, pads, dilations } }: Window): Tensor {
  const [places, taps] = [count(to), count(kernel)];
  const data = new Float32Array(count(from) * places * taps);
  const targets = positions(to);
  for (const [k, position] of positions(kernel).entries())
    for (const [j, target] of targets.entries()) {
      const at = target.map((p, axis) => p * strides[axis]! - pads[axis]! + position[axis]! * dilations[axis]!);
      if (at.some((p, axis) => p < 0 || p >= from[axis]!)) continue;
      const i = at.reduce((flat, p, axis) => flat * from[axis]! + p, 0);
      data[(i * places + j) * taps + k] = 1;
    }
  return constant(data, [count(from) * places, taps]);
}

/** [N,C,…] → [C,N,places]. */
const byChannel = (map: Tensor): Tensor =>
  transpose(reshape(map, [0, 0, count(spatialSizes(map))]), { perm: [1, 0, 2] });

/** The gradient for the kernel [C,1,…]: all pairs of places at once. For small maps. */
export function kernelByPairs(x: Tensor, g: Tensor, kernel: readonly number[], settings: Settings): Tensor {
  const window = { from: spatialSizes(x), to: spatialSizes(g), kernel, settings };
  const [channels] = knownSizes([x.dims[1]!], 'the number of channels');
  const all = matmul(transpose(byChannel(x), { perm: [0, 2, 1] }), byChannel(g));
  const flat = reshape(all, [channels!, count(window.from) * count(window.to)]);
  return reshape(matmul(flat, pairsSeen(window)), [channels!, 1, ...kernel]);
}

/** The same row by row: all pairs of columns, for each row of the kernel. For maps with two axes. */
export function kernelByRows(x: Tensor, g: Tensor, kernel: readonly number[], settings: Settings): Tensor {
  const { strides, pads, dilations } = settings;
  const [channels] = knownSizes([x.dims[1]!], 'the number of channels');
  const [[, width], [height, columns]] = [spatialSizes(x), spatialSizes(g)] as [number[], [number, number]];
  const last = { strides: [strides[1]!], pads: [pads[1]!, pads[3]!], dilations: [dilations[1]!] };
  const seen = pairsSeen({ from: [width!], to: [columns], kernel: [kernel[1]!], settings: last });
  const perChannel = transpose(x, { perm: [1, 0, 2, 3] });
  const padded = pads[0] || pads[2] ? pad(perChannel, { pads: [0, 0, pads[0]!, 0, 0, 0, pads[2]!, 0] }) : perChannel;
  const behind = reshape(transpose(g, { perm: [1, 0, 2, 3] }), [channels!, -1, columns]);
  const rows = range(kernel[0]!).map(k => {
    const start = k * dilations[0]!;
    const end = start + (height - 1) * strides[0]! + 1;
    const view = slice(padded, { starts: [start], ends: [end], axes: [2], steps: [strides[0]!] });
    const turned = transpose(reshape(view, [channels!, -1, width!]), { perm: [0, 2, 1] });
    return reshape(matmul(reshape(matmul(turned, behind), [channels!, width! * columns]), seen), [channels!, 1, 1, -1]);
  });
  return rows.length === 1 ? rows[0]! : concat(rows, { axis: 2 });
}

/** The convolution as a matrix per channel: [C,from,to]. */
function matrices(w: Tensor, window: Window): Tensor {
  const [channels] = knownSizes([w.dims[0]!], 'the number of channels');
  const taps = reshape(w, [channels!, count(window.kernel)]);
  const all = matmul(taps, transpose(pairsSeen(window), { perm: [1, 0] }));
  return reshape(all, [channels!, count(window.from), count(window.to)]);
}

/** [C,N,places] → [N,C,…]. */
const asMap = (rows: Tensor, sizes: readonly number[]): Tensor =>
  reshape(transpose(rows, { perm: [1, 0, 2] }), [0, 0, ...sizes]);

const withBias = (y: Tensor, bias: Tensor | undefined): Tensor =>
  bias ? add(y, reshape(bias, [1, -1, ...y.dims.slice(2).map(() => 1)])) : y;

/** y = Conv(x, w) with a kernel [C,1,…] per channel. */
export function convolvedByProducts(
  x: Tensor,
  w: Tensor,
  bias: Tensor | undefined,
  { to, settings }: Pick<Window, 'to' | 'settings'>,
): Tensor {
  const kernel = knownSizes(w.dims.slice(2), 'the sizes of the kernel');
  const window = { from: spatialSizes(x), to, kernel, settings };
  return withBias(asMap(matmul(byChannel(x), matrices(w, window)), to), bias);
}

/** y = ConvTranspose(x, w): the way back of the convolution that slides over y. */
export function sentBackByProducts(
  x: Tensor,
  w: Tensor,
  bias: Tensor | undefined,
  { to, settings }: Pick<Window, 'to' | 'settings'>,
): Tensor {
  const kernel = knownSizes(w.dims.slice(2), 'the sizes of the kernel');
  const window = { from: to, to: spatialSizes(x), kernel, settings };
  const back = transpose(matrices(w, window), { perm: [0, 2, 1] });
  return withBias(asMap(matmul(byChannel(x), back), to), bias);
}
