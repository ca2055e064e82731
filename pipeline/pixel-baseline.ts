/** Plain k-means of the same backbone's pixels: the baseline that any result has to beat. */
import { backboneMaps } from '#core/attention/segmentation-model';
import type { VectorSet } from '#core/clustering/vector-set';
import { l2Normalize } from '#core/graph/layers';
import { toModel } from '#core/graph/model';
import { conv, reshape, transpose } from '#core/graph/ops';
import { constant, type Tensor } from '#core/graph/tensor';
import { pixelFeeds, pixelInput } from '#core/image/pixel-input';
import type { Plan } from '#core/job/plan';
import { upsampledArgmax } from '#core/labels/upsampled-argmax';
import { Tally } from '#core/metrics/tally';
import { Random, seedOf } from '#core/random';
import { attentionReport, openBackbone, runOf, sizeRule } from './backbone.ts';
import { allImages } from './evaluate.ts';
import { maskOf, readTruth, truthRules } from './ground-truth.ts';
import { mapInOrder } from './in-flight.ts';
import { decodeFound, type FoundImage, findImages } from './inputs.ts';
import { runKmeans } from './kmeans.ts';
import type { Model, Ports, Tensors } from './ports.ts';
import { blocksOf, rowsPerBlock, type VectorSource } from './vector-source.ts';

/** Enough for centroids that more rows would not move. */
const mostRows = 40_000;

/** Tally of the label maps that k-means on the deep map's L2-normalised positions gives: as many clusters as classes, background counted as one. */
export async function pixelBaseline(ports: Ports, plan: Plan): Promise<Tally> {
  const run = runOf(plan);
  const clusters = plan.classes! + (run.background === 'none' ? 0 : 1);
  const rows = await sampleRows(ports, plan, clusters);
  const { centroids } = await runKmeans(rows, { clusters, metric: 'euclidean', seed: run.seed }, ports);
  return tallyWith(ports, plan, centroids);
}

/** The deep map, one unit vector per position. */
async function deepMap(ports: Ports, plan: Plan, finish: (deep: Tensor) => Tensor): Promise<Model> {
  const { inputs, image } = pixelInput();
  const maps = backboneMaps(await openBackbone(ports.store, runOf(plan)), image);
  const output = finish(l2Normalize(maps.deep!, 1, 1e-12));
  return ports.models.load(toModel({ name: 'pixels', inputs, outputs: { output } }), {
    sessions: ports.tuning.threads,
    threadsPerSession: 1,
  });
}

/** Runs a model over every readable image, at the model's size. */
async function* overImages<Out>(
  ports: Ports,
  plan: Plan,
  model: Model,
  use: (name: string, size: { width: number; height: number }, outputs: Tensors) => Promise<Out>,
): AsyncGenerator<Out> {
  const run = runOf(plan);
  const rule = sizeRule(run, await attentionReport(ports.store, plan));
  const work = async (found: FoundImage) => {
    const read = await decodeFound(ports, found, rule);
    if (read.state === 'rejected') return undefined;
    const feeds = pixelFeeds(read.decoded.image, read.decoded, rule);
    return { out: await use(read.name, read.decoded, (await model.run(feeds)).outputs) };
  };
  const found = findImages(ports.store, run.images, allImages(ports, plan));
  for await (const result of mapInOrder(found, ports.tuning.threads * 3, work)) if (result) yield result.out;
}

async function sampleRows(ports: Ports, plan: Plan, clusters: number): Promise<VectorSource> {
  const perImage = Math.max(1, Math.min(64, Math.floor(mostRows / plan.images)));
  const model = await deepMap(ports, plan, deep => transpose(reshape(deep, [0, 0, -1]), { perm: [0, 2, 1] }));
  const blocks: Float32Array[] = [];
  let channels = 0;
  const pick = async (name: string, _size: unknown, { output }: Tensors) => {
    const [, positions, dimension] = output!.dims as [number, number, number];
    channels = dimension;
    const random = new Random(seedOf(name, runOf(plan).seed));
    const chosen = random.shuffle(Array.from({ length: positions }, (_, i) => i)).slice(0, perImage);
    const rows = new Float32Array(chosen.length * dimension);
    chosen.forEach((position, i) => {
      rows.set(
        (output!.data as Float32Array).subarray(position * dimension, (position + 1) * dimension),
        i * dimension,
      );
    });
    return rows;
  };
  for await (const rows of overImages(ports, plan, model, pick)) blocks.push(rows);
  await model.release();
  const data = joined(blocks);
  return blocksOf({ data, count: data.length / channels, dimension: channels }, rowsPerBlock(clusters));
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

async function tallyWith(ports: Ports, plan: Plan, { data, count, dimension }: VectorSet): Promise<Tally> {
  const tally = new Tally(plan.request.background);
  const bias = new Float32Array(count);
  for (let k = 0; k < count; k++) {
    let squares = 0;
    for (let d = 0; d < dimension; d++) squares += data[k * dimension + d]! ** 2;
    bias[k] = -squares / 2;
  }
  const model = await deepMap(ports, plan, deep =>
    conv(deep, constant(data, [count, dimension, 1, 1]), constant(bias, [count])),
  );
  const compare = async (name: string, size: { width: number; height: number }, { output }: Tensors) => {
    const scores = {
      data: output!.data as Float32Array,
      classes: count,
      height: output!.dims[2]!,
      width: output!.dims[3]!,
    };
    const best = upsampledArgmax(scores, size.width, size.height);
    // Ids from 1: no cluster is background before it is matched to it.
    for (let i = 0; i < best.length; i++) best[i]!++;
    return { map: { ...size, data: best }, truth: await readTruth(ports, truthRules(plan), maskOf(name), size) };
  };
  for await (const { map, truth } of overImages(ports, plan, model, compare))
    tally.add({ width: map.width, height: map.height, data: map.data }, truth.map, truth.ignore);
  await model.release();
  return tally;
}
