/** The pruned assignment against comparing every vector with every centroid, step by step. */
import { afterAll, describe, expect, test } from 'vitest';
import { OnnxRuntime } from '#adapters/onnxruntime/onnx-runtime';
import { assignGraph } from '#core/clustering/assign-graph';
import { addRow, emptySums, meanCentroids, toCentroids } from '#core/clustering/kmeans';
import { distanceBetween } from '#core/clustering/metric';
import type { VectorSet } from '#core/clustering/vector-set';
import { inspectVectors } from '#pipeline/inspect-vectors';
import { type AssignmentStep, PrunedAssignment } from '#pipeline/pruned-assignment';
import { blocksOf } from '#pipeline/vector-source';
import { firstRows, heaps } from '../core/clustering/plain-kmeans.ts';

const models = new OnnxRuntime();
afterAll(() => models.close());

const [clusters, dimension, rows] = [20, 16, 64];

describe.each(['euclidean', 'cosine'] as const)('%s', metric => {
  const start = async (points: VectorSet) => {
    const facts = await inspectVectors(blocksOf(points, 200), metric);
    const model = await models.load(assignGraph(dimension, metric), { sessions: 2, threadsPerSession: 1 });
    const options = { metric, facts, model, inFlight: 3, rows };
    return { facts, assignment: new PrunedAssignment(blocksOf(points, 200), clusters, options) };
  };

  test.each([0, 50])('sums are those of the nearest centroids in every step, offset %i', async offset => {
    const points = heaps(1500, dimension, 25, 0.5, 11, offset);
    const { facts, assignment } = await start(points);
    let centroids = toCentroids(firstRows(points, clusters), metric);
    const steps: AssignmentStep[] = [];
    for (let i = 0; i < 14; i++) {
      const step = await assignment.step(centroids);
      steps.push(step);
      // Where two centroids are equally near within float32 either is right: the sums may differ by those few.
      const expected = emptySums(clusters, dimension);
      let ties = 0;
      for (let p = 0; p < points.count; p++) {
        const distances = Array.from({ length: clusters }, (_, k) =>
          distanceBetween(points.data, p * dimension, centroids.data, k * dimension, dimension, metric),
        );
        const order = [...distances.keys()].sort((a, b) => distances[a]! - distances[b]!);
        if (distances[order[1]!]! - distances[order[0]!]! < 1e-3) ties++;
        addRow(expected, order[0]!, 1, points.data, p * dimension, facts.scales?.[p]);
      }
      const apart = step.sums.counts.reduce((sum, n, k) => sum + Math.abs(n - expected.counts[k]!), 0);
      expect(apart).toBeLessThanOrEqual(2 * ties);
      if (apart === 0)
        step.sums.sums.forEach((sum, j) => {
          expect(sum).toBeCloseTo(expected.sums[j]!, 6);
        });
      centroids = meanCentroids(step.sums, centroids, metric).centroids;
    }
    expect(steps[0]!.compared).toBe(points.count);
    expect(steps[0]!.moved).toBe(points.count);
    expect(steps.at(-1)!.compared).toBeLessThan(points.count / 2);
  });

  test('nothing is compared where nothing moved', async () => {
    const points = heaps(300, dimension, 20, 0.2, 5);
    const { assignment } = await start(points);
    const centroids = toCentroids(firstRows(points, clusters), metric);
    await assignment.step(centroids);
    const { compared, moved } = await assignment.step(centroids);
    // But for vectors between two centroids, which float32 cannot tell apart.
    expect(compared).toBeLessThan(30);
    expect(moved).toBe(0);
  });
});
