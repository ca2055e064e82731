/** The candidates of `--clusters auto` and the choice among them. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { candidateClusters } from '#core/clustering/candidate-clusters';
import { chooseClusters } from '#core/clustering/choose-clusters';

test('candidates ascend from 2 to a fifth of the images, a thousand at most', () => {
  expect(candidateClusters(1)).toEqual([2]);
  expect(candidateClusters(26)).toEqual([2, 3, 4, 5]);
  expect(candidateClusters(160)).toEqual([2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 17, 20, 24, 29]);
  fc.assert(
    fc.property(fc.integer({ min: 10, max: 10_000_000 }), images => {
      const candidates = candidateClusters(images);
      expect(candidates.at(-1)).toBeLessThanOrEqual(Math.min(1000, images / 5));
      expect(candidates.length).toBeLessThan(40);
      for (let i = 1; i < candidates.length; i++) {
        expect(candidates[i]).toBeGreaterThan(candidates[i - 1]!);
        expect(candidates[i]! / candidates[i - 1]!).toBeLessThanOrEqual(1.5);
      }
    }),
  );
});

const scored = (clusters: number, ...scores: number[]) => ({ clusters, agreement: 0.5, explained: 0.5, scores });

test('the fewest clusters within one standard deviation of the best', () => {
  // The best is 8: mean 0.5, deviation 0.1; 4 reaches 0.41, 3 only 0.39.
  const candidates = [scored(8, 0.4, 0.6), scored(2, 0.1), scored(4, 0.41), scored(3, 0.39), scored(16, 0.45)];
  const { clusters, curve } = chooseClusters(candidates);
  expect(clusters).toBe(4);
  expect(curve.map(point => [point.clusters, point.score])).toEqual([
    [2, 0.1],
    [3, 0.39],
    [4, 0.41],
    [8, 0.5],
    [16, 0.45],
  ]);
});

test('or within a twentieth of the best, where the splits differ less', () => {
  expect(chooseClusters([scored(3, 0.9, 0.9), scored(6, 0.96, 0.96), scored(9, 1, 1)]).clusters).toBe(6);
});

test('one candidate is chosen, of equal ones the fewest; none is an error', () => {
  expect(chooseClusters([scored(7, 0, 0)]).clusters).toBe(7);
  expect(chooseClusters([scored(9, 0.2, 0.2), scored(5, 0.2, 0.2)]).clusters).toBe(5);
  expect(() => chooseClusters([])).toThrow(RangeError);
});
