/** The adjusted Rand index: how far two clusterings of the same vectors agree, beyond chance (Hubert & Arabie 1985). */

const pairsOf = (count: number): number => (count * (count - 1)) / 2;

/**
 * (Σ pairs of both − expected) / (mean of the pairs of each − expected): 1 for equal clusterings whatever their ids, 0 in
 * the mean for independent ones; 1 where neither tells anything apart.
 * @param a cluster ids below `clusters`, [count]
 * @param b the same, of the other clustering
 */
export function adjustedRand(a: Int32Array, b: Int32Array, clusters: number): number {
  if (a.length !== b.length) throw new RangeError(`clusterings of ${a.length} and ${b.length} vectors`);
  const both = new Map<number, number>();
  const [ofA, ofB] = [new Float64Array(clusters), new Float64Array(clusters)];
  for (let i = 0; i < a.length; i++) {
    const cell = a[i]! * clusters + b[i]!;
    both.set(cell, (both.get(cell) ?? 0) + 1);
    ofA[a[i]!]!++;
    ofB[b[i]!]!++;
  }
  const sum = (counts: Iterable<number>) => {
    let pairs = 0;
    for (const count of counts) pairs += pairsOf(count);
    return pairs;
  };
  const [together, inA, inB] = [sum(both.values()), sum(ofA), sum(ofB)];
  const expected = (inA * inB) / pairsOf(a.length);
  const most = (inA + inB) / 2;
  return most === expected ? 1 : (together - expected) / (most - expected);
}
