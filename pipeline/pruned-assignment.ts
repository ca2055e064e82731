/**
 * The assignment step of k-means without most of its work: bounds tell which vectors cannot have changed their cluster,
 * and only the others are compared with all centroids (G. Hamerly, "Making k-means even faster", SDM 2010).
 */
import { centroidFeeds } from '#core/clustering/assign-graph';
import { addRow, type Centroids, type ClusterSums, driftOf, emptySums } from '#core/clustering/kmeans';
import { distanceBetween, type Metric, squaredDistance } from '#core/clustering/metric';
import { FeedCopies, tensor } from './assign-vectors.ts';
import type { VectorFacts } from './inspect-vectors.ts';
import type { Model, RunResult } from './ports.ts';
import type { VectorSource } from './vector-source.ts';

export interface AssignmentStep {
  /** Of all vectors; the same object in every step. */
  readonly sums: ClusterSums;
  /** Vectors that changed their cluster. */
  readonly moved: number;
  /** Vectors that were compared with all centroids. */
  readonly compared: number;
}

/** What a run can go on from: with it and the centroids the next step's sums are the same to the last bit. */
export interface AssignmentState {
  /** Of every vector, -1 before the first step. */
  readonly clusters: Int32Array;
  readonly sums: ClusterSums;
}

export interface PrunedOptions {
  readonly metric: Metric;
  readonly facts: VectorFacts;
  /** Of `assignGraph`. */
  readonly model: Model;
  /** Batches that are with the sessions at once. */
  readonly inFlight: number;
  /** Vectors per batch. */
  readonly rows: number;
  /** Bounds are not kept: the first step compares every vector again, and finds the same. */
  readonly from?: AssignmentState | undefined;
}

/** Exact distances are given up for a step when, after so many, fewer than one in so many settles anything. */
const fewestTries = 512;
const leastWins = 32;

/** Vectors gathered from the source to be compared with all centroids. */
interface Batch {
  /** [rows, dimension], owns its buffer. */
  data: Float32Array;
  /** Where they stand among all vectors. */
  readonly indices: Int32Array;
  filled: number;
}

/**
 * Holds what is known of every vector between the steps of one run: its cluster, how far its centroid is at most, how far
 * the second nearest is at least. The clusters are those of comparing every vector with all centroids in every step; sums
 * are float64, and only vectors that move touch them.
 */
export class PrunedAssignment {
  readonly #source: VectorSource;
  readonly #options: PrunedOptions;
  readonly #clusters: Int32Array;
  readonly #upper: Float64Array;
  readonly #lower: Float64Array;
  readonly #sums: ClusterSums;
  readonly #originLength: number;
  readonly #spare: Float32Array[] = [];
  #before: Centroids | undefined;
  #moved = 0;
  /** Exact distances of this step, and how many of them settled their vector. */
  #tries = 0;
  #wins = 0;

  constructor(source: VectorSource, clusters: number, options: PrunedOptions) {
    this.#source = source;
    this.#options = options;
    this.#clusters = options.from?.clusters ?? new Int32Array(source.count).fill(-1);
    this.#upper = new Float64Array(source.count).fill(Number.POSITIVE_INFINITY);
    this.#lower = new Float64Array(source.count);
    this.#sums = options.from?.sums ?? emptySums(clusters, source.dimension);
    this.#originLength = Math.hypot(...options.facts.origin);
  }

  /** The arrays themselves: the next step changes them. */
  get state(): AssignmentState {
    return { clusters: this.#clusters, sums: this.#sums };
  }

  async step(centroids: Centroids): Promise<AssignmentStep> {
    const { inFlight, metric, facts } = this.#options;
    const feeds = centroidFeeds(centroids, facts.origin, metric, 2);
    const copies = new FeedCopies(feeds, centroids.dimension, facts.origin);
    const error = this.#errorOf(centroids);
    const pending: { batch: Batch; run: Promise<RunResult> }[] = [];
    let compared = 0;
    this.#moved = 0;
    this.#tries = 0;
    this.#wins = 0;
    const takeNext = async () => {
      const { batch, run } = pending.shift()!;
      const { outputs, feeds: returned } = await run;
      copies.giveBack(returned);
      const data = returned.points!.data as Float32Array;
      this.#enter(data, batch, outputs.assignment!.data as Int32Array, outputs.distances!.data as Float32Array, error);
      if (data.length === this.#options.rows * centroids.dimension) this.#spare.push(data);
    };
    for await (const batch of this.#doubtful(centroids)) {
      compared += batch.filled;
      const run = this.#options.model.run({ points: tensor(batch.data, centroids.dimension), ...copies.take() });
      // A run that fails while an earlier one is awaited is reported when its turn comes.
      run.catch(() => {});
      pending.push({ batch, run });
      if (pending.length >= inFlight) await takeNext();
    }
    while (pending.length > 0) await takeNext();
    this.#before = centroids;
    return { sums: this.#sums, moved: this.#moved, compared };
  }

  /** Moves the bounds by what the centroids moved, and gathers the vectors that they do not settle. */
  async *#doubtful(centroids: Centroids): AsyncGenerator<Batch> {
    const { rows } = this.#options;
    const { dimension } = centroids;
    const drift = this.#before && driftOf(this.#before, centroids);
    let batch = this.#emptyBatch(dimension);
    let [index, blocks] = [0, 0];
    for await (const block of this.#source.blocks()) {
      // A buffer that was moved away and never came back.
      if (block.length === 0) throw new Error('a block of vectors is empty');
      for (let at = 0; at < block.length; at += dimension, index++) {
        if (drift && this.#isSettled(index, block, at, centroids, drift)) continue;
        batch.data.set(block.subarray(at, at + dimension), batch.filled * dimension);
        batch.indices[batch.filled++] = index;
        if (batch.filled < rows) continue;
        yield batch;
        batch = this.#emptyBatch(dimension);
      }
      this.#source.giveBack(blocks++, block);
    }
    if (index !== this.#source.count) throw new Error(`${this.#source.count} vectors were announced but ${index} came`);
    if (batch.filled === 0) return;
    batch.data = batch.data.slice(0, batch.filled * dimension);
    yield batch;
  }

  #emptyBatch(dimension: number): Batch {
    const { rows } = this.#options;
    const data = this.#spare.pop() ?? new Float32Array(rows * dimension);
    return { data, indices: new Int32Array(rows), filled: 0 };
  }

  /** Whether a vector's own centroid is nearer than any other can be. The upper bound is made exact before giving up. */
  #isSettled(
    index: number,
    block: Float32Array,
    at: number,
    centroids: Centroids,
    { moves, first, most, second }: ReturnType<typeof driftOf>,
  ): boolean {
    const own = this.#clusters[index]!;
    const lower = this.#lower[index]! - (own === first ? second : most);
    this.#lower[index] = lower;
    const upper = this.#upper[index]! + moves[own]!;
    this.#upper[index] = upper;
    if (upper < lower) return true;
    if (lower <= 0 || !this.#pays()) return false;
    const { data, dimension } = centroids;
    const exact =
      this.#options.metric === 'cosine'
        ? distanceBetween(block, at, data, own * dimension, dimension, 'cosine')
        : squaredDistance(block, at, data, own * dimension, dimension);
    this.#upper[index] = Math.sqrt(exact) * (1 + 1e-12);
    const settled = this.#upper[index]! < lower;
    this.#tries++;
    if (settled) this.#wins++;
    return settled;
  }

  /** An exact distance costs a few hundredths of comparing with all centroids: not worth it where it hardly ever settles. */
  #pays(): boolean {
    return this.#tries < fewestTries || this.#wins * leastWins > this.#tries;
  }

  /**
   * How far a squared distance from the graph may be off: float32 products of D terms are exact to D · 2⁻²⁴ of their
   * lengths (Higham, Accuracy and Stability, 3.1), here of a vector at most `reach` + |origin| long with a centroid.
   */
  #errorOf({ data, count, dimension }: Centroids): (secondSquare: number) => number {
    const { metric, facts } = this.#options;
    const share = 4 * dimension * 2 ** -24;
    if (metric === 'cosine') return () => 4 * share;
    let furthest = 0;
    for (let k = 0; k < count; k++) {
      furthest = Math.max(furthest, distanceBetween(data, k * dimension, facts.origin, 0, dimension, 'euclidean'));
    }
    const reachOfCentroids = Math.sqrt(furthest);
    return secondSquare => {
      const reach = Math.sqrt(secondSquare) + reachOfCentroids;
      return share * (reach + this.#originLength) * (reach + reachOfCentroids);
    };
  }

  #enter(
    data: Float32Array,
    { indices, filled }: Batch,
    clusters: Int32Array,
    distances: Float32Array,
    errorOf: (secondSquare: number) => number,
  ): void {
    const { scales } = this.#options.facts;
    const { dimension } = this.#sums;
    for (let row = 0; row < filled; row++) {
      const index = indices[row]!;
      const [nearest, second] = [distances[2 * row]!, distances[2 * row + 1]!];
      const error = Number.isFinite(second) ? errorOf(second) : errorOf(nearest);
      this.#upper[index] = Math.sqrt(nearest + error);
      this.#lower[index] = Math.sqrt(Math.max(0, second - error));
      const [before, now] = [this.#clusters[index]!, clusters[row]!];
      if (before === now) continue;
      const scale = scales?.[index];
      if (before >= 0) addRow(this.#sums, before, -1, data, row * dimension, scale);
      addRow(this.#sums, now, 1, data, row * dimension, scale);
      this.#clusters[index] = now;
      this.#moved++;
    }
  }
}
