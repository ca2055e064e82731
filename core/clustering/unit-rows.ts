/** Rows scaled to length one; a row of zeros stays. [count, dimension], row-major. */
export function unitRows(data: Float32Array, count: number, dimension: number): Float32Array {
  const out = new Float32Array(data.length);
  for (let r = 0; r < count; r++) {
    const line = data.subarray(r * dimension, (r + 1) * dimension);
    let sum = 0;
    for (const value of line) sum += value * value;
    const scale = 1 / Math.max(Math.sqrt(sum), 1e-12);
    for (let i = 0; i < dimension; i++) out[r * dimension + i] = line[i]! * scale;
  }
  return out;
}
