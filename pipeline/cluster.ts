/** Stage cluster: the catalog of inputs, the number of clusters if it is to be found, one k-means per restart, and the best of them as centroids and model. */
import { segmentationModel } from '#core/attention/segmentation-model';
import type { VectorSet } from '#core/clustering/vector-set';
import { readNpyOf, writeNpy } from '#core/formats/npy';
import type { Plan } from '#core/job/plan';
import { restartPiece } from '#core/job/progress';
import { seedOf } from '#core/random';
import { openAttended, openAttention, runOf } from './backbone.ts';
import { catalog, clusterRows, readCatalog } from './catalog.ts';
import { candidate, choose, clustersOf } from './choose-clusters.ts';
import { writeClusterTables } from './cluster-table.ts';
import { readObject } from './documents.ts';
import { runKmeans } from './kmeans.ts';
import { KmeansCheckpoints } from './kmeans-checkpoints.ts';
import { finishPiece, outputKey, readMarker } from './marker.ts';
import type { ObjectStore, Ports } from './ports.ts';

export async function cluster(ports: Ports, plan: Plan, piece: string): Promise<void> {
  if (piece === 'catalog') return catalog(ports, plan);
  if (piece === 'choice') return choose(ports, plan);
  if (piece === 'best') return best(ports, plan);
  return piece.startsWith('candidate-') ? candidate(ports, plan, piece) : restart(ports, plan, piece);
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
  const clusters = await clustersOf(ports.store, plan);
  const known = await readCatalog(ports.store, plan);
  const vectors = await clusterRows(ports.store, plan, known, clusters, ports.tuning.vectorBytes);
  const number = Number(piece.slice(restartPiece(0).length - 3));
  const options = {
    clusters,
    metric: 'euclidean',
    seed: seedOf(run.seed, number),
    iterations: mostIterations,
  } as const;
  const keeper = new KmeansCheckpoints(ports, outputKey(plan, 'cluster', piece, 'checkpoint.tar'));
  const { centroids, objective, iterations, converged } = await runKmeans(vectors, { ...options, keeper }, ports);
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
  await keeper.clear();
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
  const csv = await writeClusterTables(ports, plan, centroids);
  const outputs = { npy, ...(csv && { csv }), onnx: await composeModel(ports.store, plan, centroids) };
  const summary: BestSummary = { restart: winner, objective: objectives[winner]!, objectives };
  await finishPiece(ports, plan, 'cluster', 'best', outputs, summary, started);
}

const toVectors = (npy: Uint8Array): VectorSet => {
  const { data, shape } = readNpyOf('float32', npy);
  return { data: Float32Array.from(data), count: shape[0]!, dimension: shape[1]! };
};

async function composeModel(store: ObjectStore, plan: Plan, centroids: VectorSet): Promise<Uint8Array> {
  const run = runOf(plan);
  const [backbone, attention] = await Promise.all([openAttended(store, plan), openAttention(store, plan)]);
  const threshold = typeof run.threshold === 'number' ? run.threshold : attention.report.threshold;
  return segmentationModel({
    backbone,
    attention: attention.model,
    centroids,
    perImage: run.unit === 'object',
    threshold,
  });
}
