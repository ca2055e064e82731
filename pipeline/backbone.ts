/** Opening what a job's request names: the backbone with its settings, and the attention fitted to it. */
import type { HeadVerdict } from '#core/attention/head-check';
import type { Backbone } from '#core/attention/segmentation-model';
import { filterBank, filterBankEntry } from '#core/backbone/filter-bank';
import { backboneSettings } from '#core/backbone/settings';
import { type ImportedModel, importModel } from '#core/graph/import';
import type { ModelSizeRule } from '#core/image/model-input';
import type { Plan } from '#core/job/plan';
import { type SettledRun, settleRun } from '#core/job/request';
import { fromJson, naming, readJson, readObject } from './documents.ts';
import { outputKey } from './marker.ts';
import type { ObjectStore } from './ports.ts';

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

/** `backbones/x.onnx` → `backbones/x.json`. */
export const settingsKey = (backbone: string): string => backbone.replace(/\.[^./]+$/, '.json');

/** The recipe looks at 256 pixels on the shorter side (quality 2), the doubled image at twice that; the method keeps the exact aspect (2.5). */
export function sizeRule(run: SettledRun): ModelSizeRule {
  if (run.method === 'pass') return { shorterSide: 256, multiple: 1, longestSide: 1024 };
  return { shorterSide: 256 * run.scales, multiple: 32 * run.scales, longestSide: 1024 * run.scales };
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
  /** Only for a trained head. */
  readonly check?: HeadVerdict | undefined;
}

export async function openAttention(
  store: ObjectStore,
  plan: Plan,
): Promise<{ model: ImportedModel; report: AttentionReport }> {
  const [model, report] = await Promise.all([
    readObject(store, outputKey(plan, 'attend', 'head', 'onnx')),
    readJson<AttentionReport>(store, outputKey(plan, 'attend', 'head', 'json')),
  ]);
  return { model: importModel(model), report };
}
