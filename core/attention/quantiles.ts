/** Exact quantiles of values that fit in memory. */

/**
 * Linear between the two nearest ranks: the value at rank q · (n − 1) (type 7 of Hyndman & Fan 1996).
 * @param shares each 0 … 1
 * @throws RangeError without values
 */
export function quantiles(values: Float64Array | Float32Array, shares: readonly number[]): number[] {
  if (values.length === 0) throw new RangeError('no values, no quantiles');
  const sorted = values.slice().sort();
  return shares.map(share => {
    const rank = share * (sorted.length - 1);
    const below = sorted[Math.floor(rank)]!;
    const above = sorted[Math.ceil(rank)]!;
    return below + (above - below) * (rank - Math.floor(rank));
  });
}
