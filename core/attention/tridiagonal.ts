/** The largest eigenpair of a small symmetric tridiagonal matrix. */

/**
 * Bisection with Sturm counts for the value, one forward and one backward recurrence for the vector.
 * (Golub & Van Loan, Matrix Computations, 8.4; the twisted recurrence is that of Dhillon & Parlett, 2004.)
 * @param diagonal at least `size` entries
 * @param beside the entries next to the diagonal: beside[i] couples i and i + 1
 */
export function largestEigenpair(
  diagonal: ArrayLike<number>,
  beside: ArrayLike<number>,
  size: number,
): { value: number; vector: Float64Array } {
  const value = largestEigenvalue(diagonal, beside, size);
  return { value, vector: eigenvector(diagonal, beside, size, value) };
}

function largestEigenvalue(diagonal: ArrayLike<number>, beside: ArrayLike<number>, size: number): number {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < size; i++) {
    const reach = (i > 0 ? Math.abs(beside[i - 1]!) : 0) + (i < size - 1 ? Math.abs(beside[i]!) : 0);
    low = Math.min(low, diagonal[i]! - reach);
    high = Math.max(high, diagonal[i]! + reach);
  }
  for (;;) {
    const middle = (low + high) / 2;
    if (middle <= low || middle >= high) return high;
    if (hasEigenvalueAbove(diagonal, beside, size, middle)) low = middle;
    else high = middle;
  }
}

/** By Sylvester's law: some pivot of the elimination of T − x·I is positive. */
function hasEigenvalueAbove(diagonal: ArrayLike<number>, beside: ArrayLike<number>, size: number, x: number): boolean {
  let pivot = diagonal[0]! - x;
  for (let i = 1; i < size && pivot <= 0; i++) {
    const coupling = beside[i - 1]!;
    pivot = diagonal[i]! - x - (coupling * coupling) / (pivot === 0 ? -1e-300 : pivot);
  }
  return pivot > 0;
}

/** The vector of T − value·I, from the elimination downwards and upwards, met where their pivots leave the least. */
function eigenvector(
  diagonal: ArrayLike<number>,
  beside: ArrayLike<number>,
  size: number,
  value: number,
): Float64Array {
  const down = new Float64Array(size);
  const up = new Float64Array(size);
  const safe = (pivot: number) => (Math.abs(pivot) < 1e-300 ? -1e-300 : pivot);
  down[0] = safe(diagonal[0]! - value);
  for (let i = 1; i < size; i++) down[i] = safe(diagonal[i]! - value - beside[i - 1]! ** 2 / down[i - 1]!);
  up[size - 1] = safe(diagonal[size - 1]! - value);
  for (let i = size - 2; i >= 0; i--) up[i] = safe(diagonal[i]! - value - beside[i]! ** 2 / up[i + 1]!);
  let twist = 0;
  const left = (i: number) => Math.abs(down[i]! + up[i]! - (diagonal[i]! - value));
  for (let i = 1; i < size; i++) if (left(i) < left(twist)) twist = i;
  const vector = new Float64Array(size);
  vector[twist] = 1;
  for (let i = twist - 1; i >= 0; i--) vector[i] = (-beside[i]! * vector[i + 1]!) / down[i]!;
  for (let i = twist + 1; i < size; i++) vector[i] = (-beside[i - 1]! * vector[i - 1]!) / up[i]!;
  let squares = 0;
  for (const entry of vector) squares += entry * entry;
  return vector.map(entry => entry / Math.sqrt(squares));
}
