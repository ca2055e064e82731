/** The gradient of a depthwise kernel on wide maps: products of matrices per channel for the left and the right half, and what meets in the middle. */
import { heightened, pairsSeen } from './depthwise-products.ts';
import { knownSizes, spatialSizes } from './no-gradient.ts';
import type { Attributes } from './ops.ts';
import { add, concat, matmul, pad, reshape, slice, transpose } from './ops.ts';
import { constant, type Tensor } from './tensor.ts';
import { count, positions } from './windows.ts';

type Settings = Pick<Attributes['Conv'], 'strides' | 'pads' | 'dilations'>;

const range = (length: number) => Array.from({ length }, (_, i) => i);

/** How far a column of the kernel sees at most, in columns. */
function reachOf(kernel: readonly number[], { pads, dilations }: Settings): number {
  const [before, all] = [pads[1]!, (kernel[1]! - 1) * dilations[1]!];
  return Math.max(before, all - before);
}

/** Whether maps of these sizes have halves that can be multiplied apart. */
export function canHalve(
  from: readonly number[],
  to: readonly number[],
  kernel: readonly number[],
  settings: Settings,
): boolean {
  const [width, columns] = [from[1], to[1]];
  const same = from.length === 2 && width === columns && settings.strides.every(stride => stride === 1);
  return same && columns! % 2 === 0 && 2 * reachOf(kernel, settings) <= columns!;
}

/** Which places of the middle see each other across it: ones in [columns · columns, taps]. */
function acrossMiddle(reach: number, taps: number, { pads, dilations }: Settings): Tensor {
  const columns = 2 * reach;
  const data = new Float32Array(columns * columns * taps);
  for (const [from, tap] of positions([columns, taps]) as [number, number][]) {
    const at = from - pads[1]! + tap * dilations[1]!;
    const across = at < reach !== from < reach;
    if (across && at >= 0 && at < columns) data[(at * columns + from) * taps + tap] = 1;
  }
  return constant(data, [columns * columns, taps]);
}

/**
 * The gradient for the kernel [C,1,h,w] of maps x [N,C,H,W] from the gradient g of what they gave. A row of the kernel moves g, and
 * of all pairs of columns only those in one half are multiplied, which is half the work; N alone may be unknown.
 */
export function kernelByHalves(x: Tensor, g: Tensor, kernel: readonly number[], settings: Settings): Tensor {
  const [channels] = knownSizes([x.dims[1]!], 'the number of channels') as [number];
  const [[tall, width], [height]] = [spatialSizes(x), spatialSizes(g)] as [[number, number], [number]];
  const [rows, taps] = kernel as [number, number];
  const all = range(rows).map(k => k * settings.dilations[0]! - settings.pads[0]!);
  // Without the rows of the kernel that see nothing but padding.
  const ways = all.filter(by => by < tall && by > -height);
  if (ways.length === 0) return constant(new Float32Array(channels * count(kernel)), [channels, 1, ...kernel]);
  const [seen, behind] = [x, g].map(map => transpose(map, { perm: [1, 0, 2, 3] })) as [Tensor, Tensor];
  /** [C,ways,columns · columns] of maps [C,N,rows,W] in equal pieces. */
  const pairs = (from: Tensor, to: Tensor, columns: number) => {
    const side = transpose(reshape(from, [channels, -1, columns]), { perm: [0, 2, 1] });
    const each = ways.map(by => {
      const moved = heightened(to, by, tall - height - by);
      return reshape(matmul(side, reshape(moved, [channels, -1, columns])), [channels, 1, columns ** 2]);
    });
    return concat(each, { axis: 1 });
  };
  const half = width / 2;
  const line = { strides: [1], pads: settings.pads.filter((_, i) => i % 2), dilations: [settings.dilations[1]!] };
  const inside = matmul(
    pairs(seen, behind, half),
    pairsSeen({ from: [half], to: [half], kernel: [taps], settings: line }),
  );
  const reach = reachOf(kernel, settings);
  const middle = (map: Tensor) => slice(map, { starts: [half - reach], ends: [half + reach], axes: [3] });
  const across = () => matmul(pairs(middle(seen), middle(behind), 2 * reach), acrossMiddle(reach, taps, settings));
  const sums = reach === 0 ? inside : add(inside, across());
  const above = all.indexOf(ways[0]!);
  const whole = () => pad(sums, { pads: [0, above, 0, 0, rows - above - ways.length, 0] });
  return reshape(ways.length === rows ? sums : whole(), [channels, 1, ...kernel]);
}
