/** Resizing pictures: antialiased bilinear for colours, nearest for ids. */
import type { LabelMap } from '#core/labels/label-map';
import type { RgbImage } from './rgb-image.ts';

/** Binary places of the fixed-point weights: a sum of weight × 255 still fits 32 bits. */
const precision = 22;

/** For each output position the first input position that counts, how many count, and their fixed-point weights. */
interface Taps {
  readonly first: Int32Array;
  readonly count: Int32Array;
  /** [positions, widest], row-major. */
  readonly weights: Int32Array;
  readonly widest: number;
}

/**
 * Weights of the triangle filter with half-pixel centres; the filter widens with the scale when shrinking (antialiasing).
 * Pillow's convention (`Resample.c`, `precompute_coeffs` with `bilinear_filter`), which torchvision follows: same weights, same rounding.
 */
function triangleTaps(from: number, to: number): Taps {
  const scale = from / to;
  const support = Math.max(scale, 1);
  const widest = Math.ceil(support) * 2 + 1;
  const taps = {
    first: new Int32Array(to),
    count: new Int32Array(to),
    weights: new Int32Array(to * widest),
    widest,
  };
  for (let i = 0; i < to; i++) {
    const centre = (i + 0.5) * scale;
    const first = Math.max(Math.trunc(centre - support + 0.5), 0);
    const count = Math.min(Math.trunc(centre + support + 0.5), from) - first;
    taps.first[i] = first;
    taps.count[i] = count;
    fillWeights(taps.weights.subarray(i * widest, i * widest + count), first, centre, 1 / support);
  }
  return taps;
}

/** The triangle around `centre` at pixels `first`, `first + 1`, …, made to sum to 1. The order of operations is Pillow's: it decides ties. */
function fillWeights(weights: Int32Array, first: number, centre: number, inverseSupport: number): void {
  const triangle = new Float64Array(weights.length);
  let sum = 0;
  for (let k = 0; k < weights.length; k++) {
    triangle[k] = Math.max(1 - Math.abs((k + first - centre + 0.5) * inverseSupport), 0);
    sum += triangle[k]!;
  }
  for (let k = 0; k < weights.length; k++) weights[k] = Math.trunc(0.5 + (triangle[k]! / sum) * 2 ** precision);
}

/**
 * Antialiased bilinear, as Pillow's `resize(BILINEAR)` and torchvision's `resize(antialias=True)` on 8-bit pictures: byte by byte what
 * Pillow up to 12 gives (later ones sometimes go down first). Across first, then down, with 8 bits in between.
 * @throws RangeError if a side is no positive integer
 */
export function resize(image: RgbImage, width: number, height: number): RgbImage {
  assertSides(width, height);
  const narrow = width === image.width ? image : resizeRows(image, width);
  const result = height === image.height ? narrow : resizeColumns(narrow, height);
  return result === image ? { ...image, data: image.data.slice() } : result;
}

function assertSides(width: number, height: number): void {
  if (!(Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0)) {
    throw new RangeError(`cannot resize to ${width} × ${height}: sides are positive whole numbers`);
  }
}

function resizeRows({ width: from, height, data }: RgbImage, width: number): RgbImage {
  const { first, count, weights, widest } = triangleTaps(from, width);
  const out = new Uint8Array(width * height * 3);
  for (let y = 0, o = 0; y < height; y++) {
    for (let x = 0; x < width; x++, o += 3) {
      let r = 1 << (precision - 1);
      let g = r;
      let b = r;
      let p = (y * from + first[x]!) * 3;
      const end = x * widest + count[x]!;
      for (let w = x * widest; w < end; w++, p += 3) {
        const weight = weights[w]!;
        r += data[p]! * weight;
        g += data[p + 1]! * weight;
        b += data[p + 2]! * weight;
      }
      out[o] = r >> precision;
      out[o + 1] = g >> precision;
      out[o + 2] = b >> precision;
    }
  }
  return { width, height, data: out };
}

function resizeColumns({ width, height: from, data }: RgbImage, height: number): RgbImage {
  const { first, count, weights, widest } = triangleTaps(from, height);
  const rowLength = width * 3;
  const out = new Uint8Array(rowLength * height);
  const sums = new Int32Array(rowLength);
  for (let y = 0; y < height; y++) {
    sums.fill(1 << (precision - 1));
    for (let k = 0; k < count[y]!; k++) {
      const weight = weights[y * widest + k]!;
      const start = (first[y]! + k) * rowLength;
      for (let i = 0; i < rowLength; i++) sums[i] = sums[i]! + data[start + i]! * weight;
    }
    for (let i = 0; i < rowLength; i++) out[y * rowLength + i] = sums[i]! >> precision;
  }
  return { width, height, data: out };
}

/** Input position of each output position: the one under its centre, floor((i + ½) · from / to), in whole numbers so that ties are exact. */
function nearestPositions(from: number, to: number): Int32Array {
  return Int32Array.from({ length: to }, (_, i) => Math.floor(((2 * i + 1) * from) / (2 * to)));
}

/**
 * Nearest neighbour with half-pixel centres, for colours. As Pillow's `NEAREST`, which adds up floating-point steps and so may differ on exact ties.
 * @throws RangeError if a side is no positive integer
 */
export function resizeNearest(image: RgbImage, width: number, height: number): RgbImage {
  assertSides(width, height);
  const data = new Uint8Array(width * height * 3);
  const columns = nearestPositions(image.width, width);
  let o = 0;
  for (const y of nearestPositions(image.height, height)) {
    for (const x of columns) {
      const p = (y * image.width + x) * 3;
      data[o++] = image.data[p]!;
      data[o++] = image.data[p + 1]!;
      data[o++] = image.data[p + 2]!;
    }
  }
  return { width, height, data };
}

/**
 * Nearest neighbour with half-pixel centres, for ids, which must never be blended.
 * @throws RangeError if a side is no positive integer
 */
export const resizeLabelMap = (map: LabelMap, width: number, height: number): LabelMap =>
  pickIds(map, width, height, nearestPositions);

/**
 * Nearest neighbour as the method resizes ids: source = floor(target · size / target size) (method 2.5, 5.3).
 * @throws RangeError if a side is no positive integer
 */
export const floorLabelMap = (map: LabelMap, width: number, height: number): LabelMap =>
  pickIds(map, width, height, (from, to) => Int32Array.from({ length: to }, (_, i) => Math.floor((i * from) / to)));

function pickIds(map: LabelMap, width: number, height: number, positions: typeof nearestPositions): LabelMap {
  assertSides(width, height);
  const data = new Uint16Array(width * height);
  const columns = positions(map.width, width);
  let o = 0;
  for (const y of positions(map.height, height)) {
    for (const x of columns) data[o++] = map.data[y * map.width + x]!;
  }
  return { width, height, data };
}
