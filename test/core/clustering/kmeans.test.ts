import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  addRow,
  driftOf,
  emptySums,
  hasConverged,
  type IterationStatistics,
  imbalanceOf,
  meanCentroids,
  meanOf,
  objectiveOf,
  splitEmpty,
  toCentroids,
  toVectorSet,
} from '#core/clustering/kmeans';
import { distanceBetween, type Metric } from '#core/clustering/metric';
import { nearestCentroids } from '#core/clustering/nearest-centroid';
import type { VectorSet } from '#core/clustering/vector-set';
import { Random } from '#core/random';
import { firstRows, heaps, plainKmeans, rowsOf, squaredDistance } from './plain-kmeans.ts';

const metrics: Metric[] = ['euclidean', 'cosine'];

const scalesOf = (points: VectorSet, metric: Metric) =>
  metric === 'cosine' ? Float64Array.from(rowsOf(points), row => 1 / Math.hypot(...row)) : undefined;

const squaresOf = (points: VectorSet, metric: Metric) =>
  metric === 'cosine' ? points.count : points.data.reduce((sum, value) => sum + value * value, 0);

/** The steps put together in the plainest way. */
function iterate(points: VectorSet, seeds: VectorSet, metric: Metric, iterations: number) {
  let centroids = toCentroids(seeds, metric);
  const objectives: number[] = [];
  const scales = scalesOf(points, metric);
  for (let i = 0; i < iterations; i++) {
    const { clusters } = nearestCentroids(points, { ...centroids, data: Float32Array.from(centroids.data) }, metric);
    const sums = emptySums(centroids.count, centroids.dimension);
    const { data, dimension } = points;
    // Every vector is in the wrong cluster for a while.
    clusters.forEach((cluster, i) => {
      addRow(sums, (cluster + i) % sums.counts.length, 1, data, i * dimension, scales?.[i]);
    });
    clusters.forEach((cluster, i) => {
      addRow(sums, (cluster + i) % sums.counts.length, -1, data, i * dimension, scales?.[i]);
      addRow(sums, cluster, 1, data, i * dimension, scales?.[i]);
    });
    objectives.push(objectiveOf(sums, centroids, squaresOf(points, metric)));
    centroids = meanCentroids(sums, centroids, metric).centroids;
  }
  return { centroids, objectives };
}

test.each(metrics)('%s: steps equal the definition', metric => {
  for (const seed of [1, 2, 3]) {
    const points = heaps(120, 5, 4, 0.7, seed);
    const seeds = firstRows(points, 6);
    const expected = plainKmeans(points, seeds, metric, 6);
    const { centroids, objectives } = iterate(points, seeds, metric, 6);
    for (let i = 0; i < 6; i++) expect(objectives[i]! / expected.objectives[i]!).toBeCloseTo(1, 5);
    expected.centroids.flat().forEach((value, i) => {
      expect(centroids.data[i]).toBeCloseTo(value, 5);
    });
  }
});

test.each(metrics)('%s: the objective never increases', metric => {
  fc.assert(
    fc.property(
      fc.integer(),
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 1, max: 5 }),
      (seed, clusters, dimension) => {
        const points = heaps(40, dimension, 3, 0.8, seed);
        const { objectives } = iterate(points, firstRows(points, clusters), metric, 8);
        for (let i = 1; i < 8; i++) expect(objectives[i]).toBeLessThanOrEqual(objectives[i - 1]! * (1 + 1e-5) + 1e-5);
      },
    ),
    { numRuns: 40 },
  );
});

test('nearest and second nearest, against the definition', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 6 }), fc.constantFrom(...metrics), (seed, clusters, metric) => {
      const points = heaps(20, 3, 4, 1, seed);
      const centroids = heaps(clusters, 3, 4, 1, seed + 1);
      const { clusters: found, distances, seconds } = nearestCentroids(points, centroids, metric);
      const unit = (row: number[]) => (metric === 'cosine' ? row.map(v => v / Math.hypot(...row)) : row);
      rowsOf(points).forEach((point, i) => {
        const all = rowsOf(centroids).map(c => squaredDistance(unit(point), unit(c)));
        const sorted = [...all].sort((a, b) => a - b);
        expect(all[found[i]!]).toBeCloseTo(sorted[0]!, 6);
        expect(distances[i]).toBeCloseTo(sorted[0]!, 6);
        expect(seconds[i]).toBeCloseTo(sorted[1] ?? Number.POSITIVE_INFINITY, 6);
      });
    }),
    { numRuns: 40 },
  );
});

test('the first of equal centroids is nearest; a zero vector has cosine 0 with everything', () => {
  const points = { data: Float32Array.of(1, 0, 0, 0), count: 2, dimension: 2 };
  const centroids = { data: Float32Array.of(-1, 0, 1, 0, 1, 0), count: 3, dimension: 2 };
  expect([...nearestCentroids(points, centroids, 'euclidean').clusters]).toEqual([1, 0]);
  expect([...nearestCentroids(points, centroids, 'cosine').distances]).toEqual([0, 2]);
  expect(distanceBetween(points.data, 0, centroids.data, 0, 2, 'cosine')).toBe(4);
  expect(() => nearestCentroids(points, { ...centroids, dimension: 3, count: 2 }, 'cosine')).toThrow('of 2 dimensions');
});

test('a cluster without vectors keeps its centroid and is listed', () => {
  const before = { data: Float64Array.of(1, 2, 3, 4), count: 2, dimension: 2 };
  const sums = emptySums(2, 2);
  for (const at of [0, 2]) addRow(sums, 1, 1, Float32Array.of(2, 4, 4, 8), at);
  const { centroids, empty } = meanCentroids(sums, before, 'euclidean');
  expect([...centroids.data]).toEqual([1, 2, 3, 6]);
  expect(empty).toEqual([0]);
  expect([...before.data]).toEqual([1, 2, 3, 4]);
});

test('for cosine, directions that cancel out leave the cluster empty', () => {
  const before = { data: Float64Array.of(1, 0), count: 1, dimension: 2 };
  const sums = emptySums(1, 2);
  addRow(sums, 0, 1, Float32Array.of(0, 3), 0, 1 / 3);
  addRow(sums, 0, 1, Float32Array.of(0, -5), 0, 1 / 5);
  expect(meanCentroids(sums, before, 'cosine')).toEqual({ centroids: before, empty: [0] });
});

test('splitting: the copy and its original part by 1/1024 on alternating coordinates', () => {
  const centroids = { data: Float64Array.of(1024, 2048, 4096, 7, 7, 7), count: 2, dimension: 3 };
  const split = splitEmpty(centroids, Int32Array.of(10, 0), [1], 'euclidean', new Random(1));
  expect([...split.data]).toEqual([1023, 2050, 4092, 1025, 2046, 4100]);
  expect(splitEmpty(centroids, Int32Array.of(5, 5), [], 'euclidean', new Random(1))).toBe(centroids);
});

test('splitting: drawn with probability (n − 1) / (N − K), the count shared', () => {
  const counts = Int32Array.of(61, 21, 1, 0);
  const centroids = { data: Float64Array.of(1, 2, 3, 4), count: 4, dimension: 1 };
  const random = new Random(9);
  const drawn = [0, 0, 0];
  for (let i = 0; i < 4000; i++) {
    const copy = splitEmpty(centroids, counts, [3], 'euclidean', random).data[3]!;
    drawn[Math.round(copy) - 1]!++;
  }
  expect(drawn[2]).toBe(0);
  // 60 of 80 spare vectors belong to the first; the standard deviation of the share is 0.007.
  expect(drawn[0]! / 4000).toBeGreaterThan(0.72);
  expect(drawn[0]! / 4000).toBeLessThan(0.78);
});

test('splitting fills several empty clusters, and stays unit length for cosine', () => {
  const centroids = toCentroids(heaps(6, 4, 6, 1, 3), 'cosine');
  const counts = Int32Array.of(0, 3, 0, 0, 2, 2);
  const split = splitEmpty(centroids, counts, [0, 2, 3], 'cosine', new Random(2));
  const rows = rowsOf(toVectorSet(split));
  for (const row of rows) expect(Math.hypot(...row)).toBeCloseTo(1, 6);
  expect(new Set(rows.map(String)).size).toBe(6);
  expect(splitEmpty(centroids, counts, [0, 2, 3], 'cosine', new Random(2)).data).toEqual(split.data);
});

test('who was split shares the count, so the next split takes the other half', () => {
  const centroids = { data: Float64Array.of(1024 ** 2, 0, 0, 0), count: 4, dimension: 1 };
  for (let seed = 0; seed < 20; seed++) {
    const { data } = splitEmpty(centroids, Int32Array.of(4, 0, 0, 0), [1, 2, 3], 'euclidean', new Random(seed));
    const quarters = [1023 * 1023, 1023 * 1025, 1025 * 1023, 1025 * 1025];
    expect([...data].sort((a, b) => a - b)).toEqual(quarters);
  }
});

test('nothing is split where no cluster has a vector to spare', () => {
  const centroids = { data: Float64Array.of(1, 2), count: 2, dimension: 1 };
  expect([...splitEmpty(centroids, Int32Array.of(1, 0), [1], 'euclidean', new Random(1)).data]).toEqual([1, 2]);
});

test('when to stop', () => {
  const at = (objective: number, moved = 5, split = 0): IterationStatistics => ({
    iteration: 0,
    objective,
    moved,
    compared: 9,
    split,
    imbalance: 1,
  });
  expect(hasConverged(at(10, 0), undefined, 0.01)).toBe(false);
  expect(hasConverged(at(10, 0), at(10), 0.01)).toBe(true);
  expect(hasConverged(at(8, 0), at(10), 0.01)).toBe(true);
  expect(hasConverged(at(9.95), at(10), 0.01)).toBe(true);
  expect(hasConverged(at(9.8), at(10), 0.01)).toBe(false);
  expect(hasConverged(at(9.99), at(10), 0)).toBe(false);
  expect(hasConverged(at(10.01), at(10), 0)).toBe(true);
  expect(hasConverged(at(10.01), at(10, 5, 1), 0)).toBe(false);
});

test('imbalance and mean', () => {
  expect(imbalanceOf(Int32Array.of(5, 5, 5))).toBe(1);
  expect(imbalanceOf(Int32Array.of(15, 0, 0))).toBe(3);
  expect([...meanOf({ data: Float64Array.of(1, 2, 3, 6), count: 2, dimension: 2 })]).toEqual([2, 4]);
});

test('how far centroids moved, the farthest and the one after it', () => {
  const set = (...data: number[]) => ({ data: Float64Array.from(data), count: 3, dimension: 2 });
  const drift = driftOf(set(0, 0, 1, 1, 2, 2), set(0, 1, 4, 5, 2, 0));
  expect(drift).toEqual({ moves: Float64Array.of(1, 5, 2), first: 1, most: 5, second: 2 });
  expect(driftOf(set(0, 0, 1, 1, 2, 2), set(0, 0, 1, 1, 2, 2))).toMatchObject({ most: 0, second: 0 });
});
