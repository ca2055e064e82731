/** How unlike the image's border each position is: an untrained foreground score. */
import { ringPositions } from './ring.ts';

const neighbours = 5;

/**
 * One minus the mean of the five largest cosines to positions of the outermost ring; a ring position does not count itself.
 * Where the ring has fewer than five others, the mean of those; where it has none, 0.
 * @param gram cosines [n, n] of the image's unit features, n = height · width, row-major
 * @returns [n], 0 … 2
 */
export function borderDistance(gram: Float32Array, height: number, width: number): Float64Array {
  const count = height * width;
  const ring = ringPositions(height, width);
  const best = new Float64Array(neighbours);
  const distances = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const found = largestCosines(gram, i * count, ring, i, best);
    let sum = 0;
    for (let j = 0; j < found; j++) sum += best[j]!;
    distances[i] = found > 0 ? 1 - sum / found : 0;
  }
  return distances;
}

/** Fills `best` with the largest cosines of row `i` to the ring, descending; returns how many there are. */
function largestCosines(gram: Float32Array, offset: number, ring: Int32Array, i: number, best: Float64Array): number {
  let found = 0;
  for (let r = 0; r < ring.length; r++) {
    const j = ring[r]!;
    if (j === i) continue;
    const cosine = gram[offset + j]!;
    if (found === neighbours && cosine <= best[neighbours - 1]!) continue;
    let at = found < neighbours ? found++ : neighbours - 1;
    for (; at > 0 && best[at - 1]! < cosine; at--) best[at] = best[at - 1]!;
    best[at] = cosine;
  }
  return found;
}
