/** Lloyd's iterations from the definition, in float64 and one vector at a time: what the real ones are compared with. */
import type { Metric } from '#core/clustering/metric';
import type { VectorSet } from '#core/clustering/vector-set';
import { Random } from '#core/random';

export interface PlainRun {
  centroids: number[][];
  assignment: number[];
  /** Sum of distances at each iteration's assignment. */
  objectives: number[];
}

export const rowsOf = ({ data, count, dimension }: VectorSet): number[][] =>
  Array.from({ length: count }, (_, i) => [...data.subarray(i * dimension, (i + 1) * dimension)]);

const unit = (row: number[]): number[] => {
  const length = Math.hypot(...row);
  return length > 0 ? row.map(value => value / length) : row;
};

export const squaredDistance = (a: number[], b: number[]): number =>
  a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0);

/** No splitting: an empty cluster keeps its centroid. */
export function plainKmeans(points: VectorSet, seeds: VectorSet, metric: Metric, iterations: number): PlainRun {
  const prepare = metric === 'cosine' ? unit : (row: number[]) => row;
  const rows = rowsOf(points).map(prepare);
  let centroids = rowsOf(seeds).map(prepare);
  let assignment: number[] = [];
  const objectives: number[] = [];
  for (let iteration = 0; iteration < iterations; iteration++) {
    const nearest = rows.map(row => {
      const distances = centroids.map(centroid => squaredDistance(row, centroid));
      const distance = Math.min(...distances);
      return { cluster: distances.indexOf(distance), distance };
    });
    assignment = nearest.map(({ cluster }) => cluster);
    objectives.push(nearest.reduce((sum, { distance }) => sum + distance, 0));
    centroids = centroids.map((centroid, k) => {
      const members = rows.filter((_, i) => assignment[i] === k);
      if (members.length === 0) return centroid;
      return prepare(centroid.map((_, i) => members.reduce((sum, row) => sum + row[i]!, 0) / members.length));
    });
  }
  return { centroids, assignment, objectives };
}

/** Heaps around random centres: `spread` 1 is about the distance between centres. */
export function heaps(
  count: number,
  dimension: number,
  centres: number,
  spread: number,
  seed: number,
  offset = 0,
): VectorSet {
  const random = new Random(seed);
  const middles = Float64Array.from({ length: centres * dimension }, () => random.normal());
  const data = new Float32Array(count * dimension);
  for (let i = 0; i < count; i++) {
    const centre = i % centres;
    for (let k = 0; k < dimension; k++) {
      data[i * dimension + k] = offset + middles[centre * dimension + k]! + spread * random.normal();
    }
  }
  return { data, count, dimension };
}

/** The first rows, as first centroids. */
export const firstRows = ({ data, dimension }: VectorSet, count: number): VectorSet => ({
  data: data.slice(0, count * dimension),
  count,
  dimension,
});
