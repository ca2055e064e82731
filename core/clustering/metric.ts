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
