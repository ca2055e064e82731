/** The nearest centroid of each vector, computed plainly: the reference for the graph, and enough for a handful. */
import { distanceBetween, type Metric } from './metric.ts';
import type { VectorSet } from './vector-set.ts';

export interface Assignment {
  /** Cluster id (row of the nearest centroid, the first of equals), [count]. */
  readonly clusters: Int32Array;
  /** Distance to the nearest centroid, [count]; see `Metric`. */
  readonly distances: Float64Array;
  /** Distance to the second nearest, [count]; Infinity where there is but one centroid. */
  readonly seconds: Float64Array;
}

export const emptyAssignment = (count: number): Assignment => ({
  clusters: new Int32Array(count),
  distances: new Float64Array(count).fill(Number.POSITIVE_INFINITY),
  seconds: new Float64Array(count).fill(Number.POSITIVE_INFINITY),
});

export function nearestCentroids(points: VectorSet, centroids: VectorSet, metric: Metric): Assignment {
  if (points.dimension !== centroids.dimension) {
    throw new RangeError(`vectors of ${points.dimension} dimensions, centroids of ${centroids.dimension}`);
  }
  const { dimension } = points;
  const found = emptyAssignment(points.count);
  for (let p = 0; p < points.count; p++) {
    for (let c = 0; c < centroids.count; c++) {
      const distance = distanceBetween(points.data, p * dimension, centroids.data, c * dimension, dimension, metric);
      if (distance < found.distances[p]!) {
        found.seconds[p] = found.distances[p]!;
        found.distances[p] = distance;
        found.clusters[p] = c;
      } else if (distance < found.seconds[p]!) {
        found.seconds[p] = distance;
      }
    }
  }
  return found;
}
