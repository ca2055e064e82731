import { describe, expect, it } from 'vitest';
import { neighbours, referencesOf, temperature, voteOfNeighbours } from '#core/metrics/distance-matching';
import { Random } from '#core/random';
import { randomMap } from '../core/metrics/scenes.ts';

describe('distance matching', () => {
  it('takes one unit vector per label that counts: the mean of feature · mask', () => {
    const random = new Random(3);
    for (let round = 0; round < 50; round++) {
      const [width, height, channels] = [2 + random.integer(6), 2 + random.integer(6), 3];
      const data = Float32Array.from({ length: channels * width * height }, () => random.uniform() - 0.5);
      const mask = randomMap(random, width, height, [0, 1, 2, 1000]);
      const found = referencesOf({ data, channels, width, height }, mask, [1000]);
      const labels = [...new Set(mask.data)].filter(label => label !== 1000);
      expect(found.map(({ label }) => label).sort()).toEqual(labels.sort());
      for (const { label, vector } of found) {
        const mean = [0, 1, 2].map(c => {
          let sum = 0;
          for (let i = 0; i < width * height; i++) if (mask.data[i] === label) sum += data[c * width * height + i]!;
          return sum / (width * height);
        });
        const length = Math.hypot(...mean);
        for (const c of [0, 1, 2]) expect(vector[c]).toBeCloseTo(mean[c]! / length, 5);
      }
    }
  });

  it('votes by exp(cosine / T), the lowest label of equals', () => {
    const random = new Random(4);
    const labels = Array.from({ length: 30 }, () => random.integer(4));
    for (let round = 0; round < 300; round++) {
      const nearest = BigInt64Array.from({ length: neighbours }, () => BigInt(random.integer(30)));
      const cosines = Float32Array.from({ length: neighbours }, () => 2 * random.uniform() - 1);
      const sums = [0, 1, 2, 3].map(label =>
        [...cosines].reduce(
          (sum, cosine, i) => (labels[Number(nearest[i])] === label ? sum + Math.exp(cosine / temperature) : sum),
          0,
        ),
      );
      const [vote] = voteOfNeighbours(cosines, nearest, labels, neighbours);
      expect(vote).toBe(sums.indexOf(Math.max(...sums)));
    }
    expect([...voteOfNeighbours(Float32Array.of(0.5, 0.5), BigInt64Array.of(0n, 1n), [7, 3], 2)]).toEqual([3]);
  });
});
