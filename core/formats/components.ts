/** Connected regions of a label map: pixels of one id that touch along edges (4-connectivity). */
import type { LabelMap } from '../labels/label-map.ts';

/** A rectangle of whole pixels. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Stretches of one id within a row, row by row from the left; those of id 0 are left out. */
export interface RowStretches {
  readonly count: number;
  /** [count]: first pixel, and the one behind the last. */
  readonly start: Uint32Array;
  readonly end: Uint32Array;
}

export interface Components {
  readonly count: number;
  /** [height, width]: number of the component, 0 … count − 1 in the order of their first pixels; −1 where the id is 0. */
  readonly component: Int32Array;
  /** [count]: id of each component, never 0. */
  readonly ids: Uint16Array;
  /** [count]: pixels of each component. */
  readonly pixels: Uint32Array;
  /** [count]: first pixel of each component. */
  readonly first: Uint32Array;
  readonly stretches: RowStretches;
}

/** The root of a set, halving the path to it on the way. */
function rootOf(parents: Int32Array, stretch: number): number {
  let at = stretch;
  while (parents[at] !== at) {
    parents[at] = parents[parents[at]!]!;
    at = parents[at]!;
  }
  return at;
}

/** Joins two sets; the earlier stretch becomes the root, so that roots are first stretches. */
function join(parents: Int32Array, a: number, b: number): void {
  const rootA = rootOf(parents, a);
  const rootB = rootOf(parents, b);
  if (rootA < rootB) parents[rootB] = rootA;
  else parents[rootA] = rootB;
}

/** Maps are mostly smooth: there are far fewer stretches than pixels, and only finding them looks at every pixel. */
class Stretches implements RowStretches {
  count = 0;
  start = new Uint32Array(1024);
  end = new Uint32Array(1024);

  add(start: number, end: number): void {
    if (this.count === this.start.length) {
      this.start = longer(this.start);
      this.end = longer(this.end);
    }
    this.start[this.count] = start;
    this.end[this.count++] = end;
  }
}

function longer(array: Uint32Array): Uint32Array<ArrayBuffer> {
  const grown = new Uint32Array(2 * array.length);
  grown.set(array);
  return grown;
}

/** @returns the stretches, and [height + 1] where those of each row begin */
function rowStretches({ width, height, data }: LabelMap): { stretches: Stretches; rows: Uint32Array } {
  const stretches = new Stretches();
  const rows = new Uint32Array(height + 1);
  for (let y = 0; y < height; y++) {
    addStretches(data, y * width, (y + 1) * width, stretches);
    rows[y + 1] = stretches.count;
  }
  return { stretches, rows };
}

/** Those of the row from `from` to before `to`. */
function addStretches(data: Uint16Array, from: number, to: number, stretches: Stretches): void {
  for (let i = from; i < to; ) {
    const id = data[i]!;
    const start = i;
    do i++;
    while (i < to && data[i] === id);
    if (id !== 0) stretches.add(start, i);
  }
}

/** Per stretch the first one of its component: stretches of one id join where they lie above each other. */
function joinRows(
  { width, height, data }: LabelMap,
  { count, start, end }: RowStretches,
  rows: Uint32Array,
): Int32Array {
  const parents = new Int32Array(count);
  for (let i = 0; i < count; i++) parents[i] = i;
  for (let y = 1; y < height; y++) {
    let above = rows[y - 1]!;
    for (let here = rows[y]!; here < rows[y + 1]!; here++) {
      const left = start[here]! - width;
      const right = end[here]! - width;
      while (above < rows[y]! && end[above]! <= left) above++;
      for (let other = above; other < rows[y]! && start[other]! < right; other++) {
        if (data[start[other]!] === data[start[here]!]) join(parents, other, here);
      }
    }
  }
  return parents;
}

/** Numbers the connected regions of every id but 0. */
export function connectedComponents(map: LabelMap): Components {
  const { data } = map;
  const { stretches, rows } = rowStretches(map);
  const parents = joinRows(map, stretches, rows);
  const component = new Int32Array(data.length).fill(-1);
  const first: number[] = [];
  const pixels: number[] = [];
  for (let i = 0; i < stretches.count; i++) {
    const start = stretches.start[i]!;
    const end = stretches.end[i]!;
    const root = rootOf(parents, i);
    const number = root === i ? first.length : component[stretches.start[root]!]!;
    if (root === i) {
      first.push(start);
      pixels.push(0);
    }
    component.fill(number, start, end);
    pixels[number]! += end - start;
  }
  return {
    ...{ count: first.length, component, stretches },
    ids: Uint16Array.from(first, pixel => data[pixel]!),
    pixels: Uint32Array.from(pixels),
    first: Uint32Array.from(first),
  };
}
