/** Collect: turns a job's packed results into the files people use: label maps, tables, model, report. */
import { decodeIndexPng, encodeImageNetSPng } from '#core/formats/png-index';
import { readTar, type TarEntry } from '#core/formats/tar';
import { keys } from '#core/job/keys';
import { NameList } from '#core/job/name-list';
import { finalLabels, type Plan, validationShard } from '#core/job/plan';
import { LabelPaths, labelPaths } from '#core/labels/label-path';
import { isOneTable, shardTableKey } from './cluster-table.ts';
import { fromJson, readObject, toJson } from './documents.ts';
import { mapInOrder } from './in-flight.ts';
import { outputKey, readMarker } from './marker.ts';
import { nearDuplicatesPiece } from './near-duplicates.ts';
import type { ObjectStore, Ports } from './ports.ts';
import type { PublishSummary } from './publish.ts';
import { listFiles, settledImages } from './settle-receipt.ts';
import { matchingFile, validationMatching, validationMetrics } from './validation.ts';

/** Which results lie in the folder now. */
interface Stamp {
  /** Fingerprint of what was published; null while files are being copied, so that a crash never leaves a mixture unnoticed. */
  readonly publish: string | null;
  /** Fingerprint of the clusters that the names of the classes belong to. */
  readonly cluster: string;
  /** While files are being copied: how many shards of these results have their label maps in the folder. */
  readonly under?: { readonly publish: string; readonly shards: number };
}

const stampKey = (job: string) => `jobs/${job}/collected.json`;

/**
 * Copies what the finished job made to the top of `target`. Nothing is written when the same results lie there already, and
 * names that people gave to classes stay as long as the clusters are the same.
 * @param target where the files go: the same folder as the store on a laptop
 */
export async function collect(ports: Ports, target: ObjectStore, plan: Plan): Promise<void> {
  const bytes = await target.get(stampKey(plan.job));
  const before = bytes && fromJson<Stamp>(bytes);
  const { publish, cluster } = plan.fingerprints;
  if (before?.publish === publish) return;
  const stamp = (now: Stamp) => target.put(stampKey(plan.job), toJson(now));
  const oldCluster = before?.cluster ?? '';
  const already = before?.under?.publish === publish ? before.under.shards : 0;
  const underWay = (shards: number) => stamp({ publish: null, cluster: oldCluster, under: { publish, shards } });
  await underWay(already);
  await collectLabels(ports, target, plan, 'labels/', finalLabels(plan), { already, collected: underWay });
  if (finalLabels(plan) === 'finetune') {
    const first = plan.shards.length;
    const rest = { already: already - first, collected: (shards: number) => underWay(first + shards) };
    await collectLabels(ports, target, plan, 'pseudo-labels/', 'label', rest);
  } else await removeOthers(target, 'pseudo-labels/', new Set());
  if (plan.request.kind === 'run') await collectModel(ports, target, plan, before?.cluster === cluster);
  else await collectNames(ports.store, target, plan.request.model);
  await collectReceipt(ports.store, target, plan);
  if (plan.request.masks) await copy(ports.store, keys.published(plan.job, 'metrics.json'), target, 'metrics.json');
  else await target.delete('metrics.json');
  await collectValidation(ports, target, plan);
  await collectReport(ports.store, target, plan);
  await stamp({ publish, cluster });
}

async function copy(from: ObjectStore, key: string, target: ObjectStore, name: string): Promise<void> {
  await target.put(name, await readObject(from, key));
}

/** Label maps of every input that was not rejected; a duplicate gets a copy. Maps of inputs that are gone are removed. */
async function collectLabels(
  ports: Ports,
  target: ObjectStore,
  plan: Plan,
  folder: string,
  stage: 'label' | 'finetune',
  { already, collected }: { readonly already: number; collected(shards: number): Promise<void> },
): Promise<void> {
  const names = new NameList();
  for await (const image of settledImages(ports.store, plan)) {
    if (image.state !== 'rejected') names.add(image.name);
  }
  const paths = new LabelPaths(names);
  const at = (name: string) => `${folder}${paths.of(name)}`;
  for (const [i, shard] of plan.shards.entries()) {
    if (i < already) continue;
    const packed = readTar(await readObject(ports.store, outputKey(plan, stage, shard, 'tar')));
    const write = async ({ name, bytes }: TarEntry) =>
      target.put(at(name.slice(0, -'.png'.length)), await inFormat(ports, plan, bytes));
    // Each file waits for the disk; several at once wait together.
    for await (const _ of mapInOrder(packed, filesAtOnce, write));
    await collected(i + 1);
    ports.log.progress('collect', 'label maps', i + 1, plan.shards.length);
  }
  await removeOthers(target, folder, { has: key => paths.has(key.slice(folder.length)) });
}

const filesAtOnce = 16;

/** Below it lies what was made of the validation set. */
const validationFolder = 'validation/';

async function inFormat(ports: Ports, plan: Plan, png: Uint8Array): Promise<Uint8Array> {
  if (plan.request.labelFormat === 'index') return png;
  const { width, height, ids } = await decodeIndexPng(png, (bytes, limit) => ports.images.inflate(bytes, limit));
  return encodeImageNetSPng({ width, height, data: ids }, (bytes, runs) => ports.images.deflate(bytes, runs));
}

async function removeOthers(
  target: ObjectStore,
  prefix: string,
  wanted: Pick<ReadonlySet<string>, 'has'>,
): Promise<void> {
  for await (const key of target.keys(prefix)) if (!wanted.has(key)) await target.delete(key);
}

async function collectModel(ports: Ports, target: ObjectStore, plan: Plan, sameClusters: boolean): Promise<void> {
  const { store } = ports;
  const { model, version } = (await readMarker<PublishSummary>(store, plan, 'publish', 'publish')).summary;
  const published = (file: string) => keys.model(model!, version!, file);
  for (const file of ['model.onnx', 'card.json']) await copy(store, published(file), target, `model/${file}`);
  if (!sameClusters || !(await target.head('classes.json'))) {
    await keepOldNames(ports, target);
    await copy(store, published('classes.json'), target, 'classes.json');
  }
  await copy(target, 'classes.json', target, 'model/classes.json');
  await collectClusters(store, target, plan);
  await copy(store, outputKey(plan, 'embed', nearDuplicatesPiece, 'csv'), target, 'near-duplicates.csv');
  await copy(store, keys.published(plan.job, 'merges.json'), target, 'merges.json');
}

/** Label maps and metrics of the validation set, and the matching found on it, for other sets. */
async function collectValidation(ports: Ports, target: ObjectStore, plan: Plan): Promise<void> {
  const wanted = new Set<string>();
  if (plan.validation) {
    const packed = [...readTar(await readObject(ports.store, outputKey(plan, 'evaluate', validationShard, 'tar')))];
    const paths = labelPaths(packed.map(({ name }) => name.slice(0, -'.png'.length)));
    const write = async ({ name, bytes }: TarEntry) => {
      const key = `${validationFolder}labels/${paths.of(name.slice(0, -'.png'.length))}`;
      await target.put(key, await inFormat(ports, plan, bytes));
      return key;
    };
    for await (const key of mapInOrder(packed, filesAtOnce, write)) wanted.add(key);
    await target.put(`${validationFolder}metrics.json`, toJson(await validationMetrics(ports, plan)));
    wanted.add(`${validationFolder}metrics.json`);
    await target.put(matchingFile, await validationMatching(ports, plan));
  } else await target.delete(matchingFile);
  await removeOthers(target, validationFolder, wanted);
}

/** One table, or `clusters/000000.csv`, … where there is one per shard. */
async function collectClusters(store: ObjectStore, target: ObjectStore, plan: Plan): Promise<void> {
  if (isOneTable(plan)) return copy(store, outputKey(plan, 'cluster', 'best', 'csv'), target, 'clusters.csv');
  for (const shard of plan.shards) await copy(store, shardTableKey(plan, shard), target, `clusters/${shard}.csv`);
}

/** With its lists, where they are files of their own. */
async function collectReceipt(store: ObjectStore, target: ObjectStore, plan: Plan): Promise<void> {
  const lists = listFiles(plan);
  for (const file of lists) await copy(store, keys.published(plan.job, file), target, file);
  await removeOthers(target, 'receipt/', new Set(lists));
  await copy(store, keys.published(plan.job, 'receipt.json'), target, 'receipt.json');
}

/** Names given by hand do not fit new clusters, but are work that nobody wants to lose. */
async function keepOldNames({ log }: Ports, target: ObjectStore): Promise<void> {
  if (!(await target.head('classes.history.json'))) return;
  await copy(target, 'classes.json', target, 'classes.previous.json');
  await target.delete('classes.history.json');
  log.note('the clusters are new, so the classes are too; the names you gave are kept in classes.previous.json');
}

/** The names people gave to the classes of the model that was applied. */
async function collectNames(store: ObjectStore, target: ObjectStore, model: string): Promise<void> {
  const classes = await store.get(`${model}classes.json`);
  if (classes) await target.put('classes.json', classes);
}

async function collectReport(store: ObjectStore, target: ObjectStore, plan: Plan): Promise<void> {
  const prefix = keys.published(plan.job, 'report/');
  const wanted = new Set<string>();
  const copyOne = async (key: string) => {
    const name = `report/${key.slice(prefix.length)}`;
    await copy(store, key, target, name);
    return name;
  };
  for await (const name of mapInOrder(store.keys(prefix), filesAtOnce, copyOne)) wanted.add(name);
  await removeOthers(target, 'report/', wanted);
}
