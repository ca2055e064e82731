/** Stage publish: the receipt, the model with its card, the report; `current.json` moves last. */
import type { BackboneSettings } from '#core/backbone/settings';
import { keys } from '#core/job/keys';
import { finalLabels, type Plan } from '#core/job/plan';
import { tunedPiece } from '#core/job/progress';
import type { Card } from '#core/labels/card';
import { defaultClasses, formatClassMap } from '#core/labels/class-map';
import { openAttention, openBackbone, runOf, sizeRule } from './backbone.ts';
import { clustersOf } from './choose-clusters.ts';
import { readJson, readObject, toJson } from './documents.ts';
import type { TunedSummary } from './finetune.ts';
import { finishPiece, outputKey, readMarker } from './marker.ts';
import type { ObjectStore, Ports } from './ports.ts';
import { Gathering, writeReport } from './report.ts';
import { decisionOf, tunedRule } from './run-labeller.ts';
import { settleReceipt } from './settle-receipt.ts';

/** What publish tells: where the model went. */
export interface PublishSummary {
  readonly model: string | null;
  readonly version: string | null;
}

export async function publish(ports: Ports, plan: Plan, piece: string): Promise<void> {
  const started = ports.clock.now();
  const published = plan.request.kind === 'run' ? await publishModel(ports, plan) : undefined;
  const gathering = published && (await Gathering.of(ports, plan));
  const settled = await settleReceipt(ports, plan, { see: async shard => gathering?.add(shard) });
  const { document } = settled;
  await ports.store.put(keys.published(plan.job, 'receipt.json'), document);
  if (plan.request.masks) {
    const metrics = await readObject(ports.store, outputKey(plan, 'evaluate', 'metrics', 'json'));
    await ports.store.put(keys.published(plan.job, 'metrics.json'), metrics);
  }
  if (published && gathering) {
    await writeReport(ports, plan, settled, published.card, gathering);
    await moveCurrent(ports, plan, published.card);
  }
  const summary: PublishSummary = {
    model: published?.card.name ?? null,
    version: published?.card.modelVersion ?? null,
  };
  await finishPiece(ports, plan, 'publish', piece, { json: document }, summary, started);
}

async function publishModel(ports: Ports, plan: Plan): Promise<{ card: Card }> {
  const tuned = finalLabels(plan) === 'finetune';
  const key = tuned ? outputKey(plan, 'finetune', tunedPiece, 'onnx') : outputKey(plan, 'cluster', 'best', 'onnx');
  const model = await readObject(ports.store, key);
  const card = await describeModel(ports, plan, model);
  const at = (file: string) => keys.model(card.name, card.modelVersion, file);
  await ports.store.putNew(at('model.onnx'), model);
  await ports.store.putNew(at('card.json'), toJson(card));
  await ports.store.putNew(at('classes.json'), formatClassMap(defaultClasses(card.clusters)));
  return { card };
}

async function moveCurrent(ports: Ports, plan: Plan, card: Card): Promise<void> {
  const current = { model: card.name, version: card.modelVersion, job: plan.job, sha256: card.hashes.model };
  await ports.store.put(keys.currentModel(card.name), toJson(current));
}

async function describeModel(ports: Ports, plan: Plan, model: Uint8Array): Promise<Card> {
  const run = runOf(plan);
  const { report } = await openAttention(ports.store, plan);
  const { settings } = await openBackbone(ports.store, run);
  const tuned = finalLabels(plan) === 'finetune';
  const decision: Card['decision'] = tuned ? { kind: 'argmax' } : await decisionOf(ports, plan);
  const sha = (bytes: Uint8Array) => ports.digest.sha256(bytes);
  const hashes = {
    model: sha(model),
    attention: sha(await readObject(ports.store, outputKey(plan, 'attend', 'head', 'onnx'))),
    centroids: sha(await readObject(ports.store, outputKey(plan, 'cluster', 'best', 'npy'))),
    ...(run.backbone === 'filter-bank' ? {} : { backbone: sha(await readObject(ports.store, run.backbone)) }),
  };
  const metrics = plan.request.masks
    ? await readJson<Record<string, unknown>>(ports.store, outputKey(plan, 'evaluate', 'metrics', 'json'))
    : null;
  return {
    version: 1,
    name: run.name,
    modelVersion: sha(toJson([hashes, decision])).slice(0, 12),
    created: new Date(ports.clock.now()).toISOString(),
    clusters: await clustersOf(ports.store, plan),
    decision,
    inputs: {
      resize: tuned ? tunedRule(run, settings) : sizeRule(run, settings),
      // For programs that prepare the image themselves.
      shrink: 'bilinear, antialiased',
      enlarge: 'bilinear, half-pixel centres, not rounded to bytes',
      stride: (settings.fine ?? settings.deep).stride,
      ...inputExceptions(settings),
    },
    hashes,
    backbone: run.backbone.replace('backbones/', ''),
    method: run.method,
    attention: { kind: report.kind, check: report.check ?? null, ...(report.gate && { gate: report.gate }) },
    unit: run.unit,
    trainedOn: { images: plan.images, ...(run.sample && { sample: run.sample }) },
    metrics: metrics && {
      miou: metrics.miou,
      miouForeground: metrics.miouForeground,
      foregroundIou: metrics.foregroundIou,
    },
    projectionHead: report.gate?.projection ?? 'none',
    prototypes: report.gate?.projection ?? 'none',
    ...(tuned && { finetune: await tunedFacts(ports.store, plan) }),
    licence: licenceNote(run.backbone),
  };
}

/** How the model was fine-tuned. */
const tunedFacts = async (store: ObjectStore, plan: Plan): Promise<TunedSummary> =>
  (await readMarker<TunedSummary>(store, plan, 'finetune', tunedPiece)).summary;

/** What the graph does with the image because of the backbone, for people and programs that read the card. */
const inputExceptions = ({ fixed, batch }: BackboneSettings) => ({
  ...(fixed && {
    backboneSize: fixed,
    exception: `the backbone takes ${fixed.height} × ${fixed.width} pixels (height × width) only: the graph resizes every image to that, whatever its aspect`,
  }),
  ...(batch && { batch }),
});

const licenceNote = (backbone: string): string =>
  backbone === 'filter-bank'
    ? 'The built-in filter bank is part of selflabel (Apache-2.0); the centroids come from your images.'
    : 'The graph contains the weights of the backbone you gave: its licence applies to this model.';
