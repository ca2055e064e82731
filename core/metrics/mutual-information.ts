/** How well clusters agree with classes, one of each per item: normalised mutual information and accuracy. */
import { hungarian } from './hungarian.ts';

/** How many items have which cluster and which class. */
export interface Contingency {
  /** [clusters, classes], row-major. */
  readonly counts: Float64Array;
  readonly clusters: number;
  readonly classes: number;
}

/** Counts pairs; both sides may be named by anything. @param pairs cluster and class of each item */
export function contingency(pairs: Iterable<readonly [cluster: string | number, className: string]>): Contingency {
  const rowOf = new Map<string | number, number>();
  const columnOf = new Map<string, number>();
  const rows: number[] = [];
  const columns: number[] = [];
  for (const [cluster, className] of pairs) {
    rows.push(placeIn(rowOf, cluster));
    columns.push(placeIn(columnOf, className));
  }
  const counts = new Float64Array(rowOf.size * columnOf.size);
  for (const [item, row] of rows.entries()) counts[row * columnOf.size + columns[item]!]!++;
  return { counts, clusters: rowOf.size, classes: columnOf.size };
}

function placeIn<T>(places: Map<T, number>, name: T): number {
  const place = places.get(name) ?? places.size;
  places.set(name, place);
  return place;
}

/** 2·I / (H + H), arithmetic mean of the entropies; 1 where both sides are one single group. */
export function normalisedMutualInformation({ counts, clusters, classes }: Contingency): number {
  const ofCluster = new Float64Array(clusters);
  const ofClass = new Float64Array(classes);
  for (const [i, count] of counts.entries()) {
    ofCluster[Math.floor(i / classes)]! += count;
    ofClass[i % classes]! += count;
  }
  const entropies = entropy(ofCluster) + entropy(ofClass);
  // I = H(clusters) + H(classes) − H(both); rounding must not make it negative.
  return entropies === 0 ? 1 : Math.max(0, (2 * (entropies - entropy(counts))) / entropies);
}

function entropy(counts: Float64Array): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  return counts.reduce((sum, count) => (count === 0 ? sum : sum - (count / total) * Math.log(count / total)), 0);
}

/** Share of items whose cluster is matched to their class by the best one-to-one matching. */
export function clusterAccuracy({ counts, clusters, classes }: Contingency): number {
  return hungarian(counts, clusters, classes).total / counts.reduce((sum, count) => sum + count, 0);
}
