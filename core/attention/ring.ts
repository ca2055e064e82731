/** The outermost ring of positions of a grid: where background is most likely. */

/** Row-major indices of the positions on the rim of a height × width grid, ascending. A grid one or two wide is all ring. */
export function ringPositions(height: number, width: number): Int32Array {
  const ring: number[] = [];
  for (let y = 0; y < height; y++) {
    const whole = y === 0 || y === height - 1;
    for (let x = 0; x < width; x++) if (whole || x === 0 || x === width - 1) ring.push(y * width + x);
  }
  return Int32Array.from(ring);
}

/** Mean of `values` over the ring, and over the positions inside it (NaN where nothing is inside). */
export function ringMeans(values: ArrayLike<number>, ring: Int32Array): { ring: number; inside: number } {
  let all = 0;
  for (let i = 0; i < values.length; i++) all += values[i]!;
  let onRing = 0;
  for (const position of ring) onRing += values[position]!;
  return { ring: onRing / ring.length, inside: (all - onRing) / (values.length - ring.length) };
}
