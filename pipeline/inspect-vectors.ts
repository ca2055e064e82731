/** One look at all vectors before k-means: are they numbers, how long are they, roughly where do they lie? */
import type { Metric } from '#core/clustering/metric';
import { PermanentError } from '#core/errors';
import type { VectorSource } from './vector-source.ts';

export interface VectorFacts {
  /** A point near the vectors, [dimension]: the mean of the first block. */
  readonly origin: Float64Array;
  /** What the objective starts from: Σ |x|², for cosine the number of vectors. */
  readonly squares: number;
  /** 1 / length of each vector (0 for zero vectors), for cosine; else undefined. */
  readonly scales: Float64Array | undefined;
}

/** Squared lengths beyond this would overflow float32 products. */
const longest = 1e37;

/** @throws PermanentError naming the first row that holds NaN, infinity or numbers too large, or if the count is not as announced */
export async function inspectVectors(source: VectorSource, metric: Metric): Promise<VectorFacts> {
  const { count, dimension } = source;
  const scales = metric === 'cosine' ? new Float64Array(count) : undefined;
  let origin: Float64Array | undefined;
  let total = 0;
  let row = 0;
  let index = 0;
  for await (const block of source.blocks()) {
    origin ??= meanRow(block, dimension);
    // Summed per block first, so that rounding does not grow with the number of vectors.
    let squares = 0;
    for (let at = 0; at < block.length; at += dimension) {
      const square = squareOf(block, at, dimension);
      if (!(square < longest)) throw unusable(row);
      squares += square;
      if (scales && row < count) scales[row] = square > 0 ? 1 / Math.sqrt(square) : 0;
      row++;
    }
    total += squares;
    source.giveBack(index++, block);
  }
  if (row !== count) throw new PermanentError(`${count} vectors were announced but ${row} came: write them again`);
  return { origin: origin ?? new Float64Array(dimension), squares: scales ? count : total, scales };
}

const unusable = (row: number) =>
  new PermanentError(
    `vector ${row} holds NaN, infinity or numbers too large for float32: leave it out, or check the network that made it`,
  );

function meanRow(block: Float32Array, dimension: number): Float64Array {
  const mean = new Float64Array(dimension);
  for (let i = 0; i < block.length; i++) mean[i % dimension]! += block[i]!;
  return mean.map(sum => (sum * dimension) / block.length);
}

function squareOf(block: Float32Array, at: number, dimension: number): number {
  let square = 0;
  for (let i = at; i < at + dimension; i++) square += block[i]! * block[i]!;
  return square;
}
