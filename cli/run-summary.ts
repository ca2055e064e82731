/** What `run --json` prints: the result in one object. */
import { join } from 'node:path';
import { keys } from '#core/job/keys';
import { finalLabels, type Plan } from '#core/job/plan';
import type { Receipt } from '#core/job/receipt';
import type { Metrics } from '#core/metrics/finish';
import { clustersOf } from '#pipeline/choose-clusters';
import { readJson } from '#pipeline/documents';
import type { Bound } from '#pipeline/pace';
import type { Ports } from '#pipeline/ports';
import { decisionOf } from '#pipeline/run-labeller';
import { paceOf } from '#pipeline/settle-receipt';

export interface RunSummary {
  readonly out: string;
  readonly images: Receipt['counts'];
  readonly clusters: number;
  readonly threshold: number | null;
  readonly seconds: Readonly<Record<string, number>> & { readonly total: number };
  readonly imagesPerSecond: { readonly embed: number | null; readonly label: number | null };
  /** What limited embedding, decoding pictures or the model, with the images per second that each could do alone. */
  readonly bound: Bound | null;
  readonly peakMemoryBytes: number;
  readonly report: string;
  readonly model: string | null;
  readonly metrics: Metrics | null;
}

export async function summarise(ports: Ports, plan: Plan, out: string, total: number): Promise<RunSummary> {
  const { counts } = await readJson<Receipt>(ports.store, keys.published(plan.job, 'receipt.json'));
  const { timing: seconds, bound } = await paceOf(ports.store, plan);
  const isRun = plan.request.kind === 'run';
  const decision = isRun && finalLabels(plan) === 'label' ? await decisionOf(ports, plan) : undefined;
  const rate = (stage: string) => (seconds[stage] ? Math.round((10 * plan.images) / seconds[stage]) / 10 : null);
  return {
    out,
    images: counts,
    clusters: await clustersOf(ports.store, plan),
    threshold: decision?.kind === 'threshold' ? decision.threshold : null,
    seconds: { total: Math.round(total * 1000) / 1000, ...seconds },
    imagesPerSecond: { embed: rate('embed'), label: rate('label') },
    bound,
    peakMemoryBytes: process.resourceUsage().maxRSS * 1024,
    report: join(out, 'report', 'index.html'),
    model: isRun ? join(out, 'model') : null,
    metrics: plan.request.masks ? await readJson<Metrics>(ports.store, keys.published(plan.job, 'metrics.json')) : null,
  };
}
