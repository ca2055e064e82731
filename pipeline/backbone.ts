/** Opening what a job's request names: the backbone with its settings, and the attention fitted to it. */
import type { HeadVerdict } from '#core/attention/head-check';
import type { Backbone } from '#core/attention/segmentation-model';
import { filterBank, filterBankEntry } from '#core/backbone/filter-bank';
import { backboneSettings } from '#core/backbone/settings';
import { readSafetensors } from '#core/formats/safetensors';
import { type ImportedModel, importModel } from '#core/graph/import';
import { withWeights } from '#core/graph/parameters';
import type { Size } from '#core/graph/probe';
import type { ModelSizeRule } from '#core/image/model-input';
import type { Plan } from '#core/job/plan';
import { type SettledRun, settleRun } from '#core/job/request';
import { fromJson, naming, readJson, readObject } from './documents.ts';
import { outputKey } from './marker.ts';
import type { ObjectStore, Ports } from './ports.ts';

/** The settings of a plan that trains labels. @throws Error for a plan that applies a model */
export function runOf(plan: Plan): SettledRun {
  if (plan.request.kind !== 'run') throw new Error('internal: this stage belongs to a run');
  return settleRun(plan.request);
}

export async function openBackbone(store: ObjectStore, run: SettledRun): Promise<Backbone> {
  if (run.backbone === 'filter-bank') {
    const model = importModel(filterBank());
    return { model, settings: backboneSettings(model, filterBankEntry), scales: run.scales };
  }
  const bytes = await readObject(store, run.backbone);
  const json = await store.get(settingsKey(run.backbone));
  return naming(run.backbone, () => {
    const model = importModel(bytes);
    const settings = backboneSettings(model, json && fromJson(json));
    return { name: run.backbone, model, settings, scales: run.scales };
  });
}

/** SHA-256 of the backbone's file, which an attention's file names. */
export async function backboneSha(
  { store, digest }: Pick<Ports, 'store' | 'digest'>,
  run: SettledRun,
): Promise<string> {
  return digest.sha256(run.backbone === 'filter-bank' ? filterBank() : await readObject(store, run.backbone));
}

/** The backbone as the attention was fitted to it: training the gate moves its running statistics (method 2.3). */
export async function openAttended(store: ObjectStore, plan: Plan): Promise<Backbone> {
  const backbone = await openBackbone(store, runOf(plan));
  const { gate } = await attentionReport(store, plan);
  if (!gate?.movedStatistics) return backbone;
  const key = outputKey(plan, 'attend', 'head', 'safetensors');
  return withStatistics(backbone, readSafetensors(await readObject(store, key), key).tensors);
}

export const withStatistics = (
  backbone: Backbone,
  moved: ReadonlyMap<string, { readonly data: Float32Array }>,
): Backbone => ({
  ...backbone,
  model: withWeights(backbone.model, new Map([...moved].map(([name, { data }]) => [name, data]))),
});

/** `backbones/x.onnx` → `backbones/x.json`. */
export const settingsKey = (backbone: string): string => backbone.replace(/\.[^./]+$/, '.json');

/** A backbone that takes one size only, or any. */
interface SizeWanted {
  readonly fixed?: Size | undefined;
}

/**
 * The recipe looks at 256 pixels on the shorter side (quality 2), the doubled image at twice that. For a backbone of one
 * size that is larger, pictures are not made smaller than it first.
 */
export function recipeRule({ fixed }: SizeWanted, scales: 1 | 2 = 1): ModelSizeRule {
  const side = Math.max(256, fixed ? Math.min(fixed.height, fixed.width) : 0) * scales;
  return { shorterSide: side, multiple: 32 * scales, longestSide: 4 * side };
}

/** The recipe's rule, or the method's, which keeps the exact aspect (2.5). */
export const sizeRule = (run: SettledRun, backbone: SizeWanted): ModelSizeRule =>
  run.method === 'pass' ? { shorterSide: 256, multiple: 1, longestSide: 1024 } : recipeRule(backbone, run.scales);

/** How the gate was trained. */
export interface GateFacts {
  readonly form: 'exact' | 'projected';
  /** What the gate began with: numbers at random as published, or the direction of the untrained foreground scores. */
  readonly start: 'random' | 'seeds';
  /** Of the gate. */
  readonly channels: number;
  /** Whether the backbone's file brought the projection head and prototypes. */
  readonly projection: 'given' | 'trained';
  readonly prototypes: number;
  readonly queue: number;
  readonly pictures: number;
  readonly batch: number;
  readonly steps: number;
  /** Mean loss of the first and of the last tenth of the steps. */
  readonly firstLoss: number;
  readonly lastLoss: number;
  /** Whether running statistics of the backbone moved. */
  readonly movedStatistics: boolean;
}

/** What `attend` found out, beside the attention file. */
export interface AttentionReport {
  readonly kind: string;
  /** Label-free threshold of the refined score. */
  readonly threshold: number;
  /** 0.5 and 99.5 percentiles of the score. */
  readonly range: readonly [number, number];
  readonly histogram: { readonly low: number; readonly high: number; readonly counts: readonly number[] };
  readonly foregroundShare: number;
  readonly sample: number;
  /** The one size of the backbone, where it has one. */
  readonly fixed?: Size | undefined;
  /** Only where the method's gate was trained. */
  readonly gate?: GateFacts | undefined;
  /** Only for a trained head. */
  readonly check?: HeadVerdict | undefined;
}

export const attentionReport = (store: ObjectStore, plan: Plan): Promise<AttentionReport> =>
  readJson(store, outputKey(plan, 'attend', 'head', 'json'));

export async function openAttention(
  store: ObjectStore,
  plan: Plan,
): Promise<{ model: ImportedModel; report: AttentionReport }> {
  const [model, report] = await Promise.all([
    readObject(store, outputKey(plan, 'attend', 'head', 'onnx')),
    attentionReport(store, plan),
  ]);
  return { model: importModel(model), report };
}
