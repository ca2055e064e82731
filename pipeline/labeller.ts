/** A model ready to label images: the same for `label`, `predict` and `serve`. */
import { type ModelSizeRule, modelSize, toNchw } from '#core/image/model-input';
import type { RgbImage } from '#core/image/rgb-image';
import type { Plan } from '#core/job/plan';
import { parseCard } from '#core/labels/card';
import { type Decision, guidedRefinement } from '#core/labels/decision';
import { type GridMap, type PseudoLabel, pseudoLabel } from '#core/labels/pseudo-label';
import type { ScoreMap } from '#core/labels/upsampled-argmax';
import { openAttention, runOf, sizeRule } from './backbone.ts';
import { readJson, readObject } from './documents.ts';
import { outputKey } from './marker.ts';
import type { Model, Ports, TensorValue } from './ports.ts';

export interface Labeller {
  readonly model: Model;
  readonly decision: Decision;
  readonly rule: ModelSizeRule;
  readonly clusters: number;
}

export async function openLabeller(ports: Ports, plan: Plan): Promise<Labeller> {
  if (plan.request.kind === 'predict') return openPublished(ports, plan.request.model);
  const run = runOf(plan);
  const bytes = await readObject(ports.store, outputKey(plan, 'cluster', 'best', 'onnx'));
  return {
    model: await loadModel(ports, bytes),
    decision: await decisionOf(ports, plan),
    rule: sizeRule(run),
    clusters: plan.clusters,
  };
}

/** @param prefix of model.onnx and card.json */
export async function openPublished(ports: Ports, prefix: string): Promise<Labeller> {
  const { decision, inputs, clusters } = parseCard(await readJson(ports.store, `${prefix}card.json`));
  return {
    model: await loadModel(ports, await readObject(ports.store, `${prefix}model.onnx`)),
    decision,
    rule: inputs.resize,
    clusters,
  };
}

const loadModel = (ports: Ports, bytes: Uint8Array): Promise<Model> =>
  ports.models.load(bytes, { sessions: ports.tuning.threads, threadsPerSession: 1 });

/** The decision rule of a run: its threshold belongs to this attention and these centroids, no others. */
export async function decisionOf(ports: Ports, plan: Plan, threshold?: number): Promise<Decision> {
  const run = runOf(plan);
  return {
    kind: 'threshold',
    threshold: threshold ?? (await thresholdOf(ports, plan)),
    upsample: run.unit === 'image' ? 'nearest' : 'bilinear',
    refine: run.refine === 'guided' && run.background === 'auto' ? guidedRefinement : null,
  };
}

async function thresholdOf(ports: Ports, plan: Plan): Promise<number> {
  const run = runOf(plan);
  if (typeof run.threshold === 'number') return run.threshold;
  if (run.threshold === 'from-masks') {
    return (await readJson<{ threshold: number }>(ports.store, outputKey(plan, 'evaluate', 'threshold', 'json')))
      .threshold;
  }
  return (await openAttention(ports.store, plan)).report.threshold;
}

export async function labelImage(ports: Ports, labeller: Labeller, image: RgbImage): Promise<PseudoLabel> {
  const { scores, foreground } = await runModel(ports, labeller, image);
  return pseudoLabel(labeller.decision, scores, foreground, image);
}

/** The model's outputs for one image, whatever its size. */
export async function runModel(
  ports: Ports,
  { model, rule }: Labeller,
  image: RgbImage,
): Promise<{ scores: ScoreMap; foreground: GridMap | undefined }> {
  const { width, height } = modelSize(image, rule);
  const small =
    width === image.width && height === image.height ? image : await ports.images.resize(image, width, height);
  const { outputs } = await model.run({ image: { type: 'float32', dims: [1, 3, height, width], data: toNchw(small) } });
  return { scores: toScores(outputs.scores!), foreground: outputs.foreground && toGrid(outputs.foreground) };
}

function toScores({ data, dims }: TensorValue): ScoreMap {
  return { data: data as Float32Array, classes: dims[1]!, height: dims[2]!, width: dims[3]! };
}

function toGrid({ data, dims }: TensorValue): GridMap {
  return { data: data as Float32Array, height: dims[2]!, width: dims[3]! };
}
