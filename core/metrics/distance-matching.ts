/** Distance matching (method 5.3): classes of positions by their nearest labelled reference vectors. */
import type { LabelMap } from '../labels/label-map.ts';

/** Neighbours asked, and the temperature that weighs them. */
export const neighbours = 10;
export const temperature = 0.07;

/** Features of one image, [channels, height, width]. */
export interface FeatureGrid {
  readonly data: Float32Array;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

export interface Reference {
  readonly label: number;
  /** Unit length. */
  readonly vector: Float32Array;
}

/**
 * One vector per label that occurs, background included: the mean over all positions of feature · mask, scaled to unit length
 * (so over how many positions it is taken does not matter).
 * @param mask class ids at the features' size @param ignore ids that give no vector
 */
export function referencesOf(features: FeatureGrid, mask: LabelMap, ignore: readonly number[]): Reference[] {
  const { data, channels, height, width } = features;
  const sums = new Map<number, Float64Array>();
  for (const [position, label] of mask.data.entries()) {
    if (ignore.includes(label)) continue;
    const sum = sums.get(label) ?? new Float64Array(channels);
    sums.set(label, sum);
    for (let c = 0; c < channels; c++) sum[c]! += data[c * height * width + position]!;
  }
  return [...sums].map(([label, sum]) => {
    const length = Math.sqrt(sum.reduce((total, value) => total + value * value, 0)) || 1;
    return { label, vector: Float32Array.from(sum, value => value / length) };
  });
}

/**
 * The label with the greatest sum of exp(cosine / T) among the neighbours of each position; the lowest label of equals.
 * @param cosines [positions, k] @param nearest places in `labels`, [positions, k]
 */
export function voteOfNeighbours(
  cosines: Float32Array,
  nearest: BigInt64Array,
  labels: readonly number[],
  k: number,
): Uint16Array {
  const votes = new Uint16Array(cosines.length / k);
  for (let position = 0; position < votes.length; position++) {
    const sums = new Map<number, number>();
    for (let i = position * k; i < (position + 1) * k; i++) {
      const label = labels[Number(nearest[i]!)]!;
      sums.set(label, (sums.get(label) ?? 0) + Math.exp(cosines[i]! / temperature));
    }
    votes[position] = [...sums].reduce((best, one) =>
      one[1] > best[1] || (one[1] === best[1] && one[0] < best[0]) ? one : best,
    )[0];
  }
  return votes;
}
