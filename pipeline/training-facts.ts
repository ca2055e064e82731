/** What the report tells of the trainings of a job. */
import { finalLabels, type Plan } from '#core/job/plan';
import { tunedPiece } from '#core/job/progress';
import type { Metrics } from '#core/metrics/finish';
import type { TrainingFacts } from '#core/pages/report-data';
import type { AttentionReport, GateFacts } from './backbone.ts';
import { readJson, readObject } from './documents.ts';
import type { TunedSummary } from './finetune.ts';
import { outputKey, readMarker } from './marker.ts';
import type { ObjectStore } from './ports.ts';

/** The loss of every training, from its lines. */
export const trainingFacts = async (
  store: ObjectStore,
  plan: Plan,
  { gate }: AttentionReport,
): Promise<TrainingFacts[]> => [
  ...(gate ? [await gateFacts(store, plan, gate)] : []),
  ...(finalLabels(plan) === 'finetune' ? [await tunedFacts(store, plan)] : []),
];

async function lossesIn(store: ObjectStore, key: string): Promise<number[]> {
  const lines = new TextDecoder()
    .decode(await readObject(store, key))
    .trimEnd()
    .split('\n');
  return lines.map(line => (JSON.parse(line) as { loss: number }).loss);
}

async function gateFacts(store: ObjectStore, plan: Plan, gate: GateFacts): Promise<TrainingFacts> {
  const losses = await lossesIn(store, outputKey(plan, 'attend', 'head', 'jsonl'));
  const behind = gate.form === 'projected' ? ', behind a projection' : '';
  const facts = [
    ['trained', `the pixel attention, ${gate.channels} channels${behind}; the backbone stood still`],
    ['projection and prototypes', gate.projection === 'given' ? 'of the backbone' : 'trained with the attention'],
    ['photos', String(gate.pictures)],
    ['photos per step', `${gate.batch}, two views of each`],
    ['steps', String(gate.steps)],
    ['prototypes, queue', `${gate.prototypes}, ${gate.queue}`],
  ] as const;
  return { title: 'Pixel attention', losses, facts };
}

async function tunedFacts(store: ObjectStore, plan: Plan): Promise<TrainingFacts> {
  const losses = await lossesIn(store, outputKey(plan, 'finetune', tunedPiece, 'jsonl'));
  const { summary } = await readMarker<TunedSummary>(store, plan, 'finetune', tunedPiece);
  const facts = [
    ['trained', summary.scope === 'all' ? 'the whole network' : 'the last layer'],
    ['photos', String(summary.pictures)],
    ['photos per step', String(summary.batch)],
    ['steps', String(summary.steps)],
    ...(await gainOf(store, plan)),
  ] as const;
  return { title: 'Fine-tuning on the pseudo labels', losses, facts };
}

/** Figures of the pseudo labels beside those of the model that was trained on them. */
async function gainOf(store: ObjectStore, plan: Plan): Promise<(readonly [string, string])[]> {
  if (!plan.request.masks) return [];
  const metrics = await readJson<Metrics>(store, outputKey(plan, 'evaluate', 'metrics', 'json'));
  const say = (of: (m: Metrics) => number | null) =>
    [metrics.pseudo, metrics].map(m => (m && of(m))?.toFixed(3) ?? '–').join(' before, ');
  return [
    ['foreground IoU', `${say(m => m.foregroundIou)} after`],
    ['mIoU of classes, pixel-matched', `${say(m => m.pixelMatched.miouForeground)} after`],
  ];
}
