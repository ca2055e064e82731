/** The foreground head: a linear score over a data set's positions that trains itself from untrained seeds. */
import { CholeskyDecomposition, Matrix } from 'ml-matrix';
import { quantiles } from './quantiles.ts';

export interface RidgeHead {
  /** [dimension + 1]; the last belongs to the constant 1. */
  readonly weights: Float64Array;
  readonly rounds: readonly RidgeRound[];
}

/** What one round of self-training saw. */
export interface RidgeRound {
  readonly positives: number;
  readonly negatives: number;
  /** The score at and above which a position was positive, and at and below which it was negative. */
  readonly positiveFloor: number;
  readonly negativeCeiling: number;
  /** Share of the positives that were positive in the round before (in the first: NaN). */
  readonly kept: number;
  /** Mean score of positives less that of negatives, after the fit; 2 would be perfect. */
  readonly separation: number;
}

export interface RidgeHeadOptions {
  readonly rounds?: number;
  readonly positiveQuantile?: number;
  readonly negativeQuantile?: number;
  readonly ridge?: number;
}

/**
 * Each round takes the top of the scores as positives (+1), the bottom as negatives (−1), and fits
 * w = (XᵀVX/m + ridge·I)⁻¹ XᵀVy/m with X = [features, 1] and V weighting both classes alike; its scores are the next
 * round's. Where the seeds are all alike the weights come out as zeros.
 * @param features [positions, dimension], row-major, each row of unit length
 * @param seeds [positions], z-scored per image
 */
export function trainRidgeHead(
  features: Float32Array,
  dimension: number,
  seeds: Float64Array,
  { rounds = 4, positiveQuantile = 0.9, negativeQuantile = 0.5, ridge = 1e-3 }: RidgeHeadOptions = {},
): RidgeHead {
  if (seeds.length === 0 || features.length !== seeds.length * dimension) {
    throw new RangeError(`${features.length} features for ${seeds.length} seeds of ${dimension} dimensions`);
  }
  const history: RidgeRound[] = [];
  let weights: Float64Array = new Float64Array(dimension + 1);
  let scores = seeds;
  let before: Int32Array | undefined;
  for (let round = 0; round < rounds; round++) {
    const [negativeCeiling, positiveFloor] = quantiles(scores, [negativeQuantile, positiveQuantile]) as [
      number,
      number,
    ];
    const positives = indicesWhere(scores, score => score >= positiveFloor);
    const negatives = indicesWhere(scores, score => score <= negativeCeiling);
    weights = fitRidge(features, dimension, positives, negatives, ridge);
    const kept = before ? shareWithin(positives, before) : Number.NaN;
    scores = ridgeScores({ weights }, features);
    const separation = meanAt(scores, positives) - meanAt(scores, negatives);
    history.push({
      positives: positives.length,
      negatives: negatives.length,
      positiveFloor,
      negativeCeiling,
      kept,
      separation,
    });
    before = positives;
  }
  return { weights, rounds: history };
}

/** w · [x, 1] for every position. @param features [positions, dimension] */
export function ridgeScores({ weights }: Pick<RidgeHead, 'weights'>, features: Float32Array): Float64Array {
  const dimension = weights.length - 1;
  const scores = new Float64Array(features.length / dimension);
  for (let p = 0; p < scores.length; p++) {
    const at = p * dimension;
    let score = weights[dimension]!;
    for (let i = 0; i < dimension; i++) score += weights[i]! * features[at + i]!;
    scores[p] = score;
  }
  return scores;
}

/**
 * With weights 0.5 / (share of the class), XᵀVX/m is the mean of both classes' means of x xᵀ, and XᵀVy/m half the
 * difference of their means of x: only sums per class are needed.
 */
function fitRidge(
  features: Float32Array,
  dimension: number,
  positives: Int32Array,
  negatives: Int32Array,
  ridge: number,
): Float64Array {
  const up = classMeans(features, dimension, positives);
  const down = classMeans(features, dimension, negatives);
  const size = dimension + 1;
  const normal = Matrix.zeros(size, size);
  const target = Matrix.zeros(size, 1);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) {
      const entry = (up[i * size + j]! + down[i * size + j]!) / 2 + (i === j ? ridge : 0);
      normal.set(i, j, entry);
      normal.set(j, i, entry);
    }
    // The last row holds the products with the constant 1: the means.
    target.set(i, 0, (up[dimension * size + i]! - down[dimension * size + i]!) / 2);
  }
  return Float64Array.from(new CholeskyDecomposition(normal).solve(target).to1DArray());
}

/** Mean of [x, 1][x, 1]ᵀ over these rows; only the lower triangle is filled. Four rows per sweep. */
function classMeans(features: Float32Array, dimension: number, rows: Int32Array): Float64Array {
  const size = dimension + 1;
  const products = new Float64Array(size * size);
  const four = new Float64Array(4 * size);
  for (let r = 0; r < rows.length; r += 4) {
    four.fill(0);
    for (let k = 0; k < 4 && r + k < rows.length; k++) {
      const at = rows[r + k]! * dimension;
      for (let i = 0; i < dimension; i++) four[i * 4 + k] = features[at + i]!;
      four[dimension * 4 + k] = 1;
    }
    addOuterProducts(products, four, size);
  }
  for (let i = 0; i < products.length; i++) products[i]! /= rows.length;
  return products;
}

function addOuterProducts(products: Float64Array, four: Float64Array, size: number): void {
  for (let i = 0; i < size; i++) {
    const a = four[i * 4]!;
    const b = four[i * 4 + 1]!;
    const c = four[i * 4 + 2]!;
    const d = four[i * 4 + 3]!;
    const at = i * size;
    for (let j = 0; j <= i; j++) {
      products[at + j]! += a * four[j * 4]! + b * four[j * 4 + 1]! + c * four[j * 4 + 2]! + d * four[j * 4 + 3]!;
    }
  }
}

function indicesWhere(scores: Float64Array, test: (score: number) => boolean): Int32Array {
  const indices = new Int32Array(scores.length);
  let count = 0;
  for (let i = 0; i < scores.length; i++) if (test(scores[i]!)) indices[count++] = i;
  return indices.slice(0, count);
}

/** Share of `these` that are among `those`; both ascending. */
function shareWithin(these: Int32Array, those: Int32Array): number {
  let shared = 0;
  let at = 0;
  for (const index of these) {
    while (at < those.length && those[at]! < index) at++;
    if (those[at] === index) shared++;
  }
  return shared / these.length;
}

function meanAt(scores: Float64Array, indices: Int32Array): number {
  let sum = 0;
  for (const index of indices) sum += scores[index]!;
  return sum / indices.length;
}
