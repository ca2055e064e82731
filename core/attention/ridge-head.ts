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
  const sums = { up: new ClassMoments(dimension), down: new ClassMoments(dimension) };
  let before: Int32Array | undefined;
  for (let round = 0; round < rounds; round++) {
    const [negativeCeiling, positiveFloor] = quantiles(scores, [negativeQuantile, positiveQuantile]) as [
      number,
      number,
    ];
    const positives = indicesWhere(scores, score => score >= positiveFloor);
    const negatives = indicesWhere(scores, score => score <= negativeCeiling);
    sums.up.become(positives, features);
    sums.down.become(negatives, features);
    weights = fitRidge(sums.up.means(), sums.down.means(), dimension, ridge);
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
function fitRidge(up: Float64Array, down: Float64Array, dimension: number, ridge: number): Float64Array {
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

/**
 * Sum of [x, 1][x, 1]ᵀ over the rows of a class; only the lower triangle is filled. From round to round most rows stay, so
 * only those that came or went are looked at.
 */
class ClassMoments {
  readonly #dimension: number;
  readonly #sums: Float64Array;
  #rows: Int32Array = new Int32Array(0);

  constructor(dimension: number) {
    this.#dimension = dimension;
    this.#sums = new Float64Array((dimension + 1) ** 2);
  }

  /** @param rows ascending */
  become(rows: Int32Array, features: Float32Array): void {
    const came = without(rows, this.#rows);
    const went = without(this.#rows, rows);
    if (came.length + went.length < rows.length) {
      this.#add(came, 1, features);
      this.#add(went, -1, features);
    } else {
      this.#sums.fill(0);
      this.#add(rows, 1, features);
    }
    this.#rows = rows;
  }

  means(): Float64Array {
    return this.#sums.map(sum => sum / this.#rows.length);
  }

  /** Four rows per sweep. */
  #add(rows: Int32Array, sign: 1 | -1, features: Float32Array): void {
    const dimension = this.#dimension;
    const four = new Float64Array(4 * (dimension + 1));
    for (let r = 0; r < rows.length; r += 4) {
      four.fill(0);
      for (let k = 0; k < 4 && r + k < rows.length; k++) {
        const at = rows[r + k]! * dimension;
        for (let i = 0; i < dimension; i++) four[i * 4 + k] = features[at + i]!;
        four[dimension * 4 + k] = 1;
      }
      addOuterProducts(this.#sums, four, dimension + 1, sign);
    }
  }
}

/** Those of `these` that are not among `those`; all ascending. */
function without(these: Int32Array, those: Int32Array): Int32Array {
  const rest = new Int32Array(these.length);
  let count = 0;
  let at = 0;
  for (const index of these) {
    while (at < those.length && those[at]! < index) at++;
    if (those[at] !== index) rest[count++] = index;
  }
  return rest.slice(0, count);
}

function addOuterProducts(products: Float64Array, four: Float64Array, size: number, sign: 1 | -1): void {
  for (let i = 0; i < size; i++) {
    const a = sign * four[i * 4]!;
    const b = sign * four[i * 4 + 1]!;
    const c = sign * four[i * 4 + 2]!;
    const d = sign * four[i * 4 + 3]!;
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
const shareWithin = (these: Int32Array, those: Int32Array): number => 1 - without(these, those).length / these.length;

function meanAt(scores: Float64Array, indices: Int32Array): number {
  let sum = 0;
  for (const index of indices) sum += scores[index]!;
  return sum / indices.length;
}
