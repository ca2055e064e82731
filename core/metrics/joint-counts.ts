/** How often each pair of predicted id and class id meets in one image, and on which side the pixel is boundary. */
import { boundaryMap } from '#core/labels/boundary';
import type { LabelMap } from '#core/labels/label-map';
import { rowRuns } from '#core/labels/row-runs';

/** What one pair's counts stand for, in this order. */
export const bothInside = 0;
export const predictedBoundary = 1;
export const truthBoundary = 2;
export const bothBoundary = 3;
export const countsPerPair = 4;

export interface JointCounts {
  /** Predicted ids in the image, in the order in which they first occur. */
  readonly predicted: readonly number[];
  /** Ids in the ground truth, ignored ones included. */
  readonly truths: readonly number[];
  /** [predicted, truths, 4]: pixels that are boundary on neither side, in the prediction only, in the truth only, on both. */
  readonly counts: Int32Array;
}

/** The ids that occur in a map, and for each the place it has among them. */
class Slots {
  readonly of = new Int32Array(65536).fill(-1);
  ids: number[] = [];

  collect(data: Uint16Array, runs: Int32Array): void {
    for (const id of this.ids) this.of[id] = -1;
    this.ids = [];
    for (const end of runs) {
      const id = data[end - 1]!;
      if (this.of[id] === -1) this.of[id] = this.ids.push(id) - 1;
    }
  }
}

/** One side's working memory, kept from image to image. */
class Side {
  readonly slots = new Slots();
  /** Of the map last read. */
  runs: Int32Array = new Int32Array(0);
  boundary = new Uint8Array(0);
  #runs = new Int32Array(0);

  read(map: LabelMap): void {
    if (this.boundary.length < map.data.length) {
      this.boundary = new Uint8Array(map.data.length);
      this.#runs = new Int32Array(map.data.length);
    }
    this.runs = rowRuns(map, this.#runs);
    this.slots.collect(map.data, this.runs);
    boundaryMap(map, this.runs, this.boundary);
  }
}

/** Counts image after image and keeps its working memory in between. */
export class JointCounter {
  readonly #predicted = new Side();
  readonly #truth = new Side();

  /** Runs of the ground truth last counted. */
  get truthRuns(): Int32Array {
    return this.#truth.runs;
  }

  /** Boundaries are those of the whole maps: ignored pixels are labels of their own. Both maps have one size. */
  count(prediction: LabelMap, truth: LabelMap): JointCounts {
    this.#predicted.read(prediction);
    this.#truth.read(truth);
    const predicted = this.#predicted.slots.ids;
    const truths = this.#truth.slots.ids;
    const counts = new Int32Array(predicted.length * truths.length * countsPerPair);
    const { runs: predictedRuns, slots: rows } = this.#predicted;
    const { runs: truthRuns, slots: columns } = this.#truth;
    for (let start = 0, p = 0, t = 0; start < truth.data.length; ) {
      const end = Math.min(predictedRuns[p]!, truthRuns[t]!);
      const row = rows.of[prediction.data[start]!]!;
      const column = columns.of[truth.data[start]!]!;
      this.#addRun(counts, (row * truths.length + column) * countsPerPair, start, end);
      if (predictedRuns[p] === end) p++;
      if (truthRuns[t] === end) t++;
      start = end;
    }
    return { predicted, truths, counts };
  }

  #addRun(counts: Int32Array, pair: number, start: number, end: number): void {
    const { boundary: onPredicted } = this.#predicted;
    const { boundary: onTruth } = this.#truth;
    let predicted = 0;
    let truth = 0;
    let both = 0;
    for (let i = start; i < end; i++) {
      const p = onPredicted[i]!;
      const t = onTruth[i]!;
      predicted += p;
      truth += t;
      both += p & t;
    }
    counts[pair + bothInside]! += end - start - predicted - truth + both;
    counts[pair + predictedBoundary]! += predicted - both;
    counts[pair + truthBoundary]! += truth - both;
    counts[pair + bothBoundary]! += both;
  }
}
