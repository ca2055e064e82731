/** Many vectors of one length in one flat array; never arrays of arrays. */
export interface VectorSet {
  /** [count, dimension], row-major. */
  readonly data: Float32Array;
  readonly count: number;
  readonly dimension: number;
}

export const row = (set: VectorSet, index: number): Float32Array =>
  set.data.subarray(index * set.dimension, (index + 1) * set.dimension);
