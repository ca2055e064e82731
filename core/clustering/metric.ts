/** How far two vectors are apart, in k-means and in every assignment. */

/**
 * Both are squared Euclidean distances: of the vectors as they are, or of their directions (2 − 2·cosine, 0 … 4;
 * a zero vector has cosine 0 with everything).
 */
export type Metric = 'euclidean' | 'cosine';

/** Distance of two rows of flat arrays that start at these offsets. */
export function distanceBetween(
  a: Float32Array | Float64Array,
  aAt: number,
  b: Float32Array | Float64Array,
  bAt: number,
  dimension: number,
  metric: Metric,
): number {
  if (metric === 'cosine') return cosineDistance(a, aAt, b, bAt, dimension);
  let sum = 0;
  for (let i = 0; i < dimension; i++) {
    const difference = a[aAt + i]! - b[bAt + i]!;
    sum += difference * difference;
  }
  return sum;
}

function cosineDistance(
  a: Float32Array | Float64Array,
  aAt: number,
  b: Float32Array | Float64Array,
  bAt: number,
  dimension: number,
): number {
  let product = 0;
  let squareA = 0;
  let squareB = 0;
  for (let i = 0; i < dimension; i++) {
    const left = a[aAt + i]!;
    const right = b[bAt + i]!;
    product += left * right;
    squareA += left * left;
    squareB += right * right;
  }
  const lengths = Math.sqrt(squareA * squareB);
  return lengths > 0 ? Math.max(0, 2 - (2 * product) / lengths) : 2;
}

/** As `distanceBetween` for the Euclidean metric, in four sums side by side: several times faster where rows are long. */
export function squaredDistance(a: Float32Array, aAt: number, b: Float64Array, bAt: number, dimension: number): number {
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  let i = 0;
  for (; i + 4 <= dimension; i += 4) {
    const d0 = a[aAt + i]! - b[bAt + i]!;
    const d1 = a[aAt + i + 1]! - b[bAt + i + 1]!;
    const d2 = a[aAt + i + 2]! - b[bAt + i + 2]!;
    const d3 = a[aAt + i + 3]! - b[bAt + i + 3]!;
    s0 += d0 * d0;
    s1 += d1 * d1;
    s2 += d2 * d2;
    s3 += d3 * d3;
  }
  for (; i < dimension; i++) s0 += (a[aAt + i]! - b[bAt + i]!) ** 2;
  return s0 + s1 + (s2 + s3);
}
