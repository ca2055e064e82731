/** Stage cluster: the catalog of inputs, one k-means per restart, and the best of them as centroids and model. */
import { segmentationModel } from '#core/attention/segmentation-model';
import { nearestCentroids } from '#core/clustering/nearest-centroid';
import { unitRows } from '#core/clustering/unit-rows';
import type { VectorSet } from '#core/clustering/vector-set';
import { PermanentError } from '#core/errors';
import { type ClusterRow, parseClustersCsv, writeClustersCsv } from '#core/formats/clusters-csv';
import { readNpyOf, writeNpy } from '#core/formats/npy';
import type { Plan } from '#core/job/plan';
import { restartPiece } from '#core/job/progress';
import type { ClusterId } from '#core/labels/label-id';
import { seedOf } from '#core/random';
import { openAttention, openBackbone, runOf } from './backbone.ts';
import { readJson, readObject, toJson } from './documents.ts';
import type { EmbeddedImage, EmbedSummary } from './embed.ts';
import { runKmeans } from './kmeans.ts';
import { finishPiece, outputKey, readMarker } from './marker.ts';
import type { ObjectStore, Ports } from './ports.ts';
import { blocksInMemory, rowsPerBlock, type VectorSource } from './vector-source.ts';

/** Which inputs are copies of earlier ones, and how many vectors there are. */
export interface Catalog {
  readonly duplicates: Readonly<Record<string, string>>;
  readonly counts: {
    readonly total: number;
    readonly read: number;
    readonly duplicate: number;
    readonly rejected: number;
  };
  /** Rows for k-means, duplicates left out. */
  readonly rows: number;
}

export async function cluster(ports: Ports, plan: Plan, piece: string): Promise<void> {
  if (piece === 'catalog') return catalog(ports, plan);
  if (piece === 'best') return best(ports, plan);
  return restart(ports, plan, piece);
}

async function catalog(ports: Ports, plan: Plan): Promise<void> {
  const started = ports.clock.now();
  const firstOf = new Map<string, string>();
  const duplicates: Record<string, string> = {};
  const counts = { total: 0, read: 0, duplicate: 0, rejected: 0 };
  let rows = 0;
  for await (const image of embeddedImages(ports.store, plan)) {
    counts.total++;
    if (image.state === 'rejected') {
      counts.rejected++;
      continue;
    }
    const first = firstOf.get(image.sha256);
    if (first === undefined) {
      firstOf.set(image.sha256, image.name);
      counts.read++;
      rows += image.rows;
    } else {
      duplicates[image.name] = first;
      counts.duplicate++;
    }
  }
  assertEnough(plan, counts, rows);
  await finishPiece(
    ports,
    plan,
    'cluster',
    'catalog',
    { json: toJson({ duplicates, counts, rows } satisfies Catalog) },
    counts,
    started,
  );
}

export async function* embeddedImages(store: ObjectStore, plan: Plan): AsyncGenerator<EmbeddedImage> {
  for (const shard of plan.shards) yield* (await readMarker<EmbedSummary>(store, plan, 'embed', shard)).summary.images;
}

function assertEnough(plan: Plan, counts: Catalog['counts'], rows: number): void {
  if (counts.read === 0) {
    throw new PermanentError(
      `none of the ${counts.total} files could be read as an image; the receipt lists the reasons`,
    );
  }
  if (counts.read === 1) {
    throw new PermanentError(
      'only one of the files is an image of its own, and classes are found by comparing images; give two or more',
    );
  }
  if (counts.read < plan.clusters) {
    throw new PermanentError(
      `${plan.clusters} clusters need at least as many images, but only ${counts.read} different ones could be read; ask for --clusters ${counts.read} or fewer`,
    );
  }
  if (rows < plan.clusters) {
    throw new PermanentError(
      `${plan.clusters} clusters need at least as many foreground vectors, but the images gave ${rows}; ask for fewer with --clusters or try --unit image`,
    );
  }
}

export const readCatalog = (store: ObjectStore, plan: Plan): Promise<Catalog> =>
  readJson<Catalog>(store, outputKey(plan, 'cluster', 'catalog', 'json'));

/** The rows of all shards without those of duplicates, in blocks that own their memory. */
async function clusterRows(store: ObjectStore, plan: Plan, { duplicates, rows }: Catalog): Promise<VectorSource> {
  const blockRows = rowsPerBlock(plan.clusters);
  const blocks: Float32Array[] = [];
  let dimension = 0;
  let filled = 0;
  let block = new Float32Array(0);
  for (const shard of plan.shards) {
    const { summary } = await readMarker<EmbedSummary>(store, plan, 'embed', shard);
    const { data, shape } = readNpyOf('float32', await readObject(store, outputKey(plan, 'embed', shard, 'npy')));
    if (shape[0]) dimension = shape[1]!;
    let from = 0;
    for (const image of summary.images) {
      if (image.state !== 'read') continue;
      const vectors = duplicates[image.name] === undefined ? image.rows : 0;
      for (let i = 0; i < vectors; i++) {
        if (filled === block.length) {
          block = new Float32Array(Math.min(blockRows, rows - blocks.length * blockRows) * dimension);
          blocks.push(block);
          filled = 0;
        }
        block.set(data.subarray((from + i) * dimension, (from + i + 1) * dimension), filled);
        filled += dimension;
      }
      from += image.rows;
    }
  }
  return blocksInMemory(blocks, dimension);
}

interface RestartSummary {
  readonly objective: number;
  readonly iterations: number;
  readonly converged: boolean;
}

/** Runs on real embeddings converge well before. */
const mostIterations = 100;

async function restart(ports: Ports, plan: Plan, piece: string): Promise<void> {
  const started = ports.clock.now();
  const run = runOf(plan);
  const vectors = await clusterRows(ports.store, plan, await readCatalog(ports.store, plan));
  const number = Number(piece.slice(restartPiece(0).length - 3));
  const options = {
    clusters: plan.clusters,
    metric: 'euclidean',
    seed: seedOf(run.seed, number),
    iterations: mostIterations,
  } as const;
  const { centroids, objective, iterations, converged } = await runKmeans(vectors, options, ports);
  const npy = writeNpy({
    kind: 'float32',
    data: Float32Array.from(centroids.data),
    shape: [centroids.count, centroids.dimension],
  });
  await finishPiece(
    ports,
    plan,
    'cluster',
    piece,
    { npy },
    { objective, iterations: iterations.length, converged } satisfies RestartSummary,
    started,
  );
}

/** What the best restart tells. */
export interface BestSummary {
  readonly restart: string;
  readonly objective: number;
  readonly objectives: Readonly<Record<string, number>>;
}

async function best(ports: Ports, plan: Plan): Promise<void> {
  const started = ports.clock.now();
  const run = runOf(plan);
  const objectives: Record<string, number> = {};
  for (let r = 0; r < run.restarts; r++) {
    const piece = restartPiece(r);
    objectives[piece] = (await readMarker<RestartSummary>(ports.store, plan, 'cluster', piece)).summary.objective;
  }
  const winner = Object.keys(objectives).reduce((a, b) => (objectives[b]! < objectives[a]! ? b : a));
  const npy = await readObject(ports.store, outputKey(plan, 'cluster', winner, 'npy'));
  const centroids = toVectors(npy);
  const outputs = {
    npy,
    csv: await clustersCsv(ports.store, plan, centroids),
    onnx: await composeModel(ports.store, plan, centroids),
  };
  const summary: BestSummary = { restart: winner, objective: objectives[winner]!, objectives };
  await finishPiece(ports, plan, 'cluster', 'best', outputs, summary, started);
}

const toVectors = (npy: Uint8Array): VectorSet => {
  const { data, shape } = readNpyOf('float32', npy);
  return { data: Float32Array.from(data), count: shape[0]!, dimension: shape[1]! };
};

/** One row per image that could be read, duplicates included: the nearest centroid of its pooled vector. */
async function clustersCsv(store: ObjectStore, plan: Plan, centroids: VectorSet): Promise<Uint8Array> {
  // The method compares with the plain means (2.4), the recipe with centroids of length one.
  const { data, count, dimension } = centroids;
  const compared = runOf(plan).unit === 'image' ? centroids : { ...centroids, data: unitRows(data, count, dimension) };
  const rows: ClusterRow[] = [];
  for (const shard of plan.shards) {
    const { summary } = await readMarker<EmbedSummary>(store, plan, 'embed', shard);
    const pooled = toVectors(await readObject(store, outputKey(plan, 'embed', shard, 'pooled.npy')));
    const read = summary.images.filter(image => image.state === 'read');
    if (!read.length) continue;
    const { clusters, distances, seconds } = nearestCentroids(pooled, compared, 'euclidean');
    read.forEach(({ name }, i) => {
      const confidence = seconds[i]! > 0 ? 1 - Math.sqrt(distances[i]! / seconds[i]!) : 0;
      rows.push({ image: name, cluster: clusters[i] as ClusterId, distance: Math.sqrt(distances[i]!), confidence });
    });
  }
  return new TextEncoder().encode(writeClustersCsv(rows));
}

/** The rows of a finished job's clusters.csv. */
export async function readClusters(store: ObjectStore, plan: Plan): Promise<ClusterRow[]> {
  return parseClustersCsv(new TextDecoder().decode(await readObject(store, outputKey(plan, 'cluster', 'best', 'csv'))));
}

async function composeModel(store: ObjectStore, plan: Plan, centroids: VectorSet): Promise<Uint8Array> {
  const run = runOf(plan);
  const [backbone, attention] = await Promise.all([openBackbone(store, run), openAttention(store, plan)]);
  const threshold = typeof run.threshold === 'number' ? run.threshold : attention.report.threshold;
  return segmentationModel({
    backbone,
    attention: attention.model,
    centroids,
    perImage: run.unit === 'object',
    threshold,
  });
}
