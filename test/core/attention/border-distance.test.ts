import { expect, test } from 'vitest';
import { borderDistance } from '#core/attention/border-distance';
import { ringMeans, ringPositions } from '#core/attention/ring';
import { discScene, gramOf } from './scene.ts';

/** From the definition: sort all cosines to the ring, itself left out. */
function slowBorderDistance(gram: Float32Array, height: number, width: number): number[] {
  const n = height * width;
  const onRing = (p: number) => p < width || p >= n - width || p % width === 0 || p % width === width - 1;
  return Array.from({ length: n }, (_, i) => {
    const cosines = [];
    for (let j = 0; j < n; j++) if (onRing(j) && j !== i) cosines.push(gram[i * n + j]!);
    const best = cosines.sort((a, b) => b - a).slice(0, 5);
    return best.length === 0 ? 0 : 1 - best.reduce((a, b) => a + b, 0) / best.length;
  });
}

test.each([
  [9, 12],
  [3, 3],
  [2, 5],
  [1, 4],
  [1, 1],
])('equals the definition on a %i x %i grid', (height, width) => {
  const { features, dimension } = discScene(height, width, 12, 5);
  const gram = gramOf(features, dimension);
  const expected = slowBorderDistance(gram, height, width);
  const distances = borderDistance(gram, height, width);
  for (let i = 0; i < expected.length; i++) expect(distances[i]).toBeCloseTo(expected[i]!, 12);
});

test('the disc in the middle is farther from the border than the rest', () => {
  const scene = discScene(12, 16, 24, 7);
  const distances = borderDistance(gramOf(scene.features, scene.dimension), 12, 16);
  const means = ringMeans(distances, ringPositions(12, 16));
  expect(distances[6 * 16 + 8]).toBeGreaterThan(4 * means.ring);
});

test('ring positions by hand', () => {
  expect([...ringPositions(3, 4)]).toEqual([0, 1, 2, 3, 4, 7, 8, 9, 10, 11]);
  expect([...ringPositions(1, 3)]).toEqual([0, 1, 2]);
  expect([...ringPositions(3, 1)]).toEqual([0, 1, 2]);
  expect(ringMeans([1, 1, 1, 1, 7, 1, 1, 1, 1], ringPositions(3, 3))).toEqual({ ring: 1, inside: 7 });
});
