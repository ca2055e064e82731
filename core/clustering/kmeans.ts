/** The steps of k-means, free of how the nearest centroid is found; after faiss (Clustering.h, Clustering.cpp). */
import type { Random } from '../random.ts';
import { distanceBetween, type Metric } from './metric.ts';
import type { VectorSet } from './vector-set.ts';

/** Centroids while they move, [count, dimension], row-major, float64; of unit length where the metric is cosine. */
export interface Centroids {
  readonly data: Float64Array;
  readonly count: number;
  readonly dimension: number;
}

/** @returns a copy; for cosine the rows' directions */
export function toCentroids({ data, count, dimension }: VectorSet, metric: Metric): Centroids {
  const copy = Float64Array.from(data);
  if (metric === 'cosine') for (let k = 0; k < count; k++) normaliseRow(copy, k * dimension, dimension);
  return { data: copy, count, dimension };
}

export const toVectorSet = ({ data, count, dimension }: Centroids): VectorSet => ({
  data: Float32Array.from(data),
  count,
  dimension,
});

/** Mean of the rows, [dimension]. */
export function meanOf({ data, count, dimension }: Centroids): Float64Array {
  const mean = new Float64Array(dimension);
  for (let i = 0; i < data.length; i++) mean[i % dimension]! += data[i]! / count;
  return mean;
}

/** What one pass over the vectors leaves: sums and counts per cluster. Sums of parts add up. */
export interface ClusterSums {
  /** [clusters, dimension]. */
  readonly sums: Float64Array;
  /** [clusters]. */
  readonly counts: Int32Array;
  readonly dimension: number;
}

export interface IterationStatistics {
  /** 0, 1, … */
  readonly iteration: number;
  /** Sum over all vectors of the distance to their centroid, at this iteration's assignment. */
  readonly objective: number;
  /** Vectors that changed their cluster (in the first iteration: all). */
  readonly moved: number;
  /** Vectors that had to be compared with all centroids. */
  readonly compared: number;
  /** Empty clusters that were filled by splitting a big one. */
  readonly split: number;
  /** clusters · Σ n² / (Σ n)²: 1 if all clusters are equally big, clusters if one holds everything. */
  readonly imbalance: number;
}

export const emptySums = (clusters: number, dimension: number): ClusterSums => ({
  sums: new Float64Array(clusters * dimension),
  counts: new Int32Array(clusters),
  dimension,
});

/**
 * Adds a vector to a cluster, or takes it out again.
 * @param times 1 or −1
 * @param data holds the vector from `at` on
 * @param scale a factor: 1 / its length, for cosine
 */
export function addRow(
  { sums, counts, dimension }: ClusterSums,
  cluster: number,
  times: 1 | -1,
  data: Float32Array,
  at: number,
  scale = 1,
): void {
  const to = cluster * dimension;
  const factor = times * scale;
  for (let i = 0; i < dimension; i++) sums[to + i]! += factor * data[at + i]!;
  counts[cluster]! += times;
}

/** How far centroids moved. */
export interface Drift {
  /** Euclidean, [clusters]. */
  readonly moves: Float64Array;
  /** The centroid that moved most, how far, and how far the one after it. */
  readonly first: number;
  readonly most: number;
  readonly second: number;
}

export function driftOf(before: Centroids, now: Centroids): Drift {
  const { count, dimension } = now;
  const moves = new Float64Array(count);
  const drift = { moves, first: 0, most: 0, second: 0 };
  for (let k = 0; k < count; k++) {
    const at = k * dimension;
    moves[k] = Math.sqrt(distanceBetween(before.data, at, now.data, at, dimension, 'euclidean'));
    if (moves[k]! > drift.most) Object.assign(drift, { first: k, most: moves[k]!, second: drift.most });
    else if (moves[k]! > drift.second) drift.second = moves[k]!;
  }
  return drift;
}

/**
 * The distances of all vectors to these centroids, summed, from sums alone:
 * Σ |x − c|² = Σ |x|² − 2 Σ_k s_k·c_k + Σ_k n_k |c_k|².
 * @param squares Σ |x|² over all vectors; for cosine their number
 */
export function objectiveOf({ sums, counts, dimension }: ClusterSums, centroids: Centroids, squares: number): number {
  let objective = squares;
  for (let k = 0; k < counts.length; k++) {
    let along = 0;
    let square = 0;
    for (let i = k * dimension; i < (k + 1) * dimension; i++) {
      along += sums[i]! * centroids.data[i]!;
      square += centroids.data[i]! * centroids.data[i]!;
    }
    objective += counts[k]! * square - 2 * along;
  }
  // Where every vector is a centroid, rounding may leave less than nothing.
  return Math.max(0, objective);
}

/**
 * Means of the clusters; for cosine, their directions. A cluster without vectors (or whose directions cancel out) keeps
 * its centroid and is listed as empty.
 */
export function meanCentroids(
  { sums, counts, dimension }: ClusterSums,
  before: Centroids,
  metric: Metric,
): { centroids: Centroids; empty: number[] } {
  const data = before.data.slice();
  const empty: number[] = [];
  for (let k = 0; k < counts.length; k++) {
    const sum = sums.subarray(k * dimension, (k + 1) * dimension);
    const divisor = metric === 'cosine' ? lengthOf(sum) : counts[k]!;
    if (counts[k] === 0 || divisor < 1e-12) empty.push(k);
    else for (let i = 0; i < dimension; i++) data[k * dimension + i] = sum[i]! / divisor;
  }
  return { centroids: { ...before, data }, empty };
}

const splitStep = 1 / 1024;

/**
 * Gives each empty cluster a copy of a big one, drawn with probability (n_j − 1) / (N − K); copy and original are pushed
 * apart by ± 1/1024 on alternating coordinates, and share the count (faiss, `split_clusters`).
 * @param counts [clusters], vectors per cluster, at least as many in all as clusters
 * @returns the centroids with every empty one replaced, as long as any cluster has a vector to spare
 */
export function splitEmpty(
  centroids: Centroids,
  counts: Int32Array,
  empty: readonly number[],
  metric: Metric,
  random: Random,
): Centroids {
  if (empty.length === 0) return centroids;
  const { dimension } = centroids;
  const data = centroids.data.slice();
  const sizes = counts.slice();
  for (const target of empty) sizes[target] = 0;
  for (const target of empty) {
    const source = drawBig(sizes, random);
    if (source < 0) break;
    for (let i = 0; i < dimension; i++) {
      const value = data[source * dimension + i]!;
      const step = i % 2 === 0 ? splitStep : -splitStep;
      data[target * dimension + i] = value * (1 + step);
      data[source * dimension + i] = value * (1 - step);
    }
    sizes[target] = sizes[source]! >> 1;
    sizes[source]! -= sizes[target]!;
    if (metric === 'cosine') for (const k of [source, target]) normaliseRow(data, k * dimension, dimension);
  }
  return { ...centroids, data };
}

/** A cluster, with probability proportional to the number of vectors it can spare; −1 if none can. */
function drawBig(sizes: Int32Array, random: Random): number {
  let spare = 0;
  for (const size of sizes) spare += Math.max(0, size - 1);
  let left = random.integer(spare);
  for (let k = 0; k < sizes.length; k++) {
    left -= Math.max(0, sizes[k]! - 1);
    if (left < 0) return k;
  }
  return -1;
}

/**
 * Ends when nothing moved, or when the objective fell by less than `tolerance` of itself; not by the latter right after
 * a split, which may raise it for one iteration.
 */
export function hasConverged(
  current: IterationStatistics,
  previous: IterationStatistics | undefined,
  tolerance: number,
): boolean {
  if (!previous) return false;
  if (current.moved === 0) return true;
  return previous.split === 0 && previous.objective - current.objective <= tolerance * previous.objective;
}

export function imbalanceOf(counts: Int32Array): number {
  let sum = 0;
  let squares = 0;
  for (const count of counts) {
    sum += count;
    squares += count * count;
  }
  return (counts.length * squares) / (sum * sum);
}

/** Makes one row of unit length, in place; a zero row stays. */
export function normaliseRow(data: Float64Array, at: number, dimension: number): void {
  const length = lengthOf(data.subarray(at, at + dimension));
  if (length > 0) for (let i = at; i < at + dimension; i++) data[i]! /= length;
}

function lengthOf(row: Float64Array): number {
  let square = 0;
  for (let i = 0; i < row.length; i++) square += row[i]! * row[i]!;
  return Math.sqrt(square);
}
