/** Drives k-means over many vectors: sessions assign batch after batch, the main thread sums up behind them. */
import { assignGraph } from '#core/clustering/assign-graph';
import {
  type Centroids,
  hasConverged,
  type IterationStatistics,
  imbalanceOf,
  meanCentroids,
  objectiveOf,
  splitEmpty,
  toCentroids,
  toVectorSet,
} from '#core/clustering/kmeans';
import type { Metric } from '#core/clustering/metric';
import type { VectorSet } from '#core/clustering/vector-set';
import { PermanentError } from '#core/errors';
import { Random, type RandomState, seedOf } from '#core/random';
import { assignSessions, type ClusterPorts } from './assign-vectors.ts';
import { inspectVectors, type VectorFacts } from './inspect-vectors.ts';
import { plusPlusSeeds, randomSeeds } from './kmeans-seeds.ts';
import type { Model } from './ports.ts';
import { type AssignmentState, PrunedAssignment } from './pruned-assignment.ts';
import { rowsPerBatch, type VectorSource } from './vector-source.ts';

export interface KmeansOptions {
  readonly clusters: number;
  readonly metric: Metric;
  readonly seed: number;
  /** Full runs from new seeds; the one with the lowest objective wins. @default 1 */
  readonly restarts?: number;
  /** First centroids: exact k-means++, random rows, or given ones (then one run is enough). @default 'k-means++' */
  readonly seeding?: 'k-means++' | 'random' | VectorSet;
  /** Most iterations per run. @default 20 */
  readonly iterations?: number;
  /** A run ends when the objective falls by less than this share of itself. @default 1e-4 */
  readonly tolerance?: number;
  readonly reportIteration?: (restart: number, statistics: IterationStatistics) => void;
  /** Keeps a run that may be cut. Not with several restarts. */
  readonly keeper?: KmeansKeeper | undefined;
}

/** Where a run is, between two iterations. */
export interface KmeansPosition {
  readonly centroids: Centroids;
  readonly assignment: AssignmentState;
  readonly iterations: readonly IterationStatistics[];
  readonly random: RandomState;
}

export interface KmeansKeeper {
  /** Where an earlier run was cut; undefined: nowhere. */
  load(): Promise<KmeansPosition | undefined>;
  /** After an iteration that was not the last. What it throws ends the run. */
  keep(position: KmeansPosition): Promise<void>;
}

export interface KmeansRun {
  /** Means after the last assignment; for cosine of unit length. [clusters, dimension] */
  readonly centroids: VectorSet;
  /** Sum of distances at the last assignment, that is before the last change of the centroids. */
  readonly objective: number;
  readonly converged: boolean;
  readonly iterations: readonly IterationStatistics[];
}

export interface KmeansResult extends KmeansRun {
  /** Which restart won, 0, 1, … */
  readonly restart: number;
  /** Objective of every restart. */
  readonly objectives: readonly number[];
}

/**
 * Lloyd's iterations as in faiss: assign, mean, split a big cluster for each empty one.
 * Same vectors in the same blocks, same options and same processor: same bytes.
 * @throws PermanentError if there are fewer vectors than clusters, or one of them is not made of finite numbers
 */
export async function runKmeans(
  source: VectorSource,
  options: KmeansOptions,
  ports: ClusterPorts,
): Promise<KmeansResult> {
  checkSizes(source, options);
  const facts = await inspectVectors(source, options.metric);
  const sessions = assignSessions(ports, source.count, options.clusters);
  const model = await ports.models.load(assignGraph(source.dimension, options.metric), sessions);
  // One each, and one that waits.
  const work: Work = { facts, model, inFlight: sessions.sessions + 1 };
  try {
    const runs: KmeansRun[] = [];
    for (let restart = 0; restart < (options.restarts ?? 1); restart++) {
      const kept = await options.keeper?.load();
      const random = kept ? Random.restored(kept.random) : new Random(seedOf('k-means', options.seed, restart));
      const start = kept ?? { centroids: await firstCentroids(source, options, work, random), iterations: [] };
      runs.push(await iterate(source, options, work, start, random, restart));
    }
    const objectives = runs.map(run => run.objective);
    const restart = objectives.indexOf(Math.min(...objectives));
    return { ...runs[restart]!, restart, objectives };
  } finally {
    await model.release();
  }
}

/** What does not change between restarts. */
interface Work {
  readonly facts: VectorFacts;
  /** Of `assignGraph`. */
  readonly model: Model;
  /** Batches that are with the sessions at once. */
  readonly inFlight: number;
}

function checkSizes({ count, dimension }: VectorSource, { clusters, seeding }: KmeansOptions): void {
  if (!(Number.isInteger(clusters) && clusters >= 1)) throw new RangeError(`cannot make ${clusters} clusters`);
  if (count < clusters) {
    throw new PermanentError(
      `${count} vectors cannot make ${clusters} clusters: ask for ${count} at most, or give more images`,
    );
  }
  if (typeof seeding === 'object' && (seeding.count !== clusters || seeding.dimension !== dimension)) {
    throw new RangeError(
      `first centroids are [${seeding.count}, ${seeding.dimension}], expected [${clusters}, ${dimension}]`,
    );
  }
}

async function firstCentroids(
  source: VectorSource,
  { clusters, metric, seeding = 'k-means++' }: KmeansOptions,
  { facts: { origin }, model, inFlight }: Work,
  random: Random,
): Promise<Centroids> {
  if (typeof seeding === 'object') return toCentroids(seeding, metric);
  if (seeding === 'random') return randomSeeds(source, clusters, metric, random);
  return plusPlusSeeds(source, clusters, metric, random, { model, origin, inFlight });
}

async function iterate(
  source: VectorSource,
  { clusters, metric, iterations = 20, tolerance = 1e-4, reportIteration, keeper }: KmeansOptions,
  { facts, model, inFlight }: Work,
  start: Pick<KmeansPosition, 'centroids' | 'iterations'> & Partial<KmeansPosition>,
  random: Random,
  restart: number,
): Promise<KmeansRun> {
  const rows = rowsPerBatch(clusters, source.dimension);
  const from = start.assignment;
  const assignment = new PrunedAssignment(source, clusters, { metric, facts, model, inFlight, rows, from });
  const history = [...start.iterations];
  for (let { centroids } = start; ; ) {
    const { sums, moved, compared } = await assignment.step(centroids);
    const objective = objectiveOf(sums, centroids, facts.squares);
    const means = meanCentroids(sums, centroids, metric);
    centroids = splitEmpty(means.centroids, sums.counts, means.empty, metric, random);
    const statistics = {
      iteration: history.length,
      objective,
      moved,
      compared,
      split: means.empty.length,
      imbalance: imbalanceOf(sums.counts),
    };
    reportIteration?.(restart, statistics);
    const converged = hasConverged(statistics, history.at(-1), tolerance);
    history.push(statistics);
    if (converged || history.length >= iterations) {
      return { centroids: toVectorSet(centroids), objective, converged, iterations: history };
    }
    await keeper?.keep({ centroids, assignment: assignment.state, iterations: history, random: random.state });
  }
}
