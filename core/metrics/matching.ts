/** Which class a predicted id stands for: found by the Hungarian method, read from a file, or the ids themselves. */

import { hungarian } from './hungarian.ts';
import { bothBoundary, bothInside } from './joint-counts.ts';
import { cellOf, type Tally, wholeImage } from './tally.ts';

/** `image`: by images in which both occur. `pixel`: by pixels in common. `none`: predicted ids are class ids. */
export type MatchingKind = 'image' | 'pixel' | 'none';

export interface Matching {
  /** A `MatchingKind`, or the name of the file it was read from. */
  readonly kind: string;
  /** Class of each predicted id that has one; the others match nothing, background included. */
  readonly classOf: ReadonlyMap<number, number>;
  /** Predicted ids that a file lists as standing for no class. */
  readonly unmatched?: readonly number[];
  /** No other matching is as good by the criterion of this kind. */
  readonly unique: boolean;
}

/** Weights between predicted ids and classes. */
export interface PairWeights {
  /** Predicted id of each row. */
  readonly ids: readonly number[];
  /** Class id of the first column; the next columns follow. */
  readonly firstClass: number;
  readonly columns: number;
  /** [ids, columns], row-major. */
  readonly values: Float64Array;
}

const emptyWeights = (ids: readonly number[], firstClass: number, classes: number): PairWeights => {
  const columns = Math.max(0, classes - firstClass);
  return { ids, firstClass, columns, values: new Float64Array(ids.length * columns) };
};

/** Solves the matching of a tally for class ids 0 … classes − 1. */
export function solveMatching(tally: Tally, kind: MatchingKind, classes: number): Matching {
  if (kind === 'none') return { kind, classOf: identity(tally, classes), unique: true };
  const pixels = pixelOverlaps(tally, classes);
  if (kind === 'pixel') return { kind, ...match(tally, pixels, pixels.values) };
  const images = coOccurrences(tally, classes);
  const { unique } = assign(images, images.values);
  return { kind, classOf: match(tally, images, withTieBreak(images, pixels.values)).classOf, unique };
}

/**
 * The one-to-one matching of greatest total weight. Where ids outnumber classes, a pair of weight 0 is no match: which of the
 * ids left over gets a class left over would be chance.
 * @param weights [ids, columns], row-major
 */
export function assign({ ids, firstClass, columns }: Omit<PairWeights, 'values'>, weights: Float64Array) {
  const { columnOf, unique } = hungarian(weights, ids.length, columns);
  const classOf = new Map<number, number>();
  for (const [row, id] of ids.entries()) {
    const column = columnOf[row]!;
    if (column === -1 || (ids.length > columns && weights[row * columns + column] === 0)) continue;
    classOf.set(id, firstClass + column);
  }
  return { classOf, unique };
}

/**
 * Weights whose best assignment has the most images and, among those, the most pixels in common. The method leaves ties
 * to the solver's order; this way the result does not depend on how clusters are numbered.
 *
 * Exact while the sum stays below 2^52; beyond, pixels are rounded, never images.
 */
export function withTieBreak(images: PairWeights, pixels: Float64Array): Float64Array {
  const most = bound(images.values, images.columns) + 1;
  let unit = 1;
  while (most * (bound(pixels, images.columns) / unit + 1) > 2 ** 52) unit *= 2;
  const image = Math.floor(bound(pixels, images.columns) / unit) + 1;
  return images.values.map((count, i) => count * image + Math.floor(pixels[i]! / unit));
}

/** No assignment has a greater total than this: the sum of the columns' greatest weights. */
function bound(weights: Float64Array, columns: number): number {
  const greatest = new Float64Array(columns);
  for (let i = 0; i < weights.length; i++) greatest[i % columns] = Math.max(greatest[i % columns]!, weights[i]!);
  return greatest.reduce((sum, weight) => sum + weight, 0);
}

function match(tally: Tally, weights: PairWeights, values: Float64Array) {
  const { classOf, unique } = assign(weights, values);
  if (tally.background === 'auto') classOf.set(0, 0);
  return { classOf, unique };
}

function identity(tally: Tally, classes: number): Map<number, number> {
  const ids = predictedIds(tally).filter(id => id < classes);
  return new Map((tally.background === 'auto' ? [0, ...ids] : ids).map(id => [id, id]));
}

/** Predicted ids that occur in a counted pixel, ascending, without background. */
export function predictedIds(tally: Tally): number[] {
  const ids = new Set<number>();
  for (const { areas } of tally.facts) for (let i = 0; i < areas.length; i += 2) ids.add(areas[i]!);
  return [...ids].sort((a, b) => a - b);
}

/** Images in which a predicted id and a class both occur, in whatever places. */
export function coOccurrences(tally: Tally, classes: number): PairWeights {
  const weights = emptyWeights(predictedIds(tally), tally.firstClass, classes);
  const rowOf = new Map(weights.ids.map((id, row) => [id, row]));
  for (const { areas, truths } of tally.facts) {
    for (let i = 0; i < areas.length; i += 2) {
      const row = rowOf.get(areas[i]!)! * weights.columns - weights.firstClass;
      for (const truth of truths) weights.values[row + truth]!++;
    }
  }
  return weights;
}

/** Pixels that have both a predicted id and a class. */
export function pixelOverlaps(tally: Tally, classes: number): PairWeights {
  const weights = emptyWeights(predictedIds(tally), tally.firstClass, classes);
  const rowOf = new Map(weights.ids.map((id, row) => [id, row]));
  const { counts } = tally.cells;
  for (const [key, at] of tally.cells.entries()) {
    const { predicted, truth, scope } = cellOf(key);
    if (predicted < tally.firstClass || truth < tally.firstClass || scope === wholeImage) continue;
    const cell = rowOf.get(predicted)! * weights.columns + truth - weights.firstClass;
    for (let i = bothInside; i <= bothBoundary; i++) weights.values[cell]! += counts[at + i]!;
  }
  return weights;
}
