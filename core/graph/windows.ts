/** Windows that slide over maps: which place each of their positions sees, and copies of what they see by one Gather. */
import type { Attributes } from './ops.ts';
import { gather, pad, reshape } from './ops.ts';
import { constant, type Tensor } from './tensor.ts';

export const count = (sizes: readonly number[]) => sizes.reduce((a, b) => a * b, 1);

/** Every position of a kernel or place of a map, row-major. */
export function positions(sizes: readonly number[]): number[][] {
  return sizes.reduce<number[][]>(
    (all, size) => all.flatMap(at => Array.from({ length: size }, (_, i) => [...at, i])),
    [[]],
  );
}

export interface SlidingWindow {
  /** Sizes of the map that it slides over. */
  readonly from: readonly number[];
  /** Sizes of what it gives. */
  readonly to: readonly number[];
  readonly kernel: readonly number[];
  readonly settings: Pick<Attributes['Conv'], 'strides' | 'pads' | 'dilations'>;
}

/** The place of the map that a position of the window sees from each place of the result; padding is the place after the last. */
export function placesSeen(
  { from, to, settings: { strides, pads, dilations } }: SlidingWindow,
  position: readonly number[],
): number[] {
  return positions(to).map(target => {
    const at = target.map((p, axis) => p * strides[axis]! - pads[axis]! + position[axis]! * dilations[axis]!);
    const beyond = at.some((p, axis) => p < 0 || p >= from[axis]!);
    return beyond ? count(from) : at.reduce((flat, p, axis) => flat * from[axis]! + p, 0);
  });
}

/** What stands at the numbers of a table along an axis, and zeros for the number after the last. */
function picked(map: Tensor, axis: number, table: ArrayLike<number>, dims: readonly number[]): Tensor {
  const beyond = map.dims[axis] as number;
  const pads = [...map.dims.map(() => 0), ...map.dims.map((_, i) => (i === axis ? 1 : 0))];
  const numbers = Int32Array.from(table);
  const padded = numbers.includes(beyond) ? pad(map, { pads }) : map;
  return gather(padded, constant(numbers, dims), { axis });
}

/** [C,…,N] → [C,positions,places,N]: the map as each position of the window sees it. */
export function seenByPosition(map: Tensor, window: SlidingWindow): Tensor {
  const rows = reshape(map, [map.dims[0] as number, count(window.from), -1]);
  const table = positions(window.kernel).flatMap(position => placesSeen(window, position));
  return picked(rows, 1, table, [count(window.kernel), count(window.to)]);
}

/** [places,N,C] → [N · places of the result,positions,C]: all that each place of the result sees, positions back to front. */
export function seenByPlace(map: Tensor, window: SlidingWindow): Tensor {
  const [places, images, channels] = map.dims as readonly [number, number, number];
  const seen = positions(window.kernel)
    .reverse()
    .map(position => placesSeen(window, position));
  const row = (place: number, image: number) => place * images + (place < places ? image : 0);
  const table = positions([images, count(window.to)]).flatMap(([image, to]) =>
    seen.map(each => row(each[to!]!, image!)),
  );
  return picked(reshape(map, [places * images, channels]), 0, table, [images * count(window.to), seen.length]);
}

/**
 * [C,positions · places of the result,N] → [C,most,places of the map,N]: what was made for each place of the map, wherever a position
 * of the window saw it, and zeros where it was seen less often than others.
 */
export function givenBack(parts: Tensor, window: SlidingWindow): Tensor {
  const to = count(window.to);
  const given = Array.from({ length: count(window.from) }, (): number[] => []);
  for (const [k, position] of positions(window.kernel).entries())
    for (const [i, place] of placesSeen(window, position).entries()) given[place]?.push(k * to + i);
  const most = Math.max(1, ...given.map(({ length }) => length));
  const none = count(window.kernel) * to;
  const table = positions([most, given.length]).map(([time, place]) => given[place!]![time!] ?? none);
  return picked(parts, 1, table, [most, given.length]);
}

/** How rows of maps move down: by each of `ways` a copy of so many `rows`, for each group of channels. */
export interface Moves {
  readonly ways: readonly number[];
  readonly rows: number;
  readonly group: number;
}

/** [N,C,h,…] → [group,ways · C/group,N · rows · …]. */
export function movedDown(map: Tensor, { ways, rows, group }: Moves): Tensor {
  const [images, channels, height, ...rest] = map.dims as readonly [number, number, number, ...number[]];
  const depth = channels / group;
  const [maps, beyond] = [images * channels, images * channels * height];
  const table = new Int32Array(ways.length * maps * rows);
  let end = 0;
  for (let part = 0; part < channels; part += depth)
    for (const by of ways)
      for (let channel = part; channel < part + depth; channel++)
        for (let map = channel; map < maps; map += channels)
          for (let row = -by; row < rows - by; row++)
            table[end++] = row < 0 || row >= height ? beyond : map * height + row;
  const picks = picked(reshape(map, [beyond, count(rest)]), 0, table, [table.length]);
  return reshape(picks, [group, ways.length * depth, -1]);
}
