/** The best class of every pixel of a coarse score map, as if all scores had been upsampled first, at a fraction of the cost. */

/** Scores of K classes on a grid. */
export interface ScoreMap {
  /** [classes, height, width]. */
  readonly data: Float32Array;
  readonly classes: number;
  readonly height: number;
  readonly width: number;
}

/** Source positions of a bilinear upsampling with half-pixel centres (align_corners = false). */
interface Axis {
  readonly low: Int32Array;
  readonly high: Int32Array;
  /** Weight of `high`. */
  readonly fraction: Float32Array;
}

export function bilinearAxis(size: number, target: number): Axis {
  const low = new Int32Array(target);
  const high = new Int32Array(target);
  const fraction = new Float32Array(target);
  for (let i = 0; i < target; i++) {
    const source = Math.max(0, Math.min(size - 1, ((i + 0.5) * size) / target - 0.5));
    low[i] = Math.floor(source);
    high[i] = Math.min(size - 1, low[i]! + 1);
    fraction[i] = source - low[i]!;
  }
  return { low, high, fraction };
}

/**
 * Index of the largest bilinearly upsampled score per pixel, ties to the lowest index. Shape [height, width].
 *
 * Inside one grid cell every upsampled score is a convex mix of the cell's four corners, so a class whose largest corner
 * lies below another class's smallest corner can never win there: few candidates remain and only those are interpolated.
 *
 * @param wanted pixels to look at (non-zero); others stay 0
 */
export function upsampledArgmax(scores: ScoreMap, width: number, height: number, wanted?: Uint8Array): Uint16Array {
  const best = new Uint16Array(width * height);
  const byPosition = positionsFirst(scores);
  const xs = bilinearAxis(scores.width, width);
  const ys = bilinearAxis(scores.height, height);
  const candidates = new Uint16Array(scores.classes);
  const largest = new Float32Array(scores.classes);
  for (let y0 = 0; y0 < height; ) {
    const y1 = endOfCell(ys, y0);
    for (let x0 = 0; x0 < width; ) {
      const x1 = endOfCell(xs, x0);
      if (!wanted || anyWanted(wanted, width, x0, x1, y0, y1)) {
        const corners = cornersOf(scores, xs, ys, x0, y0);
        const count = findCandidates(byPosition, scores.classes, corners, candidates, largest);
        if (count === 1) fill(best, width, x0, x1, y0, y1, candidates[0]!);
        else compare(best, width, byPosition, corners, candidates, count, xs, ys, x0, x1, y0, y1);
      }
      x0 = x1;
    }
    y0 = y1;
  }
  return best;
}

/** Index of the largest score per pixel, nearest upsampling: source = floor(target · size / target size) (method 2.5). */
export function nearestArgmax(scores: ScoreMap, width: number, height: number): Uint16Array {
  const positions = scores.width * scores.height;
  const winners = new Uint16Array(positions);
  for (let p = 0; p < positions; p++) {
    let best = 0;
    for (let k = 1; k < scores.classes; k++) {
      if (scores.data[k * positions + p]! > scores.data[best * positions + p]!) best = k;
    }
    winners[p] = best;
  }
  const out = new Uint16Array(width * height);
  for (let y = 0, i = 0; y < height; y++) {
    const line = Math.floor((y * scores.height) / height) * scores.width;
    for (let x = 0; x < width; x++, i++) out[i] = winners[line + Math.floor((x * scores.width) / width)]!;
  }
  return out;
}

/** [classes, positions] → [positions, classes], so that one position's scores lie together. */
function positionsFirst({ data, classes, width, height }: ScoreMap): Float32Array {
  const positions = width * height;
  const out = new Float32Array(data.length);
  for (let k = 0; k < classes; k++) {
    for (let p = 0, from = k * positions; p < positions; p++) out[p * classes + k] = data[from + p]!;
  }
  return out;
}

function endOfCell(axis: Axis, start: number): number {
  let end = start + 1;
  while (end < axis.low.length && axis.low[end] === axis.low[start] && axis.high[end] === axis.high[start]) end++;
  return end;
}

function anyWanted(wanted: Uint8Array, width: number, x0: number, x1: number, y0: number, y1: number): boolean {
  for (let y = y0; y < y1; y++) {
    for (let i = y * width + x0; i < y * width + x1; i++) if (wanted[i]) return true;
  }
  return false;
}

/** Offsets of the four corners' scores: top left, top right, bottom left, bottom right. */
function cornersOf(scores: ScoreMap, xs: Axis, ys: Axis, x: number, y: number): [number, number, number, number] {
  const at = (row: number, column: number) => (row * scores.width + column) * scores.classes;
  const [top, bottom, left, right] = [ys.low[y]!, ys.high[y]!, xs.low[x]!, xs.high[x]!];
  return [at(top, left), at(top, right), at(bottom, left), at(bottom, right)];
}

/** Rounding of the interpolation may lift a score above its corners by this much; ties must not be lost to it. */
const slack = 1e-5;

function findCandidates(
  data: Float32Array,
  classes: number,
  [a, b, c, d]: [number, number, number, number],
  candidates: Uint16Array,
  largest: Float32Array,
): number {
  let bar = Number.NEGATIVE_INFINITY;
  for (let k = 0; k < classes; k++) {
    const [p, q, r, s] = [data[a + k]!, data[b + k]!, data[c + k]!, data[d + k]!];
    largest[k] = Math.max(p, q, r, s);
    bar = Math.max(bar, Math.min(p, q, r, s));
  }
  bar -= slack * Math.max(1, Math.abs(bar));
  let count = 0;
  for (let k = 0; k < classes; k++) if (largest[k]! >= bar) candidates[count++] = k;
  return count;
}

function fill(best: Uint16Array, width: number, x0: number, x1: number, y0: number, y1: number, value: number): void {
  for (let y = y0; y < y1; y++) best.fill(value, y * width + x0, y * width + x1);
}

function compare(
  best: Uint16Array,
  width: number,
  data: Float32Array,
  [a, b, c, d]: [number, number, number, number],
  candidates: Uint16Array,
  count: number,
  xs: Axis,
  ys: Axis,
  x0: number,
  x1: number,
  y0: number,
  y1: number,
): void {
  for (let y = y0; y < y1; y++) {
    const v = ys.fraction[y]!;
    for (let x = x0; x < x1; x++) {
      const u = xs.fraction[x]!;
      let winner = 0;
      let score = Number.NEGATIVE_INFINITY;
      for (let i = 0; i < count; i++) {
        const k = candidates[i]!;
        const top = data[a + k]! + u * (data[b + k]! - data[a + k]!);
        const bottom = data[c + k]! + u * (data[d + k]! - data[c + k]!);
        const value = top + v * (bottom - top);
        if (value > score) {
          score = value;
          winner = k;
        }
      }
      best[y * width + x] = winner;
    }
  }
}
