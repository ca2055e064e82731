/** Finding the number of clusters, with `--clusters auto`: every candidate is a piece of its own, the choice is another. */
import { adjustedRand } from '#core/clustering/adjusted-rand';
import { type CandidateScore, type ClusterChoice, chooseClusters } from '#core/clustering/choose-clusters';
import type { Assignment } from '#core/clustering/nearest-centroid';
import type { VectorSet } from '#core/clustering/vector-set';
import type { Plan } from '#core/job/plan';
import { candidatePiece, clustersOfCandidate, waves } from '#core/job/progress';
import { Random, seedOf } from '#core/random';
import { assignVectors } from './assign-vectors.ts';
import { runOf } from './backbone.ts';
import { drawnImages, readCatalog } from './catalog.ts';
import { readJson, toJson } from './documents.ts';
import { runKmeans } from './kmeans.ts';
import { finishPiece, outputKey, readMarker } from './marker.ts';
import type { ObjectStore, Ports } from './ports.ts';
import { blocksOf, rowsPerBlock } from './vector-source.ts';

/** Images are enough at so many: the curve no longer changes, and the time stays bounded. */
const mostImages = 8192;
const splits = 5;
/** Rough centroids are enough to see whether the same ones are found again. */
const roughly = { iterations: 20, tolerance: 1e-3 };

/** Null where the images are too few for this candidate. */
type CandidateSummary = CandidateScore | null;

/**
 * Measures one number of clusters on the pooled vectors of the images: several times they are cut into halves, each half
 * is clustered by itself, and all vectors are assigned to both sets of centroids.
 */
export async function candidate(ports: Ports, plan: Plan, piece: string): Promise<void> {
  const started = ports.clock.now();
  const clusters = clustersOfCandidate(piece);
  const known = await readCatalog(ports.store, plan);
  const images = await drawnImages(ports.store, plan, known, mostImages);
  const enough = clusters * 2 <= images.count && clusters <= known.rows;
  const summary: CandidateSummary = enough ? await measure(ports, images, clusters, runOf(plan).seed) : null;
  await finishPiece(ports, plan, 'cluster', piece, {}, summary, started);
}

async function measure(ports: Ports, images: VectorSet, clusters: number, seed: number): Promise<CandidateScore> {
  const scatter = scatterOf(images);
  const sum = { agreement: 0, explained: 0 };
  const scores: number[] = [];
  for (let split = 0; split < splits; split++) {
    const order = new Random(seedOf('split', seed, split)).shuffle([...Array(images.count).keys()]);
    const first = Uint8Array.from(order, row => (row < images.count >> 1 ? 1 : 0));
    const found: Assignment[] = [];
    for (const half of [1, 0]) {
      const seeds = seedOf('candidate', seed, clusters, split, half);
      found.push(await assignByHalf(ports, images, first, half, clusters, seeds));
    }
    const agreement = adjustedRand(found[0]!.clusters, found[1]!.clusters, clusters);
    const explained = Math.max(0, 1 - unseenScatter(found, first) / scatter);
    sum.agreement += agreement / splits;
    sum.explained += explained / splits;
    scores.push(agreement * explained);
  }
  return { clusters, ...sum, scores };
}

/** All vectors assigned to centroids found in one half of them. @param first [count], 1 in one half and 0 in the other */
async function assignByHalf(
  ports: Ports,
  images: VectorSet,
  first: Uint8Array,
  half: number,
  clusters: number,
  seed: number,
): Promise<Assignment> {
  const { data, dimension } = images;
  const count = first.reduce((sum, side) => sum + (side === half ? 1 : 0), 0);
  const part = { data: new Float32Array(count * dimension), count, dimension };
  let at = 0;
  for (let row = 0; row < first.length; row++) {
    if (first[row] === half) part.data.set(data.subarray(row * dimension, (row + 1) * dimension), dimension * at++);
  }
  const rows = rowsPerBlock(clusters);
  const { centroids } = await runKmeans(
    blocksOf(part, rows),
    { clusters, metric: 'euclidean', seed, ...roughly },
    ports,
  );
  return assignVectors(blocksOf(images, rows), centroids, 'euclidean', ports);
}

/** Squared distances of each half to the centroids of the other, summed. */
function unseenScatter([byFirst, bySecond]: readonly Assignment[], first: Uint8Array): number {
  let sum = 0;
  for (let row = 0; row < first.length; row++) sum += (first[row] ? bySecond! : byFirst!).distances[row]!;
  return sum;
}

/** Squared distances to the mean, summed; never 0, so that equal vectors count as unexplained. */
function scatterOf({ data, count, dimension }: VectorSet): number {
  const mean = new Float64Array(dimension);
  for (let i = 0; i < data.length; i++) mean[i % dimension]! += data[i]! / count;
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += (data[i]! - mean[i % dimension]!) ** 2;
  return Math.max(sum, 1e-12);
}

/** Piece `choice`: the curve of all candidates, and the number chosen. */
export async function choose(ports: Ports, plan: Plan): Promise<void> {
  const started = ports.clock.now();
  const scores: CandidateScore[] = [];
  for (const piece of waves(plan).flatMap(({ stage, pieces }) => (stage === 'cluster' ? pieces : []))) {
    if (piece !== candidatePiece(clustersOfCandidate(piece))) continue;
    const { summary } = await readMarker<CandidateSummary>(ports.store, plan, 'cluster', piece);
    if (summary) scores.push(summary);
  }
  // A handful of images can only be told apart in two.
  const choice: ClusterChoice = scores.length ? chooseClusters(scores) : { clusters: 2, curve: [] };
  const { clusters } = choice;
  await finishPiece(ports, plan, 'cluster', 'choice', { json: toJson(choice) }, { clusters }, started);
}

/** With `--clusters auto`; undefined where the number was given. */
export async function readChoice(store: ObjectStore, plan: Plan): Promise<ClusterChoice | undefined> {
  if (plan.clusters !== 'auto') return undefined;
  return readJson<ClusterChoice>(store, outputKey(plan, 'cluster', 'choice', 'json'));
}

/** The number of clusters, given or found. */
export const clustersOf = async (store: ObjectStore, plan: Plan): Promise<number> =>
  plan.clusters === 'auto' ? (await readChoice(store, plan))!.clusters : plan.clusters;
