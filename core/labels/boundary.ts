/** Boundaries of a label map: pixels close to another label or to the edge of the image. */
import type { LabelMap } from './label-map.ts';
import { rowRuns } from './row-runs.ts';

const boundaryRatio = 0.03;

/** Nearest integer, ties to the even one, as Python rounds. */
function roundHalfEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest !== 0.5) return rest < 0.5 ? below : below + 1;
  return below % 2 === 0 ? below : below + 1;
}

/**
 * How far, in pixels, a boundary reaches into its region: 3 % of the diagonal, at least 1.
 * Boundary IoU (Cheng et al., CVPR 2021) erodes so many times with a 3×3 square; 3 % is ImageNet-S's ratio.
 */
export const boundaryDistance = (width: number, height: number): number =>
  Math.max(1, roundHalfEven(boundaryRatio * Math.sqrt(height * height + width * width)));

/**
 * 1 where a pixel is boundary, 0 elsewhere. Shape [height, width].
 *
 * Eroding each label d times with a 3×3 square leaves exactly the pixels whose (2d+1)² window holds one label and lies
 * inside the image, so one pass over all labels replaces one erosion per label. Ids are compared as they are: ignored
 * ones are labels of their own.
 *
 * Row by row, a run shortened by d at both ends is where the row's part of the window is uniform; a pixel is inside its
 * region once that has held, with one label, for 2d+1 rows.
 *
 * @param runs of the map, where they are at hand
 * @param out where to write; at least as long as the map
 */
export function boundaryMap(
  map: LabelMap,
  runs = rowRuns(map),
  out = new Uint8Array(map.width * map.height),
): Uint8Array {
  const { width, height } = map;
  const distance = boundaryDistance(width, height);
  const lastRows = 2 * distance;
  // Per column, only within shortened runs: the first of the rows, up to this one, with that label's shortened runs here.
  const since = new Int32Array(width);
  out.fill(1, 0, width * height);
  let run = 0;
  let runAbove = 0;
  for (let y = 0; y < height; y++) {
    const firstRun = run;
    const row = y * width;
    for (let start = 0; start < width; run++) {
      const end = runs[run]! - row;
      const from = start + distance;
      const to = end - distance;
      start = end;
      if (from >= to) continue;
      runAbove = restart(since, map, runs, { y, from, to, distance, runAbove });
      if (y < lastRows) continue;
      const middle = row - distance * width;
      for (let x = from; x < to; x++) out[middle + x] = since[x]! <= y - lastRows ? 0 : 1;
    }
    runAbove = firstRun;
  }
  return out;
}

interface ShortenedRun {
  readonly y: number;
  /** Columns. */
  readonly from: number;
  readonly to: number;
  readonly distance: number;
  /** A run of the row above, at or before the first one that could touch this. */
  readonly runAbove: number;
}

/** Lets streaks begin at row y in those columns of a shortened run that no shortened run of its label touches from above. */
function restart(since: Int32Array, { width, data }: LabelMap, runs: Int32Array, run: ShortenedRun): number {
  const { y, from, to, distance } = run;
  let { runAbove } = run;
  let x = from;
  if (y > 0) {
    const label = data[y * width + from];
    const above = (y - 1) * width;
    while (runs[runAbove]! - above <= from) runAbove++;
    for (let at = runAbove; ; at++) {
      const start = at === 0 ? 0 : Math.max(0, runs[at - 1]! - above);
      if (start >= to) break;
      const end = runs[at]! - above;
      if (data[above + start] === label && end - start > 2 * distance) {
        since.fill(y, x, Math.min(to, start + distance));
        x = Math.min(to, Math.max(x, end - distance));
      }
      if (end >= to) break;
    }
  }
  since.fill(y, x, to);
  return runAbove;
}
