/** The best class of every pixel of a coarse score map, as if all scores had been upsampled first, at a fraction of the cost. */
import { type BilinearAxis, bilinearAxis } from '../image/bilinear-axis.ts';

/** Scores of K classes on a grid. */
export interface ScoreMap {
  /** [classes, height, width]. */
  readonly data: Float32Array;
  readonly classes: number;
  readonly height: number;
  readonly width: number;
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
  const data = positionsFirst(scores);
  const xs = bilinearAxis(scores.width, width);
  const ys = bilinearAxis(scores.height, height);
  const contest = new Contest(data, scores.classes);
  for (let y0 = 0; y0 < height; ) {
    const y1 = endOfCell(ys, y0);
    for (let x0 = 0; x0 < width; ) {
      const x1 = endOfCell(xs, x0);
      if (!wanted || anyWanted(wanted, width, x0, x1, y0, y1)) {
        const top = ys.low[y0]! * scores.width;
        const bottom = ys.high[y0]! * scores.width;
        contest.enter(top + xs.low[x0]!, top + xs.high[x0]!, bottom + xs.low[x0]!, bottom + xs.high[x0]!);
        for (let y = y0; y < y1; y++) contest.decideRow(ys.share[y]!, xs.share, x0, x1, best, y * width);
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
  for (let k = 0; k < classes; k++) spreadClass(data, k * positions, positions, out, k, classes);
  return out;
}

/** The numbers that begin at `from` go to every `step`-th place from `start` on. */
function spreadClass(
  data: Float32Array,
  from: number,
  count: number,
  out: Float32Array,
  start: number,
  step: number,
): void {
  for (let p = 0; p < count; p++) out[start + p * step] = data[from + p]!;
}

function endOfCell(axis: BilinearAxis, start: number): number {
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

/** Rounding of the interpolation may lift a score above its corners by this much; ties must not be lost to it. */
const slack = 1e-5;

/** Decides pixels cell by cell. */
class Contest {
  readonly #data: Float32Array;
  readonly #classes: number;
  readonly #largest: Float32Array;
  /** The first `#count` are the classes that may win in this cell, ascending. */
  readonly #candidates: Uint16Array;
  #count = 0;
  /** Where the scores of the cell's corners begin. One by one: code that is not compiled yet is slow at taking lists apart. */
  #topLeft = 0;
  #topRight = 0;
  #bottomLeft = 0;
  #bottomRight = 0;
  /** Score of each candidate at the left end of a row and its change to the right end. */
  readonly #left: Float64Array;
  readonly #change: Float64Array;

  /** @param data [positions, classes] */
  constructor(data: Float32Array, classes: number) {
    this.#data = data;
    this.#classes = classes;
    this.#largest = new Float32Array(classes);
    this.#candidates = new Uint16Array(classes);
    this.#left = new Float64Array(classes);
    this.#change = new Float64Array(classes);
  }

  /** Finds the candidates of a cell. @param topLeft position on the grid, like those of the other corners */
  enter(topLeft: number, topRight: number, bottomLeft: number, bottomRight: number): void {
    const data = this.#data;
    const classes = this.#classes;
    const a = topLeft * classes;
    const b = topRight * classes;
    const c = bottomLeft * classes;
    const d = bottomRight * classes;
    const largest = this.#largest;
    const candidates = this.#candidates;
    let bar = Number.NEGATIVE_INFINITY;
    for (let k = 0; k < classes; k++) {
      const p = data[a + k]!;
      const q = data[b + k]!;
      const r = data[c + k]!;
      const s = data[d + k]!;
      largest[k] = Math.max(p, q, r, s);
      bar = Math.max(bar, Math.min(p, q, r, s));
    }
    bar -= slack * Math.max(1, Math.abs(bar));
    let count = 0;
    for (let k = 0; k < classes; k++) if (largest[k]! >= bar) candidates[count++] = k;
    this.#count = count;
    this.#topLeft = a;
    this.#topRight = b;
    this.#bottomLeft = c;
    this.#bottomRight = d;
  }

  /**
   * @param down how far the row lies below the cell's top, 0 … 1
   * @param across how far each column of the picture lies from its cell's left side
   * @param best the winners go to `start` + x0 … x1
   */
  decideRow(down: number, across: Float32Array, x0: number, x1: number, best: Uint16Array, start: number): void {
    const count = this.#count;
    const candidates = this.#candidates;
    if (count === 1) {
      best.fill(candidates[0]!, start + x0, start + x1);
      return;
    }
    const left = this.#left;
    const change = this.#change;
    this.#enterRow(down);
    for (let x = x0; x < x1; x++) {
      const u = across[x]!;
      let winner = 0;
      let score = left[0]! + u * change[0]!;
      for (let i = 1; i < count; i++) {
        const value = left[i]! + u * change[i]!;
        if (value > score) {
          score = value;
          winner = i;
        }
      }
      best[start + x] = candidates[winner]!;
    }
  }

  /** Interpolates down the cell's sides, once per row: across is then one step per pixel and candidate. */
  #enterRow(down: number): void {
    const data = this.#data;
    for (let i = 0; i < this.#count; i++) {
      const k = this.#candidates[i]!;
      const upper = data[this.#topLeft + k]!;
      const left = upper + down * (data[this.#bottomLeft + k]! - upper);
      const upperRight = data[this.#topRight + k]!;
      const right = upperRight + down * (data[this.#bottomRight + k]! - upperRight);
      this.#left[i] = left;
      this.#change[i] = right - left;
    }
  }
}
