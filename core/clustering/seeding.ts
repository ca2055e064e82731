/** First centroids: rows drawn at random, or by k-means++ (Arthur & Vassilvitskii 2007), at once or in batches. */
import type { Random } from '../random.ts';
import { distanceBetween, type Metric } from './metric.ts';

/** Vectors in one flat array, [count, dimension], of either precision. */
interface Points {
  readonly data: Float32Array | Float64Array;
  readonly count: number;
  readonly dimension: number;
}

/** `wanted` different row indices out of `count`, ascending, every choice equally likely (R. Floyd's method). */
export function randomRows(count: number, wanted: number, random: Random): Int32Array {
  const chosen = new Set<number>();
  for (let last = count - wanted; last < count; last++) {
    const row = random.integer(last + 1);
    chosen.add(chosen.has(row) ? last : row);
  }
  return Int32Array.from(chosen).sort();
}

/**
 * k-means++: each next row with probability proportional to its distance from the nearest one chosen. Greedy where
 * `candidates` is above 1: so many are drawn, and the one is kept that brings all vectors nearest.
 * @returns row indices, [wanted]; rows already chosen come again only where all others coincide with them
 */
export function plusPlusRows(
  points: Points,
  wanted: number,
  metric: Metric,
  random: Random,
  candidates = 1,
): Int32Array {
  const chosen = new Int32Array(wanted);
  let nearest = new Float64Array(points.count).fill(Number.POSITIVE_INFINITY);
  for (let k = 0; k < wanted; k++) {
    let best = { row: -1, nearest, potential: Number.POSITIVE_INFINITY };
    for (let c = 0; c < (k === 0 ? 1 : candidates); c++) {
      const row = k === 0 ? random.integer(points.count) : drawRow(nearest, random);
      const candidate = nearerWith(points, row, nearest, metric);
      if (candidate.potential < best.potential) best = { row, ...candidate };
    }
    chosen[k] = best.row;
    nearest = best.nearest;
  }
  return chosen;
}

function nearerWith(points: Points, row: number, before: Float64Array, metric: Metric) {
  const { data, dimension } = points;
  const nearest = new Float64Array(before.length);
  let potential = 0;
  for (let p = 0; p < before.length; p++) {
    const distance = distanceBetween(data, p * dimension, data, row * dimension, dimension, metric);
    nearest[p] = Math.min(before[p]!, distance);
    potential += nearest[p]!;
  }
  return { nearest, potential };
}

/** An index with probability proportional to its weight; any, where all weights are zero. */
function drawRow(weights: Float64Array, random: Random): number {
  const running = runningSums(weights, weights.length);
  return pick(running, weights.length, random);
}

function runningSums(weights: ArrayLike<number>, count: number): Float64Array {
  const running = new Float64Array(count);
  let sum = 0;
  for (let i = 0; i < count; i++) {
    sum += weights[i]!;
    running[i] = sum;
  }
  return running;
}

/** The first index whose running sum exceeds a random share of the total. */
function pick(running: Float64Array, count: number, random: Random): number {
  const total = running[count - 1]!;
  if (!(total > 0)) return random.integer(count);
  const wanted = random.uniform() * total;
  let low = 0;
  let high = count - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (running[middle]! > wanted) high = middle;
    else low = middle + 1;
  }
  return low;
}

/**
 * Independent draws of rows, each with probability proportional to its weight, from blocks that pass by once.
 * Each slot takes a row of the new block with the block's share of the weight so far (A. Chao 1982, with replacement).
 */
export class WeightedDraws {
  readonly dimension: number;
  /** [slots, dimension]: the rows drawn. */
  readonly vectors: Float32Array;
  /** [slots]: their weights. */
  readonly weights: Float64Array;
  /** Sum of all weights offered. */
  total = 0;
  readonly #random: Random;

  constructor(slots: number, dimension: number, random: Random) {
    this.dimension = dimension;
    this.vectors = new Float32Array(slots * dimension);
    this.weights = new Float64Array(slots);
    this.#random = random;
  }

  /** @param block [rows, dimension] @param weights [rows], not negative */
  offer(block: Float32Array, weights: ArrayLike<number>): void {
    const rows = weights.length;
    const running = runningSums(weights, rows);
    const sum = running[rows - 1] ?? 0;
    if (sum === 0) return;
    this.total += sum;
    for (let slot = 0; slot < this.weights.length; slot++) {
      if (this.#random.uniform() * this.total >= sum) continue;
      const row = pick(running, rows, this.#random);
      const { dimension } = this;
      this.vectors.set(block.subarray(row * dimension, (row + 1) * dimension), slot * dimension);
      this.weights[slot] = weights[row]!;
    }
  }
}

/**
 * Turns draws by the distances to the centroids so far into exact k-means++ choices: one after another, a draw is
 * accepted with probability (its distance now, with those accepted before it) / (its distance when it was drawn).
 * @param draws weighted by distance; the first is always accepted
 * @returns the accepted vectors, [accepted, dimension], at most `most`
 */
export function acceptDraws(draws: WeightedDraws, most: number, metric: Metric, random: Random): Float32Array {
  const { vectors, weights, dimension } = draws;
  const accepted = new Float32Array(Math.min(most, weights.length) * dimension);
  let count = 0;
  for (let slot = 0; slot < weights.length && count < most; slot++) {
    const chance = random.uniform() * weights[slot]!;
    let distance = weights[slot]!;
    for (let k = 0; k < count && distance > chance; k++) {
      const other = distanceBetween(vectors, slot * dimension, accepted, k * dimension, dimension, metric);
      distance = Math.min(distance, other);
    }
    if (distance <= chance) continue;
    accepted.set(vectors.subarray(slot * dimension, (slot + 1) * dimension), count++ * dimension);
  }
  return accepted.subarray(0, count * dimension);
}
