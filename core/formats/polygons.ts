/**
 * Outlines of regions as polygons, exact to the pixel.
 *
 * Coordinates are pixel corners: pixel (x, y) is the square from (x, y) to (x + 1, y + 1), so all points are whole
 * numbers and all edges run along the axes. A polygon is a flat list x0, y0, x1, y1, … that closes by itself.
 *
 * Example: the region `XX` over `X.` has the outline 0,0 2,0 2,1 1,1 1,2 0,2.
 *
 * Filling all polygons of a region by the even-odd rule at pixel centres gives the region back, holes included.
 */
import type { LabelMap } from '../labels/label-map.ts';
import { type Components, connectedComponents } from './components.ts';

/** x0, y0, x1, y1, … in pixel corners. */
export type Polygon = Int32Array;

/** A connected region: one outline around it, clockwise, and one around each hole, counter-clockwise. */
export interface Region {
  /** Id of its pixels. */
  readonly id: number;
  readonly pixels: number;
  readonly outer: Polygon;
  /** In the order in which their lower edges are met from the top. */
  readonly holes: readonly Polygon[];
}

/** Steps east, south, west, north: along a direction, the region lies on the right hand. */
const stepX = [1, 0, -1, 0];
const stepY = [0, 1, 0, -1];

/** Walks one outline, starting eastward along the top edge of pixel (x, y), and marks the top edges it passes. */
function traceLoop(
  inside: (x: number, y: number) => boolean,
  x0: number,
  y0: number,
  width: number,
  seenTop: Uint8Array,
): Polygon {
  const points: number[] = [];
  let [x, y, direction] = [x0, y0, 0];
  do {
    if (direction === 0) seenTop[y * width + x] = 1;
    x += stepX[direction]!;
    y += stepY[direction]!;
    // The pixels ahead of the corner, right and left of the way.
    const right =
      direction === 0
        ? inside(x, y)
        : direction === 1
          ? inside(x - 1, y)
          : direction === 2
            ? inside(x - 1, y - 1)
            : inside(x, y - 1);
    const left =
      direction === 0
        ? inside(x, y - 1)
        : direction === 1
          ? inside(x, y)
          : direction === 2
            ? inside(x - 1, y)
            : inside(x - 1, y - 1);
    // Where only corners touch, turning right keeps the region apart from what it touches: edges connect, corners do not.
    const turn = !right ? 1 : left ? 3 : 0;
    if (turn !== 0) points.push(x, y);
    direction = (direction + turn) % 4;
  } while (x !== x0 || y !== y0 || direction !== 0);
  return Int32Array.from(points);
}

/** Outlines per component; the first of each is the outer one, since a region's first top edge lies outside. */
function traceLoops({ width, height }: LabelMap, { component, count }: Components): Polygon[][] {
  const loops: Polygon[][] = Array.from({ length: count }, () => []);
  const seenTop = new Uint8Array(width * height);
  for (let i = 0; i < component.length; i++) {
    const number = component[i]!;
    if (number < 0 || seenTop[i] === 1 || (i >= width && component[i - width] === number)) continue;
    const inside = (x: number, y: number) =>
      x >= 0 && y >= 0 && x < width && y < height && component[y * width + x] === number;
    loops[number]!.push(traceLoop(inside, i % width, Math.floor(i / width), width, seenTop));
  }
  return loops;
}

/** The connected regions of every id but 0, in the order of their first pixels. */
export function traceRegions(map: LabelMap): Region[] {
  const components = connectedComponents(map);
  return traceLoops(map, components).map(([outer, ...holes], i) => ({
    id: components.ids[i]!,
    pixels: components.pixels[i]!,
    outer: outer!,
    holes,
  }));
}

/** The corner of a polygon that is highest, and of those the leftmost: index of its x. */
function topCorner(polygon: ArrayLike<number>): number {
  let best = 0;
  for (let i = 2; i < polygon.length; i += 2) {
    const higher = polygon[i + 1]! - polygon[best + 1]!;
    if (higher < 0 || (higher === 0 && polygon[i]! < polygon[best]!)) best = i;
  }
  return best;
}

/** The lowest horizontal edge above (x, y) that passes x: index of its first corner. */
function edgeAbove(polygon: readonly number[], x: number, y: number): number {
  let best = -1;
  for (let i = 0; i < polygon.length; i += 2) {
    const next = (i + 2) % polygon.length;
    const level = polygon[i + 1]!;
    if (level !== polygon[next + 1] || level >= y) continue;
    const [a, b] = [polygon[i]!, polygon[next]!];
    if (Math.min(a, b) > x || Math.max(a, b) < x) continue;
    if (best < 0 || level > polygon[best + 1]!) best = i;
  }
  return best;
}

/**
 * One polygon for a region with holes: each hole is joined to the outline above it by a cut of no width (a keyhole), for
 * formats that know no holes. Under the even-odd and the non-zero rule it fills exactly the region.
 */
export function keyhole({ outer, holes }: Region): Polygon {
  const polygon = [...outer];
  // In this order, what a hole's cut meets above has been joined before: its lower edge was met on the way down first.
  for (const hole of holes) {
    const top = topCorner(hole);
    const [x, y] = [hole[top]!, hole[top + 1]!];
    const edge = edgeAbove(polygon, x, y);
    const level = polygon[edge + 1]!;
    const around = [...hole.subarray(top), ...hole.subarray(0, top)];
    polygon.splice(edge + 2, 0, x, level, ...around, x, y, x, level);
  }
  return withoutRepeats(polygon);
}

/** Drops points that equal the one before. */
function withoutRepeats(points: readonly number[]): Polygon {
  const kept: number[] = [];
  for (let i = 0; i < points.length; i += 2) {
    const before = (i === 0 ? points.length : i) - 2;
    if (points[i] !== points[before] || points[i + 1] !== points[before + 1]) kept.push(points[i]!, points[i + 1]!);
  }
  return Int32Array.from(kept);
}

/**
 * Fills polygons whose edges run along the axes, by the even-odd rule at pixel centres.
 * @returns [height, width], 1 inside, 0 outside
 */
export function fillPolygons(polygons: readonly Polygon[], width: number, height: number): Uint8Array {
  const stride = width + 1;
  const flips = new Uint8Array(stride * height);
  for (const polygon of polygons) {
    for (let i = 0; i < polygon.length; i += 2) {
      const next = (i + 2) % polygon.length;
      const [from, to] = [Math.min(polygon[i + 1]!, polygon[next + 1]!), Math.max(polygon[i + 1]!, polygon[next + 1]!)];
      for (let y = from; y < to; y++) flips[y * stride + polygon[i]!]! ^= 1;
    }
  }
  const mask = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0, inside = 0; x < width; x++) {
      inside ^= flips[y * stride + x]!;
      mask[y * width + x] = inside;
    }
  }
  return mask;
}
