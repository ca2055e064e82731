/** The model of a run, ready to label images: with its own decision rule and size. */

import type { ModelSizeRule } from '#core/image/model-input';
import type { Plan } from '#core/job/plan';
import { tunedPiece } from '#core/job/progress';
import type { SettledRun } from '#core/job/request';
import { type Decision, guidedRefinement } from '#core/labels/decision';
import { attentionReport, openAttention, runOf, sizeRule } from './backbone.ts';
import { clustersOf } from './choose-clusters.ts';
import { readJson, readObject } from './documents.ts';
import { type Labeller, openPublished } from './labeller.ts';
import { loadModel } from './load-model.ts';
import { outputKey } from './marker.ts';
import type { Ports } from './ports.ts';

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
