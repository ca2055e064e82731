/** Mean and covariance of many vectors from sums that shards can add up. */

export interface MomentSums {
  readonly dimension: number;
  count: number;
  /** Σ x, [dimension]. */
  readonly sum: Float64Array;
  /** Σ x xᵀ, [dimension, dimension], row-major. */
  readonly products: Float64Array;
}

export const emptyMoments = (dimension: number): MomentSums => ({
  dimension,
  count: 0,
  sum: new Float64Array(dimension),
  products: new Float64Array(dimension * dimension),
});

/** Adds the sums of further vectors, computed anywhere (float32 products of one image are exact enough; their total is not). */
export function addMoments(
  into: MomentSums,
  part: { count: number; sum: ArrayLike<number>; products: Float32Array | Float64Array },
): void {
  into.count += part.count;
  for (let i = 0; i < into.sum.length; i++) into.sum[i]! += part.sum[i]!;
  const { products } = into;
  for (let i = 0; i < products.length; i++) products[i]! += part.products[i]!;
}

/** Population covariance (divisor count): Σ x xᵀ / count − mean meanᵀ. @throws RangeError without vectors */
export function covarianceOf({ dimension, count, sum, products }: MomentSums): {
  mean: Float64Array;
  covariance: Float64Array;
} {
  if (count < 1) throw new RangeError('no vectors, no covariance');
  const mean = sum.map(total => total / count);
  const covariance = new Float64Array(products.length);
  for (let i = 0; i < dimension; i++) {
    for (let j = 0; j < dimension; j++) {
      covariance[i * dimension + j] = products[i * dimension + j]! / count - mean[i]! * mean[j]!;
    }
  }
  return { mean, covariance };
}
