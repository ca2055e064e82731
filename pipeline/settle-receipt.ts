/** Every input's one state, from the markers of label. */
import { keys } from '#core/job/keys';
import { finalLabels, type Plan } from '#core/job/plan';
import { tunedPiece, waves } from '#core/job/progress';
import { balancedCounts, type Receipt, type ReceiptLists, type ShardedReceipt } from '#core/job/receipt';
import { settleRun } from '#core/job/request';
import { clustersOf } from './choose-clusters.ts';
import { readObject, toJson } from './documents.ts';
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
export async function* settledImages(
  store: ObjectStore,
  plan: Plan,
  stage: 'label' | 'finetune' = finalLabels(plan),
): AsyncGenerator<SettledImage> {
  for await (const { images } of settledShards(store, plan, stage)) yield* images;
}

async function* settledShards(
  store: ObjectStore,
  plan: Plan,
  stage: 'label' | 'finetune' = finalLabels(plan),
): AsyncGenerator<{ readonly shard: string; readonly images: readonly SettledImage[] }> {
  const firstOf = new Map<string, string>();
  for (const shard of plan.shards) {
    const { images } = (await readMarker<LabelSummary>(store, plan, stage, shard)).summary;
    const settle = (image: LabelledImage): SettledImage => {
      if (image.state === 'rejected') return image;
      const first = firstOf.get(image.sha256);
      if (first === undefined) firstOf.set(image.sha256, image.name);
      return first === undefined ? image : { ...image, state: 'duplicate', of: first };
    };
    yield { shard, images: images.map(settle) };
  }
}

/** Above so many inputs the lists are written per shard (interface 3). */
const mostListed = 100_000;
/** Entries of each list that the report is given then. */
const mostShown = 500;

export interface SettledReceipt {
  /** For the page: all entries, or the first of each list. */
  readonly receipt: Receipt;
  /** What `receipt.json` holds. */
  readonly document: Receipt | ShardedReceipt;
}

/** Stores the lists of the shards where there are too many inputs for one file. */
export async function settleReceipt(ports: Ports, plan: Plan, most: number = mostListed): Promise<SettledReceipt> {
  const sharded = plan.images > most;
  const all = emptyLists();
  const counts = { labelled: 0, empty: 0, duplicate: 0, rejected: 0 };
  const lists: string[] = [];
  for await (const { shard, images } of settledShards(ports.store, plan)) {
    const own = emptyLists();
    for (const image of images) {
      counts[image.state]++;
      enterImage(own, image);
    }
    addLists(all, own, sharded ? mostShown : Number.POSITIVE_INFINITY);
    if (!sharded) continue;
    lists.push(`receipt/${shard}.json`);
    await ports.store.put(keys.published(plan.job, lists.at(-1)!), toJson(own));
  }
  const settings = settingsOf(plan, await clustersOf(ports.store, plan));
  const timing = await timingOf(ports.store, plan);
  const rest = { counts: balancedCounts(counts, plan.images), settings, hashes: await hashesOf(ports, plan), timing };
  const receipt = { ...all, ...rest };
  return { receipt, document: sharded ? { lists, ...rest } : receipt };
}

type Growing = { -readonly [Key in keyof ReceiptLists]: ReceiptLists[Key][number][] };

const emptyLists = (): Growing => ({ labelled: [], empty: [], duplicate: [], rejected: [], notes: [] });

function enterImage(lists: Growing, image: SettledImage): void {
  const { name } = image;
  if (image.state === 'rejected') {
    lists.rejected.push({ image: name, reason: image.reason });
    return;
  }
  for (const note of image.notes) lists.notes.push({ image: name, note });
  if (image.state === 'duplicate') lists.duplicate.push({ image: name, of: image.of });
  else lists[image.state].push(name);
}

/** Appends entries as long as there are fewer than `most`. */
function addLists(all: Growing, own: Growing, most: number): void {
  for (const key of Object.keys(all) as (keyof Growing)[]) {
    const list: unknown[] = all[key];
    for (const entry of own[key]) if (list.length < most) list.push(entry);
  }
}

/** What shapes the result; no paths. */
function settingsOf(plan: Plan, clusters: number): Record<string, unknown> {
  const { request } = plan;
  const settled = request.kind === 'run' ? settleRun(request) : request;
  const paths = ['images', 'masks', 'valImages', 'valMasks'];
  const settings = Object.entries(settled).filter(([key]) => !paths.includes(key));
  const names = settings.map(([key, value]) => [
    key,
    typeof value === 'string' ? value.replace(/^(backbones|models)\//, '') : value,
  ]);
  const chosen = plan.clusters === 'auto' ? { clustersChosen: 'auto' } : {};
  return { ...Object.fromEntries(names), clusters, ...chosen, classes: plan.classes ?? null };
}

async function hashesOf({ store, digest }: Ports, plan: Plan): Promise<Record<string, string>> {
  if (plan.request.kind === 'predict')
    return { model: digest.sha256(await readObject(store, `${plan.request.model}model.onnx`)) };
  const of = async (stage: 'attend' | 'cluster' | 'finetune', piece: string, extension: string) =>
    digest.sha256(await readObject(store, outputKey(plan, stage, piece, extension)));
  return {
    model:
      finalLabels(plan) === 'finetune' ? await of('finetune', tunedPiece, 'onnx') : await of('cluster', 'best', 'onnx'),
    attention: await of('attend', 'head', 'onnx'),
    centroids: await of('cluster', 'best', 'npy'),
  };
}

/** Seconds of work per stage, summed over its pieces; `dollars` of the machines, where their price was known. */
export async function timingOf(store: ObjectStore, plan: Plan): Promise<Record<string, number>> {
  const seconds: Record<string, number> = {};
  let dollars: number | undefined;
  for (const { stage, pieces } of waves(plan)) {
    if (stage === 'publish') continue;
    for (const piece of pieces) {
      const { milliseconds, dollars: paid } = await readMarker(store, plan, stage, piece);
      seconds[stage] = (seconds[stage] ?? 0) + milliseconds / 1000;
      if (paid !== undefined) dollars = (dollars ?? 0) + paid;
    }
  }
  const rounded = Object.entries(seconds).map(([stage, value]) => [stage, Math.round(value * 1000) / 1000]);
  return { ...Object.fromEntries(rounded), ...(dollars !== undefined && { dollars: Math.round(dollars * 1e4) / 1e4 }) };
}
