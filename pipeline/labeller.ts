/** A model ready to label images: the same for `label`, `predict` and `serve`. */

import { PermanentError } from '#core/errors';
import { toModel } from '#core/graph/model';
import { type ModelOutline, readOutline, type ValueInfoProto } from '#core/graph/onnx';
import { prepend } from '#core/graph/prepend';
import type { ModelSizeRule } from '#core/image/model-input';
import { decodeSize, pixelFeeds, pixelInput } from '#core/image/pixel-input';
import type { RgbImage } from '#core/image/rgb-image';
import type { Plan } from '#core/job/plan';
import { tunedPiece } from '#core/job/progress';
import type { SettledRun } from '#core/job/request';
import { type Card, parseCard } from '#core/labels/card';
import { type Decision, guidedRefinement } from '#core/labels/decision';
import { type GridMap, type PseudoLabel, pseudoLabel } from '#core/labels/pseudo-label';
import type { ScoreMap } from '#core/labels/upsampled-argmax';
import { attentionReport, openAttention, runOf, sizeRule } from './backbone.ts';
import { clustersOf } from './choose-clusters.ts';
import { naming, readJson, readObject } from './documents.ts';
import { outputKey } from './marker.ts';
import type { Model, Ports, TensorValue } from './ports.ts';

export interface Labeller {
  readonly model: Model;
  readonly decision: Decision;
  readonly rule: ModelSizeRule;
  readonly clusters: number;
}

/** @param threshold default: the run's own */
export async function openLabeller(ports: Ports, plan: Plan, threshold?: number): Promise<Labeller> {
  if (plan.request.kind === 'predict') return openPublished(ports, plan.request.model);
  const run = runOf(plan);
  const bytes = await readObject(ports.store, outputKey(plan, 'cluster', 'best', 'onnx'));
  return {
    model: await loadModel(ports, bytes),
    decision: await decisionOf(ports, plan, threshold),
    rule: sizeRule(run, await attentionReport(ports.store, plan)),
    clusters: await clustersOf(ports.store, plan),
  };
}

/** The model that was fine-tuned on the pseudo labels. */
export async function openTuned(ports: Ports, plan: Plan): Promise<Labeller> {
  const bytes = await readObject(ports.store, outputKey(plan, 'finetune', tunedPiece, 'onnx'));
  return {
    model: await loadModel(ports, bytes),
    decision: { kind: 'argmax' },
    rule: tunedRule(runOf(plan), await attentionReport(ports.store, plan)),
    clusters: await clustersOf(ports.store, plan),
  };
}

/** A fine-tuned model looks at one scale only. */
export const tunedRule = (run: SettledRun, backbone: Parameters<typeof sizeRule>[1]): ModelSizeRule =>
  sizeRule({ ...run, scales: 1 }, backbone);

/** @param prefix of model.onnx and card.json */
export async function openPublished(
  ports: Pick<Ports, 'store' | 'models' | 'tuning'>,
  prefix: string,
): Promise<Labeller> {
  const [card, model] = [`${prefix}card.json`, `${prefix}model.onnx`];
  const document = await readJson(ports.store, card);
  const parsed = naming(card, () => parseCard(document));
  const bytes = await readObject(ports.store, model);
  return naming(model, () => labellerOf(ports, parsed, bytes));
}

/** A published model from its card and its bytes. @throws PermanentError for a network that is no published model */
export async function labellerOf(
  ports: Pick<Ports, 'models' | 'tuning'>,
  { decision, inputs, clusters }: Card,
  bytes: Uint8Array,
): Promise<Labeller> {
  return { model: await loadModel(ports, bytes), decision, rule: inputs.resize, clusters };
}

/** The model behind an input of bytes: what it computes is the same. */
const loadModel = (ports: Pick<Ports, 'models' | 'tuning'>, bytes: Uint8Array): Promise<Model> => {
  const published = readOutline(bytes);
  assertPublished(published);
  const { inputs, image } = pixelInput();
  const head = toModel({ name: 'pixels', inputs, outputs: { image } });
  const options = { sessions: ports.tuning.threads, threadsPerSession: 1 };
  return ports.models.load(prepend(head, published, 'image'), options);
};

/** @throws PermanentError for a network that is no published model */
function assertPublished({ graph }: ModelOutline): void {
  const has = (list: readonly ValueInfoProto[] = [], name: string) => list.some(one => one.name === name);
  if (has(graph?.input, 'image') && has(graph?.output, 'scores')) return;
  throw new PermanentError(
    'not a model made by selflabel run (input image, outputs scores and foreground); give its folder, DIR/model',
  );
}

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
  const { scores, foreground, image: same } = await runModel(ports, labeller, image);
  return pseudoLabel(labeller.decision, scores, foreground, same);
}

/** The model's outputs for one image, whatever its size, and the image: the one given may have lost its pixels to the session. */
export async function runModel(
  ports: Pick<Ports, 'images'>,
  { model, rule }: Labeller,
  image: RgbImage,
): Promise<{ scores: ScoreMap; foreground: GridMap | undefined; image: RgbImage }> {
  const size = decodeSize(image, rule);
  const own = size.width === image.width && size.height === image.height;
  const given = own ? image : await ports.images.resize(image, size.width, size.height);
  const { outputs, feeds } = await model.run(pixelFeeds(given, image, rule));
  return {
    scores: toScores(outputs.scores!),
    foreground: outputs.foreground && toGrid(outputs.foreground),
    image: own ? { ...image, data: feeds.pixels!.data as Uint8Array } : image,
  };
}

function toScores({ data, dims }: TensorValue): ScoreMap {
  return { data: data as Float32Array, classes: dims[1]!, height: dims[2]!, width: dims[3]! };
}

function toGrid({ data, dims }: TensorValue): GridMap {
  return { data: data as Float32Array, height: dims[2]!, width: dims[3]! };
}
