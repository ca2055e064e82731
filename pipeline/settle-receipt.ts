/** Every input's one state, from the markers of label. */

import { JsonList, jsonOfLists } from '#core/formats/json-lists';
import { keys } from '#core/job/keys';
import { finalLabels, type Plan } from '#core/job/plan';
import { tunedPiece, waves } from '#core/job/progress';
import { balancedCounts, type Receipt, type ReceiptLists, type ShardedReceipt } from '#core/job/receipt';
import { settleRun } from '#core/job/request';
import { clustersOf } from './choose-clusters.ts';
import { findCopies, readMarkers, toldImages } from './copies.ts';
import { readObject, toJson } from './documents.ts';
import type { LabelledImage } from './label.ts';
import { outputKey } from './marker.ts';
import { type Bound, boundOf, type PaceSummary } from './pace.ts';
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

export interface SettledShard {
  readonly shard: string;
  readonly images: readonly SettledImage[];
}

export async function* settledShards(
  store: ObjectStore,
  plan: Plan,
  stage: 'label' | 'finetune' = finalLabels(plan),
): AsyncGenerator<SettledShard> {
  const copies = await findCopies<LabelledImage>(store, plan, stage);
  for await (const { shard, first, images } of toldImages<LabelledImage>(store, plan, stage)) {
    const settle = (image: LabelledImage, i: number): SettledImage => {
      const of = copies.get(first + i);
      return of === undefined || image.state === 'rejected' ? image : { ...image, state: 'duplicate', of };
    };
    yield { shard, images: images.map(settle) };
  }
}

/** Above so many inputs the lists are written per shard (interface 3). */
const mostListed = 100_000;
/** Entries of each list that the report is given. */
const mostShown = 500;

/** Files of the lists, where there are too many inputs for one: one per shard. */
export const listFiles = ({ images, shards }: Plan, most = mostListed): string[] =>
  images > most ? shards.map(shard => `receipt/${shard}.json`) : [];

export interface SettledReceipt {
  /** For the page: the first of each list. */
  readonly receipt: Receipt;
  /** How many notes there are. */
  readonly notes: number;
  /** What `receipt.json` holds: a `Receipt` or a `ShardedReceipt`. */
  readonly document: Uint8Array;
  /** What limited embedding. */
  readonly bound: Bound | null;
}

/**
 * Stores the lists of the shards where there are too many inputs for one file.
 * @param see shown every shard on the way
 */
export async function settleReceipt(
  ports: Ports,
  plan: Plan,
  { most = mostListed, see }: { most?: number; see?: (shard: SettledShard) => Promise<void> } = {},
): Promise<SettledReceipt> {
  const lists = listFiles(plan, most);
  const shown = emptyLists();
  const all = jsonLists();
  const counts = { labelled: 0, empty: 0, duplicate: 0, rejected: 0 };
  let [notes, at] = [0, 0];
  for await (const { shard, images } of settledShards(ports.store, plan)) {
    const own = emptyLists();
    for (const image of images) {
      counts[image.state]++;
      enterImage(own, image);
    }
    await see?.({ shard, images });
    notes += own.notes.length;
    showFirst(shown, own);
    if (lists.length) await ports.store.put(keys.published(plan.job, lists[at++]!), toJson(own));
    else for (const key of listNames) for (const entry of own[key]) all[key].add(entry);
  }
  const settings = settingsOf(plan, await clustersOf(ports.store, plan));
  const { timing, bound } = await paceOf(ports.store, plan);
  const rest = { counts: balancedCounts(counts, plan.images), settings, hashes: await hashesOf(ports, plan), timing };
  const document = lists.length ? toJson({ lists, ...rest } satisfies ShardedReceipt) : jsonOfLists(all, rest);
  return { receipt: { ...shown, ...rest }, notes, document, bound };
}

type Growing = { -readonly [Key in keyof ReceiptLists]: ReceiptLists[Key][number][] };

const listNames = ['labelled', 'empty', 'duplicate', 'rejected', 'notes'] as const satisfies (keyof Growing)[];

const emptyLists = (): Growing => ({ labelled: [], empty: [], duplicate: [], rejected: [], notes: [] });

const jsonLists = (): Record<keyof Growing, JsonList> => ({
  labelled: new JsonList(),
  empty: new JsonList(),
  duplicate: new JsonList(),
  rejected: new JsonList(),
  notes: new JsonList(),
});

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

/** Appends entries as long as there is room. */
function showFirst(shown: Growing, own: Growing): void {
  for (const key of listNames) {
    const list: unknown[] = shown[key];
    for (const entry of own[key].slice(0, mostShown - list.length)) list.push(entry);
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

/** Seconds of work per stage, summed over its pieces; `machineHours` and their `dollars` where the price is known. And what limited embedding. */
export async function paceOf(
  store: ObjectStore,
  plan: Plan,
): Promise<{ timing: Record<string, number>; bound: Bound | null }> {
  const seconds: Record<string, number> = {};
  const paces: PaceSummary[] = [];
  let paidFor = 0;
  let dollars: number | undefined;
  for (const { stage, pieces } of waves(plan)) {
    if (stage === 'publish') continue;
    for await (const marker of readMarkers<{ pace?: PaceSummary }>(store, plan, stage, pieces)) {
      const { milliseconds, dollars: paid, summary } = marker;
      seconds[stage] = (seconds[stage] ?? 0) + milliseconds / 1000;
      if (paid !== undefined) {
        dollars = (dollars ?? 0) + paid;
        paidFor += milliseconds;
      }
      if (stage === 'embed' && summary.pace) paces.push(summary.pace);
    }
  }
  const rounded = Object.entries(seconds).map(([stage, value]) => [stage, Math.round(value * 1000) / 1000]);
  const rounded4 = (value: number) => Math.round(value * 1e4) / 1e4;
  const cost = dollars !== undefined && { machineHours: rounded4(paidFor / 3_600_000), dollars: rounded4(dollars) };
  return { timing: { ...Object.fromEntries(rounded), ...cost }, bound: boundOf(paces) };
}
