/** From a tally to the numbers of metrics.json. */
import { PermanentError } from '#core/errors';
import { type Baseline, type Baselines, groundTruthBaselines } from './baselines.ts';
import { type ClassCounts, type MatchedCounts, matchedCounts } from './confusion.ts';
import { fBeta } from './f-beta.ts';
import { imageAccuracy } from './image-accuracy.ts';
import { iou, iouPerClass, meanIou, meanIouOfPresent } from './iou.ts';
import { type Matching, type MatchingKind, solveMatching } from './matching.ts';
import { type SizeBin, sizeBins } from './size-bins.ts';
import type { Tally } from './tally.ts';

/** mIoU within each size bin; null where no class of any image falls into it. */
export type SizeScores = Readonly<Record<SizeBin, number | null>>;

export interface ClassMetrics {
  readonly id: number;
  readonly name: string;
  readonly iou: number;
  readonly boundaryIou: number;
  /** In the ground truth. */
  readonly pixels: number;
}

/** metrics.json. Scores are 0 … 1; what does not apply is null. */
export interface Metrics {
  /** Images counted. */
  readonly images: number;
  /** N: classes of the ground truth, background not among them. */
  readonly classes: number;
  /** Mean over background and all N classes; those that never occur count 0. Without background: over N. */
  readonly miou: number;
  /** Mean over the classes that occur in the ground truth, without background. */
  readonly miouForeground: number | null;
  readonly boundaryMiou: number;
  readonly imageAccuracy: number;
  readonly fBeta: number | null;
  readonly sizes: SizeScores;
  readonly boundarySizes: SizeScores;
  /** Predicted foreground (any id but 0, matched or not) against the ground truth's, over all pixels. */
  readonly foregroundIou: number | null;
  readonly perClass: readonly ClassMetrics[];
  /** Predicted id → class id. */
  readonly matching: Readonly<Record<string, number>>;
  /** `image`, `pixel`, `none`, or the name of the file it came from. */
  readonly matchingKind: string;
  /** Another matching is as good by the criterion of its kind. */
  readonly matchingTied?: true;
  readonly pixelMatched: {
    readonly miou: number;
    readonly miouForeground: number | null;
    readonly pixelAccuracy: number;
    readonly matching: Readonly<Record<string, number>>;
  };
  readonly nmi: number | null;
  readonly clusterAccuracy: number | null;
  readonly threshold: number | null;
  readonly skipped: readonly { readonly image: string; readonly reason: string }[];
  readonly baselines: Baselines;
  readonly seconds: number | null;
  /** The same of the pseudo labels, where a model was fine-tuned on them. */
  readonly pseudo?: Metrics;
}

export interface FinishOptions {
  /** A matching yet to be solved, or one at hand. */
  readonly matching: MatchingKind | Matching;
  /** N; default: as many as make the highest class id seen the last one. */
  readonly classes?: number;
  /** Names by class id; default "class 7", and "background" for 0 where 0 is background. */
  readonly names?: ReadonlyMap<number, string>;
  /** Of a second tally, over the label maps of plain k-means: `pixelKmeansBaseline`. */
  readonly pixelKmeans?: Baseline | null;
  readonly nmi?: number | null;
  readonly clusterAccuracy?: number | null;
  readonly threshold?: number | null;
  readonly skipped?: Metrics['skipped'];
  readonly seconds?: number | null;
}

/**
 * Metrics as the LUSS evaluation defines them. Ids outside the classes match nothing, and so do predicted ids without a
 * class: they are foreground, but of no class.
 * @throws PermanentError if there is nothing to measure, or a class id in the masks is too high
 */
export function finish(tally: Tally, options: FinishOptions): Metrics {
  const ids = classIds(tally, options.classes);
  const matching =
    typeof options.matching === 'string' ? solveMatching(tally, options.matching, ids) : options.matching;
  const counts = matchedCounts(tally, matching.classOf, ids);
  const { whole, bins } = counts;
  const { firstClass } = tally;
  return {
    images: tally.images,
    classes: ids - firstClass,
    miou: meanIou(whole.pixels),
    miouForeground: meanIouOfPresent(whole.pixels, firstClass),
    boundaryMiou: meanIou(whole.boundary),
    imageAccuracy: imageAccuracy(tally.facts, matching.classOf),
    fBeta: firstClass === 0 ? null : meanFBeta(tally),
    sizes: sizeScores(bins.map(bin => bin.pixels)),
    boundarySizes: sizeScores(bins.map(bin => bin.boundary)),
    foregroundIou: firstClass === 0 ? null : foregroundIou(tally),
    perClass: perClass(whole, firstClass, options.names),
    matching: Object.fromEntries(matching.classOf),
    matchingKind: matching.kind,
    ...(!matching.unique && { matchingTied: true as const }),
    pixelMatched: pixelMatched(tally, ids),
    nmi: options.nmi ?? null,
    clusterAccuracy: options.clusterAccuracy ?? null,
    threshold: options.threshold ?? null,
    skipped: options.skipped ?? [],
    baselines: { ...groundTruthBaselines(tally, ids), pixelKmeans: options.pixelKmeans ?? null },
    seconds: options.seconds ?? null,
  };
}

/** How many class ids there are, from 0 on: N and, where 0 is background, one more. */
export function classIds(tally: Tally, classes?: number): number {
  if (tally.images === 0) throw new PermanentError('no image with a mask was counted; give at least one pair');
  if (tally.cells.size === 0) throw new PermanentError('every pixel of every mask is ignored; check --ignore');
  const seen = tally.highestClass + 1;
  const ids = classes === undefined ? seen : classes + tally.firstClass;
  if (seen > ids) {
    throw new PermanentError(`the masks hold class ${seen - 1}, but the highest class is ${ids - 1}; check --classes`);
  }
  return ids;
}

const sizeScores = (bins: readonly ClassCounts[]): SizeScores =>
  Object.fromEntries(sizeBins.map((name, bin) => [name, meanIouOfPresent(bins[bin]!)])) as SizeScores;

function meanFBeta({ facts }: Tally): number {
  let sum = 0;
  for (const fact of facts) sum += fBeta(fact.overlap, fact.predictedForeground, fact.truthForeground);
  return sum / facts.images;
}

function foregroundIou({ facts }: Tally): number {
  let both = 0;
  let predicted = 0;
  let truth = 0;
  for (const fact of facts) {
    both += fact.overlap;
    predicted += fact.predictedForeground;
    truth += fact.truthForeground;
  }
  return iou(both, predicted, truth);
}

function perClass(whole: MatchedCounts, firstClass: number, names?: ReadonlyMap<number, string>): ClassMetrics[] {
  const ious = iouPerClass(whole.pixels);
  const boundaryIous = iouPerClass(whole.boundary);
  return Array.from(ious, (value, id) => ({
    id,
    name: names?.get(id) ?? (id < firstClass ? 'background' : `class ${id}`),
    iou: value,
    boundaryIou: boundaryIous[id]!,
    pixels: whole.pixels.truth[id]!,
  }));
}

function pixelMatched(tally: Tally, ids: number): Metrics['pixelMatched'] {
  const { classOf } = solveMatching(tally, 'pixel', ids);
  const { pixels } = matchedCounts(tally, classOf, ids).whole;
  const sum = (counts: Float64Array) => counts.reduce((total, count) => total + count, 0);
  return {
    miou: meanIou(pixels),
    miouForeground: meanIouOfPresent(pixels, tally.firstClass),
    pixelAccuracy: sum(pixels.both) / sum(pixels.truth),
    matching: Object.fromEntries(classOf),
  };
}
