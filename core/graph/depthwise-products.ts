/** Depthwise convolutions and their gradients as products of matrices: the sums over pairs of places, of which each position of the kernel takes its own. */
import { knownSizes, spatialSizes } from './no-gradient.ts';
import type { Attributes } from './ops.ts';
import { add, concat, matmul, pad, reshape, transpose } from './ops.ts';
import { type ConstantTensor, constant, constantData, type Tensor } from './tensor.ts';
import { count, placesSeen, positions, type SlidingWindow } from './windows.ts';

type Settings = Pick<Attributes['Conv'], 'strides' | 'pads' | 'dilations'>;

const range = (length: number) => Array.from({ length }, (_, i) => i);

/** Which place of the map a position of the kernel sees from each place of the result: ones in [from · to, kernel]. */
export function pairsSeen(window: SlidingWindow): ConstantTensor {
  const [from, places, taps] = [count(window.from), count(window.to), count(window.kernel)];
  const data = new Float32Array(from * places * taps);
  for (const [k, position] of positions(window.kernel).entries())
    for (const [j, i] of placesSeen(window, position).entries()) if (i < from) data[(i * places + j) * taps + k] = 1;
  return constant(data, [from * places, taps]);
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

/** How a row of the kernel sees the input, whose rows stand side by side, as many as the stride is long. */
interface RowSeen {
  /** Which of those. */
  readonly side: number;
  /** How far the gradient moves down to stand beside what it came from. */
  readonly by: number;
}

function rowsSeen(kernel: number, { strides, pads, dilations }: Settings): RowSeen[] {
  return range(kernel).map(k => {
    const start = k * dilations[0]! - pads[0]!;
    const by = Math.floor(start / strides[0]!);
    return { side: start - by * strides[0]!, by };
  });
}

/** Sides of the product: columns of the input side by side, and of the gradient in all the ways that it is moved. */
interface Sides {
  readonly seen: readonly RowSeen[];
  readonly ways: readonly number[];
  /** Columns of the input, as many times its width as the stride is long. */
  readonly wide: number;
  /** Whether the gradient comes first. */
  readonly turned: boolean;
}

/** Which pairs of these columns each position of the kernel sees: ones in [pairs, kernel]. */
function columnsSeen(window: SlidingWindow, { seen, ways, wide, turned }: Sides): Tensor {
  const [[width], [columns], [across]] = [window.from, window.to, window.kernel];
  const one = constantData(pairsSeen(window)) as Float32Array;
  const [taps, behind] = [seen.length * across!, ways.length * columns!];
  const data = new Float32Array(wide * behind * taps);
  for (const [k, { side, by }] of seen.entries()) {
    const way = ways.indexOf(by);
    if (way < 0) continue;
    for (let i = 0; i < width!; i++)
      for (let j = 0; j < columns!; j++) {
        const [at, beside] = [side * width! + i, way * columns! + j];
        const pair = turned ? beside * wide + at : at * behind + beside;
        for (let l = 0; l < across!; l++) data[pair * taps + k * across! + l] = one[(i * columns! + j) * across! + l]!;
      }
  }
  return constant(data, [wide * behind, taps]);
}

/** Zeros above and below every map, or, below zero, rows taken away. */
export const heightened = (map: Tensor, above: number, below: number): Tensor =>
  above === 0 && below === 0 ? map : pad(map, { pads: [0, 0, above, 0, 0, 0, below, 0] });

/**
 * The same by all pairs of columns, in one product of matrices per channel: rows of the input stand side by side, as many as the
 * stride is long, g once for each way that a row of the kernel moves it. For maps with two axes.
 */
export function kernelByRows(x: Tensor, g: Tensor, kernel: readonly number[], settings: Settings): Tensor {
  const { strides, pads, dilations } = settings;
  const [channels] = knownSizes([x.dims[1]!], 'the number of channels') as [number];
  const [[tall, width], [height, columns]] = [spatialSizes(x), spatialSizes(g)] as [[number, number], [number, number]];
  const down = strides[0]!;
  const rows = Math.ceil(tall / down);
  const seen = rowsSeen(kernel[0]!, settings);
  // Without the rows of the kernel that see nothing but padding.
  const ways = [...new Set(seen.map(({ by }) => by))].filter(by => by < rows && by > -height);
  if (ways.length === 0) return constant(new Float32Array(channels * count(kernel)), [channels, 1, ...kernel]);
  const perChannel = (map: Tensor) => transpose(map, { perm: [1, 0, 2, 3] });
  const sides = reshape(heightened(perChannel(x), 0, rows * down - tall), [channels, -1, down * width]);
  const gradient = perChannel(g);
  const moved = ways.map(by => heightened(gradient, by, rows - height - by));
  const behind = reshape(concat(moved, { axis: 3 }), [channels, -1, ways.length * columns]);
  // The narrower first, which the product turns.
  const all: Sides = { seen, ways, wide: down * width, turned: down * width > ways.length * columns };
  const [first, second] = all.turned ? [behind, sides] : [sides, behind];
  const pairs = matmul(transpose(first, { perm: [0, 2, 1] }), second);
  const last = { strides: [strides[1]!], pads: [pads[1]!, pads[3]!], dilations: [dilations[1]!] };
  const window = { from: [width], to: [columns], kernel: [kernel[1]!], settings: last };
  const sums = matmul(reshape(pairs, [channels, -1]), columnsSeen(window, all));
  return reshape(sums, [channels, 1, ...kernel]);
}

/**
 * The convolution as a matrix per channel: [C,from,to].
 * @param axes in front, of size 1, while they are made: the runtime keeps a buffer from one tensor to the next of the same dims,
 *   those of the way forward for the way back, unless their dims differ
 */
function matrices(w: Tensor, window: SlidingWindow, axes: readonly 1[] = []): Tensor {
  const [channels] = knownSizes([w.dims[0]!], 'the number of channels');
  const taps = reshape(w, [...axes, channels!, count(window.kernel)]);
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
  { to, settings }: Pick<SlidingWindow, 'to' | 'settings'>,
): Tensor {
  const kernel = knownSizes(w.dims.slice(2), 'the sizes of the kernel');
  const window = { from: spatialSizes(x), to, kernel, settings };
  return withBias(asMap(matmul(byChannel(x), matrices(w, window, [1])), to), bias);
}

/** y = ConvTranspose(x, w): the way back of the convolution that slides over y. */
export function sentBackByProducts(
  x: Tensor,
  w: Tensor,
  bias: Tensor | undefined,
  { to, settings }: Pick<SlidingWindow, 'to' | 'settings'>,
): Tensor {
  const kernel = knownSizes(w.dims.slice(2), 'the sizes of the kernel');
  const window = { from: to, to: spatialSizes(x), kernel, settings };
  const back = transpose(matrices(w, window), { perm: [0, 2, 1] });
  return withBias(asMap(matmul(byChannel(x), back), to), bias);
}
