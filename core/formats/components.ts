/** Connected regions of a label map: pixels of one id that touch along edges (4-connectivity). */
import type { LabelMap } from '../labels/label-map.ts';

/** A rectangle of whole pixels. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

export interface Components {
  readonly count: number;
  /** [height, width]: number of the component, 0 … count − 1 in the order of their first pixels; −1 where the id is 0. */
  readonly component: Int32Array;
  /** [count]: id of each component, never 0. */
  readonly ids: Uint16Array;
  /** [count]: pixels of each component. */
  readonly pixels: Uint32Array;
}

/** The root of a set, halving the path to it on the way. */
function rootOf(parents: Int32Array, pixel: number): number {
  let at = pixel;
  while (parents[at] !== at) {
    parents[at] = parents[parents[at]!]!;
    at = parents[at]!;
  }
  return at;
}

/** Joins two sets; the earlier pixel becomes the root, so that roots are first pixels. */
function join(parents: Int32Array, a: number, b: number): void {
  const [rootA, rootB] = [rootOf(parents, a), rootOf(parents, b)];
  if (rootA < rootB) parents[rootB] = rootA;
  else parents[rootA] = rootB;
}

/** Per pixel the first pixel (in reading order) of its component; nothing of value where the id is 0. */
function firstPixels({ width, data }: LabelMap): Int32Array {
  const parents = new Int32Array(data.length);
  for (let i = 0; i < data.length; i++) {
    const id = data[i]!;
    if (id === 0) continue;
    const left = i % width > 0 && data[i - 1] === id;
    const above = i >= width && data[i - width] === id;
    parents[i] = left ? parents[i - 1]! : above ? parents[i - width]! : i;
    // Where the pixel between the two has the id as well, they are joined already.
    if (left && above && data[i - width - 1] !== id) join(parents, i - width, i);
  }
  for (let i = 0; i < data.length; i++) if (data[i] !== 0) parents[i] = rootOf(parents, i);
  return parents;
}

/** Numbers the connected regions of every id but 0. */
export function connectedComponents(map: LabelMap): Components {
  const { data } = map;
  const first = firstPixels(map);
  const component = new Int32Array(data.length).fill(-1);
  const ids: number[] = [];
  const pixels: number[] = [];
  for (let i = 0; i < data.length; i++) {
    if (data[i] === 0) continue;
    if (first[i] === i) {
      component[i] = ids.length;
      ids.push(data[i]!);
      pixels.push(0);
    } else {
      component[i] = component[first[i]!]!;
    }
    pixels[component[i]!]!++;
  }
  return { count: ids.length, component, ids: Uint16Array.from(ids), pixels: Uint32Array.from(pixels) };
}
