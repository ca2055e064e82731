/** Stage attend: fits, without any label, what tells object from background, once per data set (quality 7). */
import type { ForegroundSeed } from '#core/attention/foreground-seed';
import {
  type Attention,
  attentionModel,
  type BackboneMaps,
  type Foreground,
  foregroundScore,
  project,
} from '#core/attention/pixel-attention';
import { ridgeScores, trainRidgeHead } from '#core/attention/ridge-head';
import { applyAttention, type Backbone } from '#core/attention/segmentation-model';
import { backboneBytes } from '#core/backbone/backbone-file';
import { PermanentError } from '#core/errors';
import { writeSafetensors } from '#core/formats/safetensors';
import { importModel } from '#core/graph/import';
import { l2Normalize } from '#core/graph/layers';
import type { Plan, PlannedImage } from '#core/job/plan';
import type { SettledRun } from '#core/job/request';
import { backboneSha, openBackbone, runOf, sizeRule, withStatistics } from './backbone.ts';
import { toJson } from './documents.ts';
import { type FeatureSpace, fitFeatureSpace, measureMaps } from './feature-space.ts';
import { assertTrainable } from './fine-tuning-step.ts';
import { describeFit, type Fit, type Scored } from './foreground-fit.ts';
import { type TrainedGate, trainGate } from './gate-training.ts';
import { givenAttention } from './given-attention.ts';
import { finishPiece, outputKey } from './marker.ts';
import type { Ports } from './ports.ts';
import { chooseSample, joined, plannedImages, type Sampled, type SamplePass, samplePass } from './sample.ts';
import { clearTraining, historyLines } from './training-run.ts';

/** Below this a head cannot be fitted: the border distance of each image by itself has to do. */
const fewestForHead = 8;
/** Images behind each of the two heads that the check compares with. */
const fewestForCheck = 64;

export async function attend(ports: Ports, plan: Plan, piece: string): Promise<void> {
  const started = ports.clock.now();
  const run = runOf(plan);
  const backbone = await openBackbone(ports.store, run);
  assertTrainable(run, backbone);
  const images = await chooseSample(ports, plan, run.attendSample, run.seed);
  const task = { ports, run, backbone, images, sha: await backboneSha(ports, run) };
  const learns = run.attention === 'pass' && run.background === 'auto';
  const fitted = learns ? await learned(task, plan, piece) : await fitForeground(task);
  const { onnx, report } = describeFit(run, fitted, backbone);
  const outputs = { onnx, json: toJson(report), ...(fitted.gate && gateOutputs(fitted.gate)) };
  await finishPiece(ports, plan, 'attend', piece, outputs, { sample: report.sample }, started);
  if (learns) await clearTraining(ports.store, checkpointPrefix(plan, piece));
}

const checkpointPrefix = (plan: Plan, piece: string) => outputKey(plan, 'attend', piece, '');

/** The loss of every step, and the running statistics of the backbone that moved. */
const gateOutputs = ({ history, statistics }: TrainedGate) => ({
  jsonl: historyLines(history),
  ...(statistics.size > 0 && { safetensors: writeSafetensors({ tensors: statistics, metadata: {} }) }),
});

interface Task {
  readonly ports: Ports;
  readonly run: SettledRun;
  readonly backbone: Backbone;
  readonly images: readonly PlannedImage[];
  /** SHA-256 of the backbone's file. */
  readonly sha: string;
}

/** Principal components are taken from as many images as fit into this many bytes of features. */
const basisBytes = 256 * 2 ** 20;

async function fitForeground(task: Task): Promise<Fit> {
  const { ports, run, backbone, images } = task;
  if (run.attention.startsWith('backbones/')) return given(task);
  const { shorterSide } = sizeRule(run, backbone.settings);
  const { channels, featureBytes } = await measureMaps(ports, backbone, shorterSide * 1.5, shorterSide);
  const basisImages = Math.max(1, Math.min(images.length, Math.floor(basisBytes / featureBytes)));
  const { basis, rest } = spread(images, basisImages);
  const kind = foregroundKind(run, images.length);
  const want: SamplePass = { features: true, seeds: kind === 'head', ...(kind !== 'head' && { score: scoreOf(kind) }) };
  const sampled = await firstReadable(task, [basis, rest], want);
  const space = await fitFeatureSpace(ports, run, channels, sampled);
  if (kind !== 'head') return untrained(task, kind, space, sampled, rest);
  // Too few could be read to fit a head after all.
  if (sampled.length + rest.length < fewestForHead) return untrained(task, 'border', space, sampled, rest);
  return trained(task, space, sampled, rest);
}

/** The sample of the first part in which anything can be read. @throws PermanentError if that is none */
async function firstReadable(task: Task, parts: readonly (readonly PlannedImage[])[], want: SamplePass) {
  const rejected = [];
  for (const part of parts) {
    const result = await samplePass(task.ports, task.run.images, part, task.backbone, ruleOf(task), want);
    if (result.sampled.length) return result.sampled;
    rejected.push(...result.rejected);
  }
  const [first] = rejected;
  throw new PermanentError(
    `none of ${rejected.length} files looked at is a usable image (${first?.name}: ${first?.reason}); give a folder of photos (JPEG, PNG, WebP, GIF, TIFF)`,
  );
}

type Untrained = Exclude<Foreground['kind'], 'head' | 'gate'>;

const scoreOf =
  (kind: Untrained): NonNullable<SamplePass['score']> =>
  maps =>
    // Untrained scores need no projection, and so no channels.
    foregroundScore({ foreground: { kind }, channels: {} }, maps);

const ruleOf = ({ run, backbone }: Task) => sizeRule(run, backbone.settings);

const pass = async (task: Task, images: readonly PlannedImage[], want: SamplePass) =>
  (await samplePass(task.ports, task.run.images, images, task.backbone, ruleOf(task), want)).sampled;

function foregroundKind(run: SettledRun, images: number): 'head' | 'norm' | 'border' | 'none' {
  if (run.background === 'none') return 'none';
  if (run.attention === 'self-trained') return images < fewestForHead ? 'border' : 'head';
  if (run.attention === 'norm' || run.attention === 'border') return run.attention;
  throw new PermanentError(`attention "${run.attention}" is not usable here; use self-trained, pass, norm or border`);
}

/** The basis covers the sample evenly. */
function spread(images: readonly PlannedImage[], count: number): { basis: PlannedImage[]; rest: PlannedImage[] } {
  const inBasis = (i: number) =>
    Math.floor(((i + 1) * count) / images.length) > Math.floor((i * count) / images.length);
  return { basis: images.filter((_, i) => inBasis(i)), rest: images.filter((_, i) => !inBasis(i)) };
}

async function untrained(
  task: Task,
  kind: Untrained,
  space: FeatureSpace,
  sampled: readonly Sampled[],
  rest: readonly PlannedImage[],
): Promise<Fit> {
  const want: SamplePass = { features: false, seeds: false, score: scoreOf(kind) };
  const hasScores = sampled[0]!.score !== undefined;
  const missing = hasScores ? rest : task.images;
  const more = missing.length ? await pass(task, missing, want) : [];
  const scored = [...(hasScores ? sampled : []), ...more] as Scored[];
  return { kind, scored, onnx: attentionFile(task, { kind }, space) };
}

const attentionFile =
  ({ run, sha }: Task, foreground: Foreground, space: FeatureSpace): Fit['onnx'] =>
  gateRange => {
    const embedding: Attention['embedding'] =
      run.unit === 'image' ? { kind: 'upsampled' } : { kind: 'projected', projection: space.labels };
    return attentionModel({ channels: space.channels, foreground, embedding, gateRange, backbone: sha });
  };

/** An attention file from elsewhere: only its threshold is found anew. */
async function given(task: Task): Promise<Fit> {
  const { bytes, model, file } = await givenAttention(task.ports, task.run);
  const score: SamplePass['score'] = maps => applyAttention(model, maps, ['foreground'])[0]!;
  const want = { features: false, seeds: false, score };
  const scored = (await firstReadable(task, [task.images], want)) as readonly Scored[];
  return { kind: file, scored, onnx: () => bytes };
}

/** The backbone with the statistics that training moved is another one, as `train attend` writes it to a file. */
function withMoved(task: Task, { statistics }: TrainedGate): Task {
  const backbone = withStatistics(task.backbone, statistics);
  const sha = task.ports.digest.sha256(backboneBytes(backbone.model, backbone.settings));
  return { ...task, backbone, sha };
}

/** The method's gate, trained on all photos; its threshold comes from the sample. */
async function learned(task: Task, plan: Plan, piece: string): Promise<Fit> {
  const { ports, images } = task;
  const all = await plannedImages(ports, plan);
  const gate = await trainGate({ ...task, images: all, prefix: checkpointPrefix(plan, piece) });
  const moved = gate.statistics.size > 0 ? withMoved(task, gate) : task;
  const foreground: Foreground = { kind: 'gate', gate: gate.gate, reduction: gate.reduction };
  const onnx = await gateFile(moved, foreground);
  const model = importModel(onnx([0, 1]));
  const score: SamplePass['score'] = maps => applyAttention(model, maps, ['foreground'])[0]!;
  const scored = (await firstReadable(moved, [images], { features: false, seeds: false, score })) as readonly Scored[];
  return { kind: 'pass', scored, onnx, gate };
}

/** Labels by whole images compare the gate's own features (method 2.4), others those of the recipe. */
async function gateFile(task: Task, foreground: Foreground): Promise<Fit['onnx']> {
  const { ports, run, backbone, images, sha } = task;
  const { shorterSide } = sizeRule(run, backbone.settings);
  const { channels, featureBytes } = await measureMaps(ports, backbone, shorterSide * 1.5, shorterSide);
  const { deep = 0 } = channels;
  if (run.unit === 'image')
    return gateRange =>
      attentionModel({ channels: { deep }, foreground, embedding: { kind: 'upsampled' }, gateRange, backbone: sha });
  const basisImages = Math.max(1, Math.min(images.length, Math.floor(basisBytes / featureBytes)));
  const { basis, rest } = spread(images, basisImages);
  const sampled = await firstReadable(task, [basis, rest], { features: true, seeds: false });
  return attentionFile(task, foreground, await fitFeatureSpace(ports, run, channels, sampled));
}

async function trained(
  task: Task,
  space: FeatureSpace,
  sampled: readonly Sampled[],
  rest: readonly PlannedImage[],
): Promise<Fit> {
  const hidden = (maps: BackboneMaps) => l2Normalize(project(maps, space.channels, space.head), 1, 1e-12);
  const more = rest.length ? await pass(task, rest, { features: false, seeds: true, project: hidden }) : [];
  const projected = await space.projectHead(sampled);
  const all: Sampled[] = [
    ...sampled.map((one, i) => ({ ...one, features: undefined, projected: projected[i]! })),
    ...more,
  ];
  const train = (images: readonly Sampled[], pick: keyof ForegroundSeed) =>
    trainRidgeHead(
      joined(
        images.map(one => one.projected!),
        Float32Array,
      ),
      space.head.outputs,
      joined(
        images.map(one => one.seed![pick]),
        Float64Array,
      ),
    );
  // The two heads that only serve the check need not see every image.
  const some = all.filter(
    (_, i) => all.length < 2 * fewestForCheck || i % Math.floor(all.length / fewestForCheck) === 0,
  );
  const heads = { combined: train(all, 'combined'), border: train(some, 'border'), fiedler: train(some, 'fiedler') };
  const scored = all.map(one => ({ ...one, score: Float32Array.from(ridgeScores(heads.combined, one.projected!)) }));
  const { weights } = heads.combined;
  const dimension = space.head.outputs;
  const foreground: Foreground = {
    kind: 'head',
    projection: space.head,
    weights: Float32Array.from(weights.subarray(0, dimension)),
    bias: weights[dimension]!,
  };
  return { kind: 'self-trained', scored, onnx: attentionFile(task, foreground, space), heads };
}
