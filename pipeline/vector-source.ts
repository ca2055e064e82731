/** Many vectors in blocks that are read again and again: held in memory, or streamed where they do not fit. */
import { row, type VectorSet } from '#core/clustering/vector-set';

/** Each block is [rows, dimension], row-major, and owns its whole buffer. */
export interface VectorSource {
  readonly count: number;
  readonly dimension: number;
  /** One pass over all blocks, in the same order and cut every time. Passes do not overlap. */
  blocks(): AsyncIterable<Float32Array> | Iterable<Float32Array>;
  /** Takes a block back after use, perhaps under a new object: the next blocks may be written into it. */
  giveBack(index: number, block: Float32Array): void;
}

/** Vectors in memory: no copies; between passes the blocks lie in this array. */
export function blocksInMemory(blocks: Float32Array[], dimension: number): VectorSource {
  for (const [index, block] of blocks.entries()) {
    if (block.length % dimension !== 0 || block.byteLength !== block.buffer.byteLength) {
      throw new RangeError(`block ${index} must own its buffer and hold whole vectors of ${dimension} numbers`);
    }
  }
  return {
    count: blocks.reduce((sum, block) => sum + block.length / dimension, 0),
    dimension,
    blocks: () => blocks,
    giveBack: (index, block) => {
      blocks[index] = block;
    },
  };
}

/**
 * Vectors that are read anew in every pass (from shards, say), and cut into blocks of the given rows whatever comes. Blocks
 * that come back are filled again.
 */
export function streamedBlocks(
  { count, dimension }: { count: number; dimension: number },
  open: () => AsyncIterable<Float32Array>,
  rows: number,
): VectorSource {
  const spare: Float32Array[] = [];
  const giveBack = (_: number, block: Float32Array) => {
    if (block.length === rows * dimension && !spare.includes(block)) spare.push(block);
  };
  return { count, dimension, blocks: () => recut(open(), dimension, rows, spare), giveBack };
}

/** The source itself, or its vectors in memory if they take no more than so many bytes. */
export async function inMemoryIfSmall(source: VectorSource, budgetBytes: number): Promise<VectorSource> {
  if (source.count * source.dimension * Float32Array.BYTES_PER_ELEMENT > budgetBytes) return source;
  const blocks: Float32Array[] = [];
  for await (const block of source.blocks()) blocks.push(block);
  return blocksInMemory(blocks, source.dimension);
}

/** Copies a vector set into blocks. */
export function blocksOf({ data, count, dimension }: VectorSet, rows: number): VectorSource {
  const blocks: Float32Array[] = [];
  for (let at = 0; at < count; at += rows) {
    blocks.push(data.slice(at * dimension, Math.min(at + rows, count) * dimension));
  }
  return blocksInMemory(blocks, dimension);
}

const floats = (megabytes: number): number => (megabytes << 20) / Float32Array.BYTES_PER_ELEMENT;
const powerOfTwo = (most: number): number => 2 ** Math.floor(Math.log2(most));

/** Rows per block for a given number of clusters. The cut into blocks is part of the result: k-means++ draws block by block. */
export const rowsPerBlock = (clusters: number): number =>
  Math.min(16384, Math.max(1024, powerOfTwo(floats(4) / clusters)));

/**
 * Rows that go to a session at once: measured best while their products (rows · clusters floats) stay in the processor's
 * cache; more save messages where clusters are few. A few batches are under way, so their vectors take a few MB at most.
 */
export const rowsPerBatch = (clusters: number, dimension: number): number =>
  Math.min(rowsPerBlock(clusters), Math.max(1024, powerOfTwo(floats(2) / dimension)));

/** The rows with these ascending indices, gathered in one pass that ends with the last of them. */
export async function gatherRows(source: VectorSource, indices: Int32Array): Promise<VectorSet> {
  const { dimension } = source;
  const data = new Float32Array(indices.length * dimension);
  let [found, first, index] = [0, 0, 0];
  for await (const block of source.blocks()) {
    const set = { data: block, count: block.length / dimension, dimension };
    for (; found < indices.length && indices[found]! < first + set.count; found++) {
      data.set(row(set, indices[found]! - first), found * dimension);
    }
    first += set.count;
    source.giveBack(index++, block);
    if (found === indices.length) break;
  }
  return { data, count: indices.length, dimension };
}

async function* recut(pieces: AsyncIterable<Float32Array>, dimension: number, rows: number, spare: Float32Array[]) {
  const empty = () => spare.pop() ?? new Float32Array(rows * dimension);
  let block = empty();
  let filled = 0;
  for await (const piece of pieces) {
    for (let at = 0; at < piece.length; ) {
      const taken = piece.subarray(at, at + block.length - filled);
      block.set(taken, filled);
      at += taken.length;
      filled += taken.length;
      if (filled < block.length) continue;
      yield block;
      block = empty();
      filled = 0;
    }
  }
  if (filled > 0) yield block.slice(0, filled);
  spare.push(block);
}
