/** Resizing maps of numbers (foreground scores, similarities): plain bilinear. */

import { type BilinearAxis, bilinearAxis } from './bilinear-axis.ts';

/**
 * Bilinear without antialiasing, half-pixel centres, edges repeated (`align_corners=False`).
 * @param map [height, width], row-major
 * @param into the result's place, [toHeight, toWidth]; a new array by default
 * @throws RangeError if a side is not positive or the map has another size
 */
export function resizeMap(
  map: Float32Array,
  height: number,
  width: number,
  toHeight: number,
  toWidth: number,
  into: Float32Array = new Float32Array(toHeight * toWidth),
): Float32Array {
  assertShape(map, height, width, 'map');
  assertShape(into, toHeight, toWidth, 'result');
  const rows = bilinearAxis(height, toHeight);
  const columns = bilinearAxis(width, toWidth);
  const blended = new Float32Array(width);
  for (let y = 0; y < toHeight; y++) {
    blendRows(map, rows.low[y]! * width, rows.high[y]! * width, rows.share[y]!, blended);
    spreadRow(blended, 0, columns, into, y * toWidth);
  }
  return into;
}

function assertShape(values: Float32Array, height: number, width: number, name: string): void {
  if (height < 1 || width < 1 || values.length !== height * width) {
    throw new RangeError(`${name}: ${values.length} values for ${height} × ${width}`);
  }
}

function blendRows(map: Float32Array, low: number, high: number, share: number, blended: Float32Array): void {
  for (let x = 0; x < blended.length; x++) {
    const value = map[low + x]!;
    blended[x] = value + (map[high + x]! - value) * share;
  }
}

/** One row of a map, which begins at `from`, resized into a row that begins at `start`. */
export function spreadRow(
  map: Float32Array,
  from: number,
  { low, high, share }: BilinearAxis,
  into: Float32Array,
  start: number,
): void {
  for (let x = 0; x < low.length; x++) {
    const value = map[from + low[x]!]!;
    into[start + x] = value + (map[from + high[x]!]! - value) * share[x]!;
  }
}
