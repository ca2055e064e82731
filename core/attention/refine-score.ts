/** Fitting a coarse foreground score to the edges of the picture: guided filter, fitted small and applied large. */
import { bilinearAxis } from '../image/bilinear-axis.ts';
import { resizeMap, spreadRow } from '../image/resize-map.ts';
import { type GuidedCoefficients, GuidedScratch, guidedCoefficients } from './guided-filter.ts';

/** Calls never overlap: the filter does not wait for anything. */
const scratch = new GuidedScratch();

/** A score on a grid, [height, width]. */
interface GridScore {
  readonly data: Float32Array;
  readonly height: number;
  readonly width: number;
}

/** A grey picture, 0 … 255, [height, width]. */
export interface Guide {
  readonly grey: Uint8Array;
  readonly width: number;
  readonly height: number;
}

export interface RefineOptions {
  /** Radius of the windows in pixels of an image whose longer side is 320. */
  readonly radius: number;
  /** Longer side at which lines are fitted, in a picture that is larger (He & Sun, Fast Guided Filter, 2015: nearly the same, far faster). */
  readonly workingSide: number;
  readonly epsilon: number;
}

/** Lines of a guided filter, each number on a grid. */
type Lines = GuidedCoefficients & { readonly width: number; readonly height: number };

/** The refined score at the guide's size, [height, width]. @param into its place; a new array by default */
export function refineScore(
  score: GridScore,
  { grey, width, height }: Guide,
  { radius, workingSide, epsilon }: RefineOptions,
  into: Float32Array = new Float32Array(width * height),
): Float32Array {
  const shrink = Math.min(1, workingSide / Math.max(width, height));
  const [w, h] = [Math.max(1, Math.round(width * shrink)), Math.max(1, Math.round(height * shrink))];
  const coarse = resizeMap(score.data, score.height, score.width, h, w);
  const small = shrink === 1 ? grey : shrinkGrey(grey, width, height, w, h);
  const windows = { width: w, height: h, radius: Math.max(1, Math.round((radius * Math.max(w, h)) / 320)), epsilon };
  const { slope, offset } = guidedCoefficients(coarse, small, windows, scratch);
  applyLines({ slope, offset, width: w, height: h }, { grey, width, height }, into);
  return into;
}

/**
 * slope · guide + offset for lines known at fewer places than the guide has, upsampled (bilinear): across once per row of
 * lines, then down, which reads memory in order.
 */
function applyLines({ slope, offset, width: w, height: h }: Lines, { grey, width, height }: Guide, into: Float32Array) {
  const across = bilinearAxis(w, width);
  const down = bilinearAxis(h, height);
  let above = { row: -1, slope: new Float32Array(width), offset: new Float32Array(width) };
  let below = { row: -1, slope: new Float32Array(width), offset: new Float32Array(width) };
  const load = (line: typeof above, row: number) => {
    if (line.row === row) return;
    spreadRow(slope, row * w, across, line.slope, 0);
    spreadRow(offset, row * w, across, line.offset, 0);
    line.row = row;
  };
  for (let y = 0; y < height; y++) {
    if (below.row === down.low[y]!) [above, below] = [below, above];
    load(above, down.low[y]!);
    load(below, down.high[y]!);
    applyRow(above, below, down.share[y]!, grey, into, y * width);
  }
}

type LineRow = GuidedCoefficients;

/** One row of the result, which lies between two rows of lines. */
function applyRow(
  { slope, offset }: LineRow,
  { slope: slopeBelow, offset: offsetBelow }: LineRow,
  share: number,
  grey: Uint8Array,
  into: Float32Array,
  start: number,
): void {
  for (let x = 0, at = start; x < slope.length; x++, at++) {
    const a = slope[x]!;
    const b = offset[x]!;
    into[at] = (a + (slopeBelow[x]! - a) * share) * (grey[at]! * perLevel) + b + (offsetBelow[x]! - b) * share;
  }
}

/** Grey levels are scaled to 0 … 1. */
const perLevel = 1 / 255;

/** Mean of the pixels that fall into each cell. */
function shrinkGrey(grey: Uint8Array, width: number, height: number, w: number, h: number): Uint8Array {
  const small = new Uint8Array(w * h);
  const sums = new Uint32Array(w);
  const edges = Int32Array.from({ length: w + 1 }, (_, i) => Math.floor((i * width) / w));
  for (let y = 0; y < h; y++) {
    const [from, to] = [Math.floor((y * height) / h), Math.floor(((y + 1) * height) / h)];
    sums.fill(0);
    for (let line = from; line < to; line++) addCells(grey, line * width, edges, sums);
    meanCells(sums, to - from, edges, small, y * w);
  }
  return small;
}

/** Means from the sums of cells that are `rows` high, into a row that begins at `start`. */
function meanCells(sums: Uint32Array, rows: number, edges: Int32Array, small: Uint8Array, start: number): void {
  for (let x = 0; x < sums.length; x++) small[start + x] = sums[x]! / (rows * (edges[x + 1]! - edges[x]!)) + 0.5;
}

/** Adds the pixels of one line, which begins at `start`, to the sums of the cells they lie in. */
function addCells(grey: Uint8Array, start: number, edges: Int32Array, sums: Uint32Array): void {
  for (let x = 0; x < sums.length; x++) {
    let sum = 0;
    for (let i = start + edges[x]!; i < start + edges[x + 1]!; i++) sum += grey[i]!;
    sums[x]! += sum;
  }
}
