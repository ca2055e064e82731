import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { OnnxRuntime } from '#adapters/onnxruntime/onnx-runtime';
import { assignGraph, centroidFeeds } from '#core/clustering/assign-graph';
import { toCentroids } from '#core/clustering/kmeans';
import type { Metric } from '#core/clustering/metric';
import { nearestCentroids } from '#core/clustering/nearest-centroid';
import type { VectorSet } from '#core/clustering/vector-set';
import type { Model, Tensors } from '#pipeline/ports';
import { heaps } from './plain-kmeans.ts';

const dimension = 7;
const runtime = new OnnxRuntime();
const models = {} as Record<Metric, Model>;

beforeAll(async () => {
  const options = { sessions: 1, threadsPerSession: 1 };
  for (const metric of ['euclidean', 'cosine'] as const) {
    models[metric] = await runtime.load(assignGraph(dimension, metric), options);
  }
});
afterAll(() => runtime.close());

const float = (data: Float32Array, dims: number[]) => ({ type: 'float32' as const, dims, data });

function feedsOf(points: VectorSet, centroids: VectorSet, metric: Metric, origin: Float64Array): Tensors {
  const feeds = centroidFeeds(toCentroids(centroids, metric), origin, metric, 2);
  return {
    points: float(points.data.slice(), [points.count, dimension]),
    centroids: float(feeds.centroids, [dimension, feeds.columns]),
    bias: float(feeds.bias, [feeds.columns]),
    origin: float(Float32Array.from(origin), [dimension]),
  };
}

test.each(['euclidean', 'cosine'] as const)('%s: ids and distances equal the plain ones', async metric => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer(),
      fc.integer({ min: 1, max: 300 }),
      fc.integer({ min: 1, max: 40 }),
      fc.constantFrom(0, 3),
      async (seed, rows, clusters, offset) => {
        const points = heaps(rows, dimension, 5, 1, seed, offset);
        const centroids = heaps(clusters, dimension, 5, 1, seed + 1, offset);
        const expected = nearestCentroids(points, centroids, metric);
        const origin = new Float64Array(dimension).fill(offset);
        const { outputs } = await models[metric].run(feedsOf(points, centroids, metric, origin));
        const ids = outputs.assignment!.data as Int32Array;
        const distances = outputs.distances!.data as Float32Array;
        expect(ids).toHaveLength(rows);
        for (let i = 0; i < rows; i++) {
          // Ties within float32 may fall either way.
          if (expected.seconds[i]! - expected.distances[i]! > 1e-3) expect(ids[i]).toBe(expected.clusters[i]);
          expect(distances[2 * i]).toBeCloseTo(expected.distances[i]!, 3);
          if (clusters > 1) expect(distances[2 * i + 1]).toBeCloseTo(expected.seconds[i]!, 3);
          else expect(distances[2 * i + 1]).toBe(Number.POSITIVE_INFINITY);
        }
      },
    ),
    { numRuns: 25 },
  );
});

test('far from zero the origin keeps what float32 would lose', async () => {
  const points = heaps(400, dimension, 8, 0.05, 3, 3000);
  const centroids = heaps(8, dimension, 8, 0.05, 3, 3000);
  const expected = nearestCentroids(points, centroids, 'euclidean').clusters;
  const origin = new Float64Array(dimension).fill(3000);
  const { outputs } = await models.euclidean.run(feedsOf(points, centroids, 'euclidean', origin));
  expect(outputs.assignment!.data).toEqual(expected);
});

test('zero vectors are assigned, at the distance of cosine 0', async () => {
  const points = { data: new Float32Array(2 * dimension), count: 2, dimension };
  const { outputs } = await models.cosine.run(
    feedsOf(points, heaps(3, dimension, 3, 1, 1), 'cosine', new Float64Array(dimension)),
  );
  expect([...(outputs.distances!.data as Float32Array)]).toEqual([2, 2, 2, 2]);
});

test('the same dimension gives the same bytes', () => {
  expect(assignGraph(5, 'cosine')).toEqual(assignGraph(5, 'cosine'));
  expect(assignGraph(5, 'cosine')).not.toEqual(assignGraph(6, 'cosine'));
});
