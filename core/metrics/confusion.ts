/** Counts per class once predicted ids have been matched to classes: what IoU is made of. */
import { bothBoundary, bothInside, predictedBoundary, truthBoundary } from './joint-counts.ts';
import { sizeBins } from './size-bins.ts';
import { cellOf, type Tally, wholeImage } from './tally.ts';

/** Pixels of each class, by class id. [classes] each. */
export interface ClassCounts {
  readonly predicted: Float64Array;
  readonly truth: Float64Array;
  /** Where both agree. */
  readonly both: Float64Array;
}

export interface MatchedCounts {
  /** All counted pixels. */
  readonly pixels: ClassCounts;
  /** Boundary pixels of the prediction, of the ground truth, of both. */
  readonly boundary: ClassCounts;
}

export const emptyCounts = (classes: number): ClassCounts => ({
  predicted: new Float64Array(classes),
  truth: new Float64Array(classes),
  both: new Float64Array(classes),
});

const emptyMatchedCounts = (classes: number): MatchedCounts => ({
  pixels: emptyCounts(classes),
  boundary: emptyCounts(classes),
});

/** Class ids 0 … classes − 1. @param classOf class of a predicted id; ids without one match nothing */
export function matchedCounts(
  tally: Tally,
  classOf: ReadonlyMap<number, number>,
  classes: number,
): { whole: MatchedCounts; bins: MatchedCounts[] } {
  const whole = emptyMatchedCounts(classes);
  const bins = sizeBins.map(() => emptyMatchedCounts(classes));
  const { counts } = tally.cells;
  for (const [key, at] of tally.cells.entries()) {
    const { predicted, truth, scope } = cellOf(key);
    const matched = classOf.get(predicted);
    if (scope !== wholeImage) addCell(bins[scope]!, matched, truth, counts, at);
    if (scope === wholeImage || truth >= tally.firstClass) addCell(whole, matched, truth, counts, at);
  }
  return { whole, bins };
}

function addCell(to: MatchedCounts, matched: number | undefined, truth: number, counts: Float64Array, at: number) {
  const onBoth = counts[at + bothBoundary]!;
  const onPredicted = counts[at + predictedBoundary]! + onBoth;
  const onTruth = counts[at + truthBoundary]! + onBoth;
  const pixels = counts[at + bothInside]! + onPredicted + onTruth - onBoth;
  addPair(to.pixels, matched, truth, pixels, pixels, pixels);
  addPair(to.boundary, matched, truth, onPredicted, onTruth, onBoth);
}

function addPair(
  to: ClassCounts,
  matched: number | undefined,
  truth: number,
  predictedPixels: number,
  truthPixels: number,
  bothPixels: number,
): void {
  to.truth[truth]! += truthPixels;
  if (matched === undefined || matched >= to.predicted.length) return;
  to.predicted[matched]! += predictedPixels;
  if (matched === truth) to.both[truth]! += bothPixels;
}
