/** Passes over all vectors in which a session finds the nearest centroids, while the main thread works on the block before. */
import { assignGraph, type CentroidFeeds, centroidFeeds } from '#core/clustering/assign-graph';
import { meanOf, toCentroids } from '#core/clustering/kmeans';
import type { Metric } from '#core/clustering/metric';
import { type Assignment, emptyAssignment } from '#core/clustering/nearest-centroid';
import type { VectorSet } from '#core/clustering/vector-set';
import { mapInOrder } from './in-flight.ts';
import type { Model, ModelOptions, Ports, Tensors, TensorValue } from './ports.ts';
import { rowsPerBatch, rowsPerBlock, type VectorSource } from './vector-source.ts';

/** What assignment needs of the world. */
export type ClusterPorts = Pick<Ports, 'models' | 'tuning'>;

/**
 * On a processor, sessions of one thread, as many as there are threads and blocks to give them: small products share no
 * work well. Elsewhere one session keeps the device busy.
 */
export function assignSessions(
  { models, tuning: { threads } }: ClusterPorts,
  count: number,
  clusters: number,
): ModelOptions {
  const blocks = Math.max(1, Math.ceil(count / rowsPerBlock(clusters)));
  const sessions = models.device === 'cpu' ? Math.min(threads, blocks) : 1;
  return { sessions, threadsPerSession: Math.floor(threads / sessions) };
}

/** One block, and what the sessions found for its rows. */
export interface AssignedBlock {
  readonly block: Float32Array;
  /** Index of the block's first row among all vectors. */
  readonly firstRow: number;
  /** [rows]. */
  readonly clusters: Int32Array;
  /** [rows, 2]. */
  readonly distances: Float32Array;
}

/**
 * Sends every block through the model, batch by batch, and hands each to `take`, in order.
 * @param inFlight batches that are with the sessions at once
 */
export async function passOver(
  source: VectorSource,
  model: Model,
  feeds: CentroidFeeds,
  take: (assigned: AssignedBlock) => void,
  { origin, inFlight }: { origin?: Float64Array; inFlight: number },
): Promise<void> {
  const { dimension } = source;
  const batches = new Batches(model, feeds, dimension, origin);
  let index = 0;
  let firstRow = 0;
  for await (const block of source.blocks()) {
    // TopK over no rows would bring the process down.
    if (block.length === 0) throw new Error('a block of vectors is empty');
    const rows = block.length / dimension;
    const assigned = { block, firstRow, clusters: new Int32Array(rows), distances: new Float32Array(2 * rows) };
    for await (const { at, outputs } of mapInOrder(batches.startsIn(rows), inFlight, at => batches.run(block, at))) {
      assigned.clusters.set(outputs.assignment!.data as Int32Array, at);
      assigned.distances.set(outputs.distances!.data as Float32Array, 2 * at);
    }
    take(assigned);
    source.giveBack(index++, block);
    firstRow += rows;
  }
  if (firstRow !== source.count) throw new Error(`${source.count} vectors were announced but ${firstRow} came`);
}

/** Copies of a block's rows on their way through a model: few at a time, whose memory serves again. */
class Batches {
  readonly #model: Model;
  readonly #dimension: number;
  readonly #rows: number;
  readonly #feeds: FeedCopies;
  readonly #spare: Float32Array[] = [];

  constructor(model: Model, feeds: CentroidFeeds, dimension: number, origin?: Float64Array) {
    this.#model = model;
    this.#dimension = dimension;
    this.#rows = rowsPerBatch(feeds.columns, dimension);
    this.#feeds = new FeedCopies(feeds, dimension, origin);
  }

  *startsIn(rows: number): Generator<number> {
    for (let at = 0; at < rows; at += this.#rows) yield at;
  }

  async run(block: Float32Array, at: number): Promise<{ at: number; outputs: Tensors }> {
    const rows = block.subarray(at * this.#dimension, (at + this.#rows) * this.#dimension);
    const isWhole = rows.length === this.#rows * this.#dimension;
    const points = (isWhole && this.#spare.pop()) || new Float32Array(rows.length);
    points.set(rows);
    const { outputs, feeds } = await this.#model.run({
      points: tensor(points, this.#dimension),
      ...this.#feeds.take(),
    });
    this.#feeds.giveBack(feeds);
    if (isWhole) this.#spare.push(feeds.points!.data as Float32Array);
    return { at, outputs };
  }
}

/** Copies of what every run is fed besides the points: runs move their feeds away, so each needs its own. */
export class FeedCopies {
  readonly #original: Tensors;
  readonly #free: Tensors[] = [];

  constructor({ centroids, bias, columns }: CentroidFeeds, dimension: number, origin?: Float64Array) {
    this.#original = {
      centroids: { type: 'float32', dims: [dimension, columns], data: centroids },
      bias: { type: 'float32', dims: [columns], data: bias },
      ...(origin && { origin: { type: 'float32', dims: [dimension], data: Float32Array.from(origin) } }),
    };
  }

  take(): Tensors {
    const copy = ([name, value]: [string, TensorValue]) => [name, { ...value, data: value.data.slice() }];
    return this.#free.pop() ?? Object.fromEntries(Object.entries(this.#original).map(copy));
  }

  giveBack({ points: _, ...feeds }: Tensors): void {
    this.#free.push(feeds);
  }
}

export const tensor = (block: Float32Array, dimension: number): TensorValue => ({
  type: 'float32',
  dims: [block.length / dimension, dimension],
  data: block,
});

/** The nearest centroid of every vector of a source, with distances to it and to the second nearest. */
export async function assignVectors(
  source: VectorSource,
  centroids: VectorSet,
  metric: Metric,
  ports: ClusterPorts,
): Promise<Assignment> {
  const { dimension } = source;
  if (dimension !== centroids.dimension) {
    throw new RangeError(`vectors of ${dimension} dimensions, centroids of ${centroids.dimension}`);
  }
  const options = assignSessions(ports, source.count, centroids.count);
  const model = await ports.models.load(assignGraph(dimension, metric), options);
  try {
    const found = emptyAssignment(source.count);
    const moving = toCentroids(centroids, metric);
    const origin = meanOf(moving);
    const feeds = centroidFeeds(moving, origin, metric, 2);
    await passOver(source, model, feeds, assigned => enter(found, assigned), {
      origin,
      inFlight: options.sessions + 1,
    });
    return found;
  } finally {
    await model.release();
  }
}

function enter(found: Assignment, { firstRow, clusters, distances }: AssignedBlock): void {
  found.clusters.set(clusters, firstRow);
  for (let i = 0; i < clusters.length; i++) {
    found.distances[firstRow + i] = distances[2 * i]!;
    found.seconds[firstRow + i] = distances[2 * i + 1]!;
  }
}
