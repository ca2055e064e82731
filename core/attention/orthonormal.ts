/** Orthonormal rows: what block methods grow their basis from. */

/** Rows of length `dimension`, one after another in `data`, which is full once all of it is in use; the first `count` are. */
export interface RowBasis {
  readonly data: Float64Array;
  readonly dimension: number;
  count: number;
}

export const basisRow = ({ data, dimension }: RowBasis, index: number): Float64Array =>
  data.subarray(index * dimension, (index + 1) * dimension);

/** Takes the parts along the basis out of each row, in place. @returns those parts, [rows, basis.count] */
export function projectOut(basis: RowBasis, rows: Float64Array): Float64Array {
  const { dimension, count } = basis;
  const parts = new Float64Array((rows.length / dimension) * count);
  for (let r = 0; r * dimension < rows.length; r++) {
    const row = rows.subarray(r * dimension, (r + 1) * dimension);
    const along = parts.subarray(r * count, (r + 1) * count);
    dotWithEach(row, basis.data, along);
    addCombination(row, basis.data, along, -1);
  }
  return parts;
}

/**
 * Appends unit rows that, with the basis, span what the given rows span with it (modified Gram-Schmidt, then once more
 * against everything: "twice is enough", Kahan). A row shorter than `negligible` once its parts along the others are
 * gone adds nothing and is left out, and so is what no longer fits.
 * @param rows already orthogonal to the basis (`projectOut`); overwritten
 * @returns how many rows were appended
 */
export function extendBasis(basis: RowBasis, rows: Float64Array, negligible: number): number {
  const { dimension } = basis;
  const before = basis.count;
  const capacity = basis.data.length / dimension;
  for (let at = 0; at < rows.length && basis.count < capacity; at += dimension) {
    const row = rows.subarray(at, at + dimension);
    projectOut({ data: basis.data.subarray(before * dimension), dimension, count: basis.count - before }, row);
    const length = lengthOf(row);
    if (length <= negligible) continue;
    scale(row, 1 / length);
    projectOut(basis, row);
    scale(row, 1 / lengthOf(row));
    basis.data.set(row, basis.count * dimension);
    basis.count++;
  }
  return basis.count - before;
}

export function lengthOf(row: Float64Array): number {
  const square = new Float64Array(1);
  dotWithEach(row, row, square);
  return Math.sqrt(square[0]!);
}

/** sum += factor · Σ weights[r] · rows[r], four rows per sweep. */
export function addCombination(sum: Float64Array, rows: Float64Array, weights: Float64Array, factor = 1): void {
  const dimension = sum.length;
  const whole = weights.length - (weights.length % 4);
  for (let r = 0; r < whole; r += 4) {
    const [a, b, c, d] = [0, 1, 2, 3].map(k => weights[r + k]! * factor) as [number, number, number, number];
    const at = r * dimension;
    for (let i = 0; i < dimension; i++) {
      const j = at + i;
      sum[i]! += a * rows[j]! + b * rows[j + dimension]! + c * rows[j + 2 * dimension]! + d * rows[j + 3 * dimension]!;
    }
  }
  for (let r = whole; r < weights.length; r++) {
    const weight = weights[r]! * factor;
    for (let i = 0; i < dimension; i++) sum[i]! += weight * rows[r * dimension + i]!;
  }
}

/** products[r] = row · rows[r], four rows per sweep. */
function dotWithEach(row: Float64Array, rows: Float64Array, products: Float64Array): void {
  const dimension = row.length;
  const whole = products.length - (products.length % 4);
  for (let r = 0; r < whole; r += 4) {
    const at = r * dimension;
    let a = 0;
    let b = 0;
    let c = 0;
    let d = 0;
    for (let i = 0; i < dimension; i++) {
      const entry = row[i]!;
      const j = at + i;
      a += entry * rows[j]!;
      b += entry * rows[j + dimension]!;
      c += entry * rows[j + 2 * dimension]!;
      d += entry * rows[j + 3 * dimension]!;
    }
    products[r] = a;
    products[r + 1] = b;
    products[r + 2] = c;
    products[r + 3] = d;
  }
  for (let r = whole; r < products.length; r++) {
    let sum = 0;
    for (let i = 0; i < dimension; i++) sum += row[i]! * rows[r * dimension + i]!;
    products[r] = sum;
  }
}

function scale(row: Float64Array, factor: number): void {
  for (let i = 0; i < row.length; i++) row[i]! *= factor;
}
