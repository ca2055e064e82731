/** Standardises values: mean 0, standard deviation 1 (divisor n). */

/** Returns new values; where all are alike (to rounding) they carry no information, and the answer is all zeros. */
export function zScore(values: ArrayLike<number>): Float64Array {
  const count = values.length;
  let sum = 0;
  let largest = 0;
  for (let i = 0; i < count; i++) {
    sum += values[i]!;
    largest = Math.max(largest, Math.abs(values[i]!));
  }
  const mean = sum / count;
  const scores = new Float64Array(count);
  let squares = 0;
  for (let i = 0; i < count; i++) {
    const difference = values[i]! - mean;
    scores[i] = difference;
    squares += difference * difference;
  }
  const deviation = Math.sqrt(squares / count);
  if (!(deviation > largest * 1e-9)) return new Float64Array(count);
  for (let i = 0; i < count; i++) scores[i]! /= deviation;
  return scores;
}
