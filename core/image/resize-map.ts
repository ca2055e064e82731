/** Resizing maps of numbers (foreground scores, similarities): plain bilinear. */

/** For each output position: the two input positions it lies between, and how far it is towards the second. */
interface Between {
  readonly low: Int32Array;
  readonly high: Int32Array;
  readonly share: Float32Array;
}

/** Source position (i + ½) · from / to − ½, not below 0, as `interpolate(mode='bilinear', align_corners=False)` in PyTorch. */
function between(from: number, to: number): Between {
  const result = { low: new Int32Array(to), high: new Int32Array(to), share: new Float32Array(to) };
  for (let i = 0; i < to; i++) {
    const source = Math.max(((i + 0.5) * from) / to - 0.5, 0);
    const low = Math.min(Math.floor(source), from - 1);
    result.low[i] = low;
    result.high[i] = Math.min(low + 1, from - 1);
    result.share[i] = source - low;
  }
  return result;
}

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
  const rows = between(height, toHeight);
  const columns = between(width, toWidth);
  const blended = new Float32Array(width);
  for (let y = 0; y < toHeight; y++) {
    blendRows(map, rows.low[y]! * width, rows.high[y]! * width, rows.share[y]!, blended);
    spreadRow(blended, columns, into, y * toWidth);
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

function spreadRow(row: Float32Array, { low, high, share }: Between, into: Float32Array, start: number): void {
  for (let x = 0; x < low.length; x++) {
    const value = row[low[x]!]!;
    into[start + x] = value + (row[high[x]!]! - value) * share[x]!;
  }
}
