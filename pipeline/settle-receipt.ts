/** Every input's one state, from the markers of label. */
import type { Plan } from '#core/job/plan';
import { waves } from '#core/job/progress';
import { balanceReceipt, type Receipt } from '#core/job/receipt';
import { settleRun } from '#core/job/request';
import { clustersOf } from './choose-clusters.ts';
import { readObject } from './documents.ts';
import type { LabelledImage, LabelSummary } from './label.ts';
import { outputKey, readMarker } from './marker.ts';
import type { ObjectStore, Ports } from './ports.ts';

/** An input with its settled state. */
export type SettledImage =
  | Extract<LabelledImage, { state: 'rejected' }>
  | Extract<LabelledImage, { state: 'labelled' | 'empty' }>
  | (Omit<Extract<LabelledImage, { state: 'labelled' | 'empty' }>, 'state'> & {
      readonly state: 'duplicate';
      readonly of: string;
    });

/** Every input in path order. A copy of an earlier input that was not rejected is a duplicate. */
export async function* settledImages(store: ObjectStore, plan: Plan): AsyncGenerator<SettledImage> {
  const firstOf = new Map<string, string>();
  for (const shard of plan.shards) {
    const { images } = (await readMarker<LabelSummary>(store, plan, 'label', shard)).summary;
    for (const image of images) {
      if (image.state === 'rejected') {
        yield image;
        continue;
      }
      const first = firstOf.get(image.sha256);
      if (first === undefined) firstOf.set(image.sha256, image.name);
      yield first === undefined ? image : { ...image, state: 'duplicate', of: first };
    }
  }
}

export async function settleReceipt(ports: Ports, plan: Plan): Promise<Receipt> {
  const lists = {
    labelled: [] as string[],
    empty: [] as string[],
    duplicate: [] as { image: string; of: string }[],
    rejected: [] as { image: string; reason: string }[],
    notes: [] as { image: string; note: string }[],
  };
  for await (const image of settledImages(ports.store, plan)) {
    if (image.state === 'rejected') {
      lists.rejected.push({ image: image.name, reason: image.reason });
      continue;
    }
    lists.notes.push(...image.notes.map(note => ({ image: image.name, note })));
    if (image.state === 'duplicate') lists.duplicate.push({ image: image.name, of: image.of });
    else lists[image.state].push(image.name);
  }
  const settings = settingsOf(plan, await clustersOf(ports.store, plan));
  return balanceReceipt(
    { ...lists, settings, hashes: await hashesOf(ports, plan), timing: await timingOf(ports.store, plan) },
    plan.images,
  );
}

/** What shapes the result; no paths. */
function settingsOf(plan: Plan, clusters: number): Record<string, unknown> {
  const { request } = plan;
  const settled = request.kind === 'run' ? settleRun(request) : request;
  const { images: _images, masks: _masks, ...settings } = settled;
  const names = Object.entries(settings).map(([key, value]) => [
    key,
    typeof value === 'string' ? value.replace(/^(backbones|models)\//, '') : value,
  ]);
  const chosen = plan.clusters === 'auto' ? { clustersChosen: 'auto' } : {};
  return { ...Object.fromEntries(names), clusters, ...chosen, classes: plan.classes ?? null };
}

async function hashesOf({ store, digest }: Ports, plan: Plan): Promise<Record<string, string>> {
  if (plan.request.kind === 'predict')
    return { model: digest.sha256(await readObject(store, `${plan.request.model}model.onnx`)) };
  const of = async (stage: 'attend' | 'cluster', piece: string, extension: string) =>
    digest.sha256(await readObject(store, outputKey(plan, stage, piece, extension)));
  return {
    model: await of('cluster', 'best', 'onnx'),
    attention: await of('attend', 'head', 'onnx'),
    centroids: await of('cluster', 'best', 'npy'),
  };
}

/** Seconds of work per stage, summed over its pieces. */
export async function timingOf(store: ObjectStore, plan: Plan): Promise<Record<string, number>> {
  const seconds: Record<string, number> = {};
  for (const { stage, pieces } of waves(plan)) {
    if (stage === 'publish') continue;
    for (const piece of pieces) {
      const { milliseconds } = await readMarker(store, plan, stage, piece);
      seconds[stage] = (seconds[stage] ?? 0) + milliseconds / 1000;
    }
  }
  return Object.fromEntries(Object.entries(seconds).map(([stage, value]) => [stage, Math.round(value * 1000) / 1000]));
}
