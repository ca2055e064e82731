/** What needs no learning: the numbers that a result has to beat. */
import { type ClassCounts, emptyCounts, matchedCounts } from './confusion.ts';
import { iou, meanIou, meanIouOfPresent } from './iou.ts';
import { bothBoundary } from './joint-counts.ts';
import { assign } from './matching.ts';
import { placeBins, placeOf } from './place-histogram.ts';
import { cellOf, type Tally, wholeImage } from './tally.ts';

export interface Baseline {
  readonly miou: number;
  readonly miouForeground: number | null;
  /** Null with `--background none`. */
  readonly foregroundIou: number | null;
  readonly pixelAccuracy: number;
}

export interface Baselines {
  /** Every pixel is background. Null with `--background none`. */
  readonly allBackground: Baseline | null;
  /** Every pixel is one and the same class: that with the highest IoU. */
  readonly allForeground: Baseline;
  /**
   * One centred ellipse of the same relative size in every image is foreground, the rest background. Its two semi-axes are
   * those with the highest foreground IoU on these very masks, so it is tuned with labels. All of it is given the one class
   * with the highest IoU. Null with `--background none`.
   */
  readonly centredEllipse: Baseline | null;
  /** See `pixelKmeansBaseline`; null where nobody ran it. */
  readonly pixelKmeans: Baseline | null;
}

/** Region by region: pixels of each class inside, and pixels of each class at all. [classes] both. */
interface Region {
  readonly inside: Float64Array;
  readonly truth: Float64Array;
}

const sum = (values: Float64Array): number => values.reduce((total, value) => total + value, 0);

/** Baselines that follow from the ground truth alone. @param classes class ids are 0 … classes − 1 */
export function groundTruthBaselines(tally: Tally, classes: number): Omit<Baselines, 'pixelKmeans'> {
  const { truth } = matchedCounts(tally, new Map(), classes).whole.pixels;
  const allForeground = regionBaseline(tally, { inside: truth, truth });
  if (tally.background === 'none') return { allBackground: null, allForeground, centredEllipse: null };
  return {
    allBackground: regionBaseline(tally, { inside: new Float64Array(classes), truth }),
    allForeground,
    centredEllipse: regionBaseline(tally, { inside: insideBestEllipse(tally, classes), truth }),
  };
}

/** One region per image with one class, the one of highest IoU; background outside. */
function regionBaseline(tally: Tally, { inside, truth }: Region): Baseline {
  const { firstClass } = tally;
  const area = sum(inside);
  let best = firstClass;
  const iouOf = (id: number) => iou(inside[id] ?? 0, area, truth[id] ?? 0);
  for (let id = firstClass; id < truth.length; id++) if (iouOf(id) > iouOf(best)) best = id;
  const counts: ClassCounts = { ...emptyCounts(truth.length), truth };
  counts.predicted[best] = area;
  counts.both[best] = inside[best] ?? 0;
  if (firstClass === 1) {
    counts.predicted[0] = sum(truth) - area;
    counts.both[0] = truth[0]! - inside[0]!;
  }
  return {
    ...baselineOf(counts, firstClass),
    foregroundIou: firstClass === 0 ? null : iou(area - inside[0]!, area, sum(truth) - truth[0]!),
  };
}

const baselineOf = (counts: ClassCounts, firstClass: number) => ({
  miou: meanIou(counts),
  miouForeground: meanIouOfPresent(counts, firstClass),
  pixelAccuracy: sum(counts.both) / sum(counts.truth),
});

/** Semi-axes as shares of half the width (or height): up to an ellipse that holds the whole image. */
const semiAxes = Array.from({ length: 24 }, (_, i) => (i + 1) / 16);

/** Pixels of each class in the ellipse with the highest foreground IoU; a pixel belongs to it if its bin's middle does. */
function insideBestEllipse({ places }: Tally, classes: number): Float64Array {
  const all = new Float64Array(placeBins * placeBins);
  const foreground = new Float64Array(placeBins * placeBins);
  for (const [id, at] of places.entries()) {
    for (let bin = 0; bin < all.length; bin++) {
      all[bin]! += places.counts[at + bin]!;
      if (id > 0) foreground[bin]! += places.counts[at + bin]!;
    }
  }
  const reach = bestEllipse(runningSums(all), runningSums(foreground), sum(foreground));
  const inside = new Float64Array(classes);
  for (const [id, at] of places.entries()) {
    inside[id] = within(runningSums(places.counts.subarray(at, at + all.length)), reach);
  }
  return inside;
}

/** The first of the ellipses with the highest foreground IoU, as by `reachOf`. */
function bestEllipse(all: Float64Array, foreground: Float64Array, total: number): Uint8Array {
  let best = { iou: -1, reach: new Uint8Array() };
  for (const down of semiAxes) {
    for (const across of semiAxes) {
      const reach = reachOf(down, across);
      const score = iou(within(foreground, reach), within(all, reach), total);
      if (score > best.iou) best = { iou: score, reach };
    }
  }
  return best.reach;
}

/** How many bins across, from the centre on, belong to the ellipse at each bin down. [placeBins] */
function reachOf(down: number, across: number): Uint8Array<ArrayBuffer> {
  const reach = new Uint8Array(placeBins);
  for (let bin = 0; bin < placeBins; bin++) {
    const y = placeOf(bin) / down;
    while (reach[bin]! < placeBins && (placeOf(reach[bin]!) / across) ** 2 + y * y <= 1) reach[bin]!++;
  }
  return reach;
}

/** Per bin down, sums of the first 0 … placeBins bins across. [placeBins, placeBins + 1] */
function runningSums(counts: Float64Array): Float64Array {
  const sums = new Float64Array(placeBins * (placeBins + 1));
  for (let bin = 0; bin < counts.length; bin++) {
    const at = bin + Math.floor(bin / placeBins);
    sums[at + 1] = sums[at]! + counts[bin]!;
  }
  return sums;
}

function within(sums: Float64Array, reach: Uint8Array): number {
  let total = 0;
  for (let down = 0; down < placeBins; down++) total += sums[down * (placeBins + 1) + reach[down]!]!;
  return total;
}

/**
 * Plain k-means on pixels has no background: its clusters are matched by pixels in common to all classes, background among
 * them, one to one. Foreground is what is not matched to background.
 * @param tally of its label maps; with background rule `auto` if the data set has background
 */
export function pixelKmeansBaseline(tally: Tally, classes: number): Baseline {
  const { ids, overlaps } = allOverlaps(tally, classes);
  const { classOf } = assign({ ids, firstClass: 0, columns: classes }, overlaps);
  const { pixels } = matchedCounts(tally, classOf, classes).whole;
  if (tally.firstClass === 0) return { ...baselineOf(pixels, 0), foregroundIou: null };
  const total = sum(pixels.truth);
  const predicted = total - pixels.predicted[0]!;
  const truth = total - pixels.truth[0]!;
  // Where either is background: |P₀ ∪ G₀| = P₀ + G₀ − both; the rest is foreground on both sides.
  const overlap = total - (pixels.predicted[0]! + pixels.truth[0]! - pixels.both[0]!);
  return { ...baselineOf(pixels, 1), foregroundIou: iou(overlap, predicted, truth) };
}

/** Pixels in common of all predicted ids and all classes, 0 included on both sides. */
function allOverlaps(tally: Tally, classes: number): { ids: number[]; overlaps: Float64Array } {
  const cells: { predicted: number; truth: number; pixels: number }[] = [];
  for (const [key, at] of tally.cells.entries()) {
    const { predicted, truth, scope } = cellOf(key);
    if (truth < tally.firstClass && scope !== wholeImage) continue;
    cells.push({ predicted, truth, pixels: sum(tally.cells.counts.subarray(at, at + bothBoundary + 1)) });
  }
  const ids = [...new Set(cells.map(cell => cell.predicted))].sort((a, b) => a - b);
  const rowOf = new Map(ids.map((id, row) => [id, row]));
  const overlaps = new Float64Array(ids.length * classes);
  for (const { predicted, truth, pixels } of cells) overlaps[rowOf.get(predicted)! * classes + truth]! += pixels;
  return { ids, overlaps };
}
