/** Which clusters look like one thing cut in two: near centroids, and in the same images. */
import type { VectorSet } from '#core/clustering/vector-set';
import { PermanentError } from '#core/errors';
import { readNpyOf } from '#core/formats/npy';
import { keys } from '#core/job/keys';
import type { Plan } from '#core/job/plan';
import { formatMergeProposals, type MergeProposal, parseMergeProposals } from '#core/labels/merge-proposals';
import { readObject } from './documents.ts';
import { outputKey } from './marker.ts';
import type { ObjectStore, Ports } from './ports.ts';
import type { SettledImage } from './settle-receipt.ts';

/** Labels that cover less of an image are specks at the edge of others. */
const leastShare = 0.02;
/** Labels of one image that count, the largest first: memory stays bounded where labels are many. */
const mostLabels = 12;
/** Fewer images with both may be chance. */
const fewestTogether = 3;
/** Pairs that are written down, the best first, and how good they must be. */
const mostProposals = 1000;
const lowestScore = 0.2;

export async function proposeMerges(ports: Ports, plan: Plan, seen: Together): Promise<MergeProposal[]> {
  const { store } = ports;
  const { data, shape } = readNpyOf('float32', await readObject(store, outputKey(plan, 'cluster', 'best', 'npy')));
  const proposals = rankPairs({ data: Float32Array.from(data), count: shape[0]!, dimension: shape[1]! }, seen);
  await store.put(keys.published(plan.job, 'merges.json'), formatMergeProposals(proposals));
  return proposals;
}

/** Those of a run's folder. @throws PermanentError if there are none or the file is broken */
export async function readMergeProposals(store: ObjectStore): Promise<MergeProposal[]> {
  const bytes = await store.get('merges.json');
  if (!bytes) throw new PermanentError('merges.json is missing; run the job again: it proposes which classes to merge');
  return parseMergeProposals(bytes);
}

/** In how many images each cluster occurs, and each two of them. */
export class Together {
  /** [clusters]. */
  readonly images: Int32Array;
  /** By `smaller · clusters + larger`. */
  readonly both = new Map<number, number>();

  constructor(clusters: number) {
    this.images = new Int32Array(clusters);
  }

  add(image: SettledImage): void {
    if (image.state !== 'labelled') return;
    const present = clustersIn(image);
    for (const [i, cluster] of present.entries()) {
      this.images[cluster]!++;
      for (const other of present.slice(i + 1)) {
        const pair = cluster * this.images.length + other;
        this.both.set(pair, (this.both.get(pair) ?? 0) + 1);
      }
    }
  }
}

type Labelled = Exclude<SettledImage, { state: 'rejected' }>;

/** Ids of the clusters that cover a part of the image worth counting, ascending. */
function clustersIn({ labels, width, height }: Labelled): number[] {
  return labels
    .filter(([, pixels]) => pixels >= leastShare * width * height)
    .sort((a, b) => b[1] - a[1] || a[0] - b[0])
    .slice(0, mostLabels)
    .map(([label]) => label - 1)
    .sort((a, b) => a - b);
}

/** @returns the best first */
function rankPairs(centroids: VectorSet, { images, both }: Together): MergeProposal[] {
  const { count } = centroids;
  const centred = centre(centroids);
  const proposals: MergeProposal[] = [];
  for (const [pair, together] of both) {
    if (together < fewestTogether) continue;
    const [a, b] = [Math.floor(pair / count), pair % count];
    const cosine = Math.max(0, cosineOf(centred, a, b));
    const ochiai = together / Math.sqrt(images[a]! * images[b]!);
    const score = Math.sqrt(cosine * ochiai);
    if (score >= lowestScore) {
      const figures = { score: round(score), cosine: round(cosine), together: round(ochiai) };
      proposals.push({ clusters: [a, b], ...figures, images: together });
    }
  }
  const before = (a: MergeProposal, b: MergeProposal) => a.clusters[0] - b.clusters[0] || a.clusters[1] - b.clusters[1];
  return proposals.sort((a, b) => b.score - a.score || before(a, b)).slice(0, mostProposals);
}

const round = (value: number): number => Math.round(value * 1e4) / 1e4;

/** The centroids as seen from their mean: what all of them share says nothing about any two. */
function centre({ data, count, dimension }: VectorSet): VectorSet {
  const mean = new Float64Array(dimension);
  for (let i = 0; i < data.length; i++) mean[i % dimension]! += data[i]! / count;
  return { data: data.map((value, i) => value - mean[i % dimension]!), count, dimension };
}

function cosineOf({ data, dimension }: VectorSet, a: number, b: number): number {
  let [product, squareA, squareB] = [0, 0, 0];
  for (let i = 0; i < dimension; i++) {
    const [left, right] = [data[a * dimension + i]!, data[b * dimension + i]!];
    product += left * right;
    squareA += left * left;
    squareB += right * right;
  }
  const lengths = Math.sqrt(squareA * squareB);
  return lengths > 0 ? product / lengths : 0;
}
