/** Drives k-means over many vectors: sessions assign block after block, the main thread sums up behind them. */
import { assignGraph, assignWithDistancesGraph, centroidFeeds } from '#core/clustering/assign-graph';
import {
  accumulate,
  type Centroids,
  emptySums,
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
import { Random, seedOf } from '#core/random';
import { assignSessions, type ClusterPorts, passOver } from './assign-vectors.ts';
import { inspectVectors, type VectorFacts } from './inspect-vectors.ts';
import { plusPlusSeeds, randomSeeds } from './kmeans-seeds.ts';
import type { Model } from './ports.ts';
import type { VectorSource } from './vector-source.ts';

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
  const models = await loadModels(source, options, ports);
  try {
    const lloyd = new Lloyd(source, options, facts, models);
    const runs: KmeansRun[] = [];
    for (let restart = 0; restart < (options.restarts ?? 1); restart++) {
      const random = new Random(seedOf('k-means', options.seed, restart));
      const seeds = await firstCentroids(source, options, facts, models, random);
      runs.push(await lloyd.run(seeds, random, restart));
    }
    const objectives = runs.map(run => run.objective);
    const restart = objectives.indexOf(Math.min(...objectives));
    return { ...runs[restart]!, restart, objectives };
  } finally {
    await Promise.all([models.assign.release(), models.measure?.release()]);
  }
}

interface KmeansModels {
  /** Of `assignGraph`. */
  readonly assign: Model;
  /** Of `assignWithDistancesGraph`, where k-means++ needs it. */
  readonly measure: Model | undefined;
  /** Blocks that are with the sessions at once: one each, and one that waits. */
  readonly inFlight: number;
}

async function loadModels(
  { count, dimension }: VectorSource,
  { clusters, metric, seeding = 'k-means++' }: KmeansOptions,
  ports: ClusterPorts,
): Promise<KmeansModels> {
  const options = assignSessions(ports, count, clusters);
  const assign = await ports.models.load(assignGraph(dimension), options);
  const measure =
    seeding === 'k-means++' ? await ports.models.load(assignWithDistancesGraph(dimension, metric), options) : undefined;
  return { assign, measure, inFlight: options.sessions + 1 };
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
  { clusters, metric, seeding }: KmeansOptions,
  { origin }: VectorFacts,
  { measure, inFlight }: KmeansModels,
  random: Random,
): Promise<Centroids> {
  if (typeof seeding === 'object') return toCentroids(seeding, metric);
  if (!measure) return randomSeeds(source, clusters, metric, random);
  return plusPlusSeeds(source, clusters, metric, random, { model: measure, origin, inFlight });
}

/** The iterations, with what does not change between restarts. */
class Lloyd {
  readonly #source: VectorSource;
  readonly #options: KmeansOptions;
  readonly #facts: VectorFacts;
  readonly #models: KmeansModels;
  /** Cluster of each vector at the assignment before. */
  readonly #assignment: Int32Array;

  constructor(source: VectorSource, options: KmeansOptions, facts: VectorFacts, models: KmeansModels) {
    this.#source = source;
    this.#options = options;
    this.#facts = facts;
    this.#models = models;
    this.#assignment = new Int32Array(source.count);
  }

  async run(seeds: Centroids, random: Random, restart: number): Promise<KmeansRun> {
    const { metric, iterations = 20, tolerance = 1e-4, reportIteration } = this.#options;
    const history: IterationStatistics[] = [];
    this.#assignment.fill(-1);
    for (let centroids = seeds; ; ) {
      const { sums, moved } = await this.#assign(centroids);
      const objective = objectiveOf(sums, centroids, this.#facts.squares);
      const means = meanCentroids(sums, centroids, metric);
      centroids = splitEmpty(means.centroids, sums.counts, means.empty, metric, random);
      const statistics = {
        iteration: history.length,
        objective,
        moved,
        split: means.empty.length,
        imbalance: imbalanceOf(sums.counts),
      };
      reportIteration?.(restart, statistics);
      const converged = hasConverged(statistics, history.at(-1), tolerance);
      history.push(statistics);
      if (converged || history.length >= iterations) {
        return { centroids: toVectorSet(centroids), objective, converged, iterations: history };
      }
    }
  }

  /** One pass: sums per cluster, and how many vectors changed theirs. */
  async #assign(centroids: Centroids) {
    const { scales, origin } = this.#facts;
    const sums = emptySums(centroids.count, centroids.dimension);
    let moved = 0;
    await passOver(
      this.#source,
      this.#models.assign,
      centroidFeeds(centroids, origin, this.#options.metric),
      ({ block, firstRow, clusters }) => {
        const end = firstRow + clusters.length;
        accumulate(sums, block, clusters, scales?.subarray(firstRow, end));
        const before = this.#assignment.subarray(firstRow, end);
        for (let i = 0; i < clusters.length; i++) if (before[i] !== clusters[i]) moved++;
        before.set(clusters);
      },
      { inFlight: this.#models.inFlight },
    );
    return { sums, moved };
  }
}
