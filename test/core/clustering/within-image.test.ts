import fc from 'fast-check';
import { expect, test } from 'vitest';
import { segmentsWithin } from '#core/clustering/within-image';
import { discScene } from '../attention/scene.ts';

/** x and y of a grid's positions, 0 … 1 along the longer side. */
const placesOf = (height: number, width: number) =>
  Float32Array.from({ length: 2 * height * width }, (_, i) => {
    const position = i >> 1;
    return (i % 2 ? Math.floor(position / width) : position % width) / Math.max(height, width);
  });

test.each([1, 2, 3])('finds disc, left and right, seed %i', seed => {
  const [height, width] = [14, 20];
  const { features, dimension } = discScene(height, width, 32, seed, 0.3);
  const { assignment, count } = segmentsWithin(features, dimension, placesOf(height, width), { segments: 3 });
  expect(count).toBe(3);
  const at = (y: number, x: number) => assignment[y * width + x]!;
  expect(new Set([at(7, 10), at(0, 0), at(0, 19)]).size).toBe(3);
  for (let y = 0; y < height; y++) {
    expect(at(y, 0)).toBe(at(0, 0));
    expect(at(y, 19)).toBe(at(0, 19));
  }
  expect(at(6, 9)).toBe(at(7, 10));
});

test('where features are alike, places decide', () => {
  const features = new Float32Array(2 * 12).fill(Math.SQRT1_2);
  const places = Float32Array.from({ length: 24 }, (_, i) => (i % 2 ? 0 : Math.floor(i / 2) / 11));
  const { assignment } = segmentsWithin(features, 2, places, { segments: 2, iterations: 20 });
  const left = assignment[0];
  const border = assignment.findIndex(segment => segment !== left);
  expect([...assignment.subarray(border)].every(segment => segment !== left)).toBe(true);
  expect(border).toBeGreaterThanOrEqual(4);
  expect(border).toBeLessThanOrEqual(8);
});

test('every segment is used, numbers have no gap, and the same input gives the same segments', () => {
  fc.assert(
    fc.property(
      fc.integer(),
      fc.integer({ min: 1, max: 11 }),
      fc.integer({ min: 1, max: 6 }),
      (seed, segments, width) => {
        const { features, dimension } = discScene(3, width, 6, seed, 1);
        const places = placesOf(3, width);
        const { assignment, count } = segmentsWithin(features, dimension, places, { segments, seed });
        expect(count).toBeLessThanOrEqual(Math.min(segments, 3 * width));
        expect([...new Set(assignment)].sort((a, b) => a - b)).toEqual([...Array(count).keys()]);
        expect(segmentsWithin(features, dimension, places, { segments, seed }).assignment).toEqual(assignment);
      },
    ),
    { numRuns: 60 },
  );
});

test('enough iterations leave every position with its nearest mean', () => {
  const { features, dimension } = discScene(9, 9, 8, 5, 2);
  const places = placesOf(9, 9);
  const { assignment, count } = segmentsWithin(features, dimension, places, { segments: 6, iterations: 100 });
  const point = (p: number) => [
    ...features.subarray(p * dimension, (p + 1) * dimension),
    places[2 * p]! / 2,
    places[2 * p + 1]! / 2,
  ];
  const means = [...Array(count).keys()].map(k => {
    const members = [...assignment.keys()].filter(p => assignment[p] === k).map(point);
    return members[0]!.map((_, i) => members.reduce((sum, row) => sum + row[i]!, 0) / members.length);
  });
  let elsewhere = 0;
  for (let p = 0; p < 81; p++) {
    const distances = means.map(mean => mean.reduce((sum, value, i) => sum + (value - point(p)[i]!) ** 2, 0));
    if (distances[assignment[p]!]! > Math.min(...distances) + 1e-9) elsewhere++;
  }
  expect(elsewhere).toBeLessThanOrEqual(2);
});

test('fewer positions than segments, all alike, none at all', () => {
  const alike = segmentsWithin(new Float32Array(8).fill(1), 2, new Float32Array(8), { segments: 3 });
  expect(alike).toEqual({ assignment: new Uint8Array(4), count: 1 });
  expect(segmentsWithin(Float32Array.of(1, 0, 0, 1), 2, Float32Array.of(0, 0, 1, 1), { segments: 4 }).count).toBe(2);
  expect(segmentsWithin(new Float32Array(0), 2, new Float32Array(0), { segments: 4 }).count).toBe(0);
  expect(() => segmentsWithin(new Float32Array(4), 2, new Float32Array(2), { segments: 4 })).toThrow(
    '4 features for 1',
  );
});
