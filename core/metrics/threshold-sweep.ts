/** The foreground threshold with the best mIoU on masked images, for many candidates in one pass over the pixels. */
import type { LabelMap } from '#core/labels/label-map';
import { CandidateRank } from './candidate-rank.ts';
import { emptyCounts } from './confusion.ts';
import { CountTable } from './count-table.ts';
import { meanIou } from './iou.ts';
import { assign, type PairWeights, withTieBreak } from './matching.ts';

/** The method's candidates: 0.00, 0.01, … 0.80. */
export const methodCandidates: readonly number[] = Array.from({ length: 81 }, (_, i) => i / 100);

const mostCandidates = 128;
const idRange = 65536;

export interface SweepResult {
  /** The candidate with the highest mIoU, the lowest such where several are equal. */
  readonly threshold: number;
  readonly miou: number;
  /** mIoU of each candidate. [candidates] */
  readonly curve: Float64Array;
}

/** What `ThresholdSweep` has counted: integers only, so that parts of a set add up. */
export interface SweepCounts {
  readonly candidates: readonly number[];
  /** By label · 65536 + class: pixels by the number of candidates they survive, from 1 on. */
  readonly cells: CountTable;
  /** By class: its pixels. */
  readonly truth: CountTable;
  /** Per image: how many labels and how many classes; then each label and the candidates it survives; then the classes. */
  readonly presence: number[];
}

/**
 * A pixel keeps its label up to a candidate equal to its score and is background beyond. So it is enough to count, for
 * each pair of label and class, how many pixels survive how many candidates; and for each image, how many candidates each
 * label survives somewhere. Needs 8 bytes per candidate for each pair of label and class that meet.
 */
export class ThresholdSweep {
  readonly counts: SweepCounts;
  readonly #rank: CandidateRank;
  readonly #survived = new Uint8Array(idRange);

  /** @param candidates ascending, at most 128 */
  constructor(candidates: readonly number[] = methodCandidates) {
    const ascending = candidates.every((value, i) => i === 0 || value > candidates[i - 1]!);
    if (!ascending || candidates.length === 0 || candidates.length > mostCandidates) {
      throw new RangeError(`thresholds must be 1 to ${mostCandidates} ascending numbers`);
    }
    this.#rank = new CandidateRank(candidates);
    this.counts = { candidates, cells: new CountTable(candidates.length), truth: new CountTable(1), presence: [] };
  }

  /**
   * Adds one image.
   * @param labels label ids, as if every pixel were foreground
   * @param score foreground score per pixel, [height, width]; below a threshold a pixel is background
   * @param ignore ids of the ground truth whose pixels do not count
   * @throws RangeError if the sizes differ
   */
  add(labels: LabelMap, score: Float32Array, truth: LabelMap, ignore: readonly number[]): void {
    const { cells, truth: truthPixels } = this.counts;
    const survived = this.#survived;
    if (
      labels.width !== truth.width ||
      labels.data.length !== truth.data.length ||
      score.length !== truth.data.length
    ) {
      throw new RangeError('labels, scores and ground truth must have one size');
    }
    const seen: number[] = [];
    const classes = new Set<number>();
    for (let start = 0, end = 0; start < score.length; start = end) {
      const label = labels.data[start]!;
      const id = truth.data[start]!;
      do end++;
      while (end < score.length && labels.data[end] === label && truth.data[end] === id);
      if (ignore.includes(id)) continue;
      const truthRow = truthPixels.row(id);
      truthPixels.counts[truthRow]! += end - start;
      if (id > 0) classes.add(id);
      if (label === 0) continue;
      const most = this.#addRun(cells.row(label * idRange + id), score, start, end);
      if (most > 0 && survived[label] === 0) seen.push(label);
      survived[label] = Math.max(survived[label]!, most);
    }
    this.#remember(seen, classes);
  }

  /** Adds another sweep's images. @throws RangeError if the candidates differ */
  merge({ counts }: ThresholdSweep): void {
    const { candidates, cells, truth, presence } = this.counts;
    if (candidates.join() !== counts.candidates.join())
      throw new RangeError('sweeps of other candidates do not add up');
    cells.merge(counts.cells);
    truth.merge(counts.truth);
    for (const value of counts.presence) presence.push(value);
  }

  /**
   * The best candidate for class ids 0 … classes − 1.
   * @param matching solved anew for each candidate, or the class of each label
   */
  best(classes: number, matching: 'image' | 'pixel' | ReadonlyMap<number, number> = 'image'): SweepResult {
    const curve = miouCurve(this.counts, classes, matching);
    const place = curve.indexOf(Math.max(...curve));
    return { threshold: this.counts.candidates[place]!, miou: curve[place]!, curve };
  }

  /** @returns the most candidates that a pixel of the run survives */
  #addRun(cell: number, score: Float32Array, start: number, end: number): number {
    const { counts } = this.counts.cells;
    let most = 0;
    for (let i = start; i < end; i++) {
      const survives = this.#rank.of(score[i]!);
      if (survives === 0) continue;
      counts[cell + survives - 1]!++;
      if (survives > most) most = survives;
    }
    return most;
  }

  #remember(labels: readonly number[], classes: ReadonlySet<number>): void {
    const { presence } = this.counts;
    presence.push(labels.length, classes.size);
    for (const label of labels) {
      presence.push(label, this.#survived[label]!);
      this.#survived[label] = 0;
    }
    presence.push(...classes);
  }
}

/** State at one candidate; going down the candidates, labels only gain pixels. */
interface Alive {
  readonly images: PairWeights;
  /** [labels, columns] */
  readonly pixels: Float64Array;
  /** Pixels of each label. [labels] */
  readonly predicted: Float64Array;
  /** Whether a label occurs at all. [labels] */
  readonly occurs: Uint8Array;
  /** Pixels of background that carry a label. */
  onBackground: number;
}

type SweepMatching = Parameters<ThresholdSweep['best']>[1] & {};

function miouCurve(counts: SweepCounts, classes: number, matching: SweepMatching): Float64Array {
  const truth = new Float64Array(classes);
  for (const [id, at] of counts.truth.entries()) truth[id] = counts.truth.counts[at]!;
  const labels = [...new Set([...counts.cells.entries()].map(([key]) => Math.floor(key / idRange)))].sort(
    (a, b) => a - b,
  );
  const rowOf = new Map(labels.map((label, row) => [label, row]));
  const values = new Float64Array(labels.length * (classes - 1));
  const alive: Alive = {
    images: { ids: labels, firstClass: 1, columns: classes - 1, values },
    pixels: new Float64Array(values.length),
    predicted: new Float64Array(labels.length),
    occurs: new Uint8Array(labels.length),
    onBackground: 0,
  };
  const curve = new Float64Array(counts.candidates.length);
  for (let candidate = curve.length - 1; candidate >= 0; candidate--) {
    addPixels(alive, counts, rowOf, candidate);
    addImages(alive, counts, rowOf, candidate);
    curve[candidate] = miouOf(alive, truth, matching);
  }
  return curve;
}

/** Pixels whose highest candidate is this one. */
function addPixels(alive: Alive, { cells }: SweepCounts, rowOf: ReadonlyMap<number, number>, candidate: number): void {
  for (const [key, at] of cells.entries()) {
    const pixels = cells.counts[at + candidate]!;
    if (pixels === 0) continue;
    const row = rowOf.get(Math.floor(key / idRange))!;
    const id = key % idRange;
    alive.predicted[row]! += pixels;
    if (id === 0) alive.onBackground += pixels;
    else alive.pixels[row * alive.images.columns + id - 1]! += pixels;
  }
}

/** Images in which this is the highest candidate that a label survives. */
function addImages(
  alive: Alive,
  { presence }: SweepCounts,
  rowOf: ReadonlyMap<number, number>,
  candidate: number,
): void {
  for (let at = 0; at < presence.length; ) {
    const labelsAt = at + 2;
    const classesAt = labelsAt + 2 * presence[at]!;
    const end = classesAt + presence[at + 1]!;
    for (let i = labelsAt; i < classesAt; i += 2) {
      if (presence[i + 1] !== candidate + 1) continue;
      const row = rowOf.get(presence[i]!)!;
      alive.occurs[row] = 1;
      for (let j = classesAt; j < end; j++) alive.images.values[row * alive.images.columns + presence[j]! - 1]!++;
    }
    at = end;
  }
}

function miouOf(alive: Alive, truth: Float64Array, matching: SweepMatching): number {
  const { ids, columns } = alive.images;
  const counts = { ...emptyCounts(truth.length), truth };
  const classOf = typeof matching === 'string' ? solved(alive, matching) : matching;
  for (const [row, label] of ids.entries()) {
    const id = typeof matching === 'string' ? classOf.get(row) : classOf.get(label);
    if (id === undefined || id === 0 || id >= truth.length) continue;
    counts.predicted[id]! += alive.predicted[row]!;
    counts.both[id]! += alive.pixels[row * columns + id - 1]!;
  }
  const labelled = alive.predicted.reduce((sum, pixels) => sum + pixels, 0);
  counts.predicted[0] = truth.reduce((sum, pixels) => sum + pixels, 0) - labelled;
  counts.both[0] = truth[0]! - alive.onBackground;
  return meanIou(counts);
}

/** Class of each row that is matched at this candidate. */
function solved({ images, pixels, occurs }: Alive, matching: 'image' | 'pixel'): ReadonlyMap<number, number> {
  const { ids, columns, values } = images;
  const rows = [...ids.keys()].filter(row => occurs[row] === 1);
  const compact = (weights: Float64Array) => {
    const kept = new Float64Array(rows.length * columns);
    for (const [place, row] of rows.entries())
      kept.set(weights.subarray(row * columns, (row + 1) * columns), place * columns);
    return kept;
  };
  const overlaps = compact(pixels);
  const weights =
    matching === 'pixel'
      ? overlaps
      : withTieBreak({ ids: rows, firstClass: 1, columns, values: compact(values) }, overlaps);
  return assign({ ids: rows, firstClass: 1, columns }, weights).classOf;
}
