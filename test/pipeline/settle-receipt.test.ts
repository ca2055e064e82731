/** The receipt of many inputs: its lists lie per shard, and whoever reads the folder finds the same images. */
import { expect, test } from 'vitest';
import { MemoryStore } from '#adapters/local/memory-store';
import { nodeDigest } from '#adapters/local/node-digest';
import { OnnxRuntime } from '#adapters/onnxruntime/onnx-runtime';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import type { Plan } from '#core/job/plan';
import type { Receipt, ShardedReceipt } from '#core/job/receipt';
import { parseRequest } from '#core/job/request';
import { fromJson, readJson, toJson } from '#pipeline/documents';
import type { LabelledImage } from '#pipeline/label';
import { listFolderImages } from '#pipeline/labelled-folder';
import { finishPiece } from '#pipeline/marker';
import type { Ports } from '#pipeline/ports';
import { settleReceipt } from '#pipeline/settle-receipt';

const perShard = 4;
const images: LabelledImage[] = Array.from({ length: 11 }, (_, i) => {
  const name = `${String(i).padStart(2, '0')}.jpg`;
  if (i % 5 === 4) return { name, state: 'rejected', reason: 'no image' };
  const state = i % 3 === 2 ? 'empty' : 'labelled';
  // 6 is a copy of 1, in another shard.
  const facts = { sha256: `${i === 6 ? 1 : i}`, width: 1, height: 1, foreground: 0, confidence: 0, labels: [] };
  return { name, state, notes: i === 0 ? ['first of 3 frames taken'] : [], ...facts };
});

const plan: Plan = {
  version: 1,
  job: 'j',
  request: parseRequest({ kind: 'predict', images: 'datasets/d/images/', model: 'models/m/' }),
  images: images.length,
  shards: ['000000', '000001', '000002'],
  clusters: 0,
  fingerprints: {
    plan: 'p',
    attend: '',
    embed: '',
    cluster: '',
    label: 'l',
    finetune: '',
    evaluate: 'v',
    publish: 'u',
  },
};

async function labelledJob(): Promise<Ports> {
  const ports: Ports = {
    store: new MemoryStore(),
    models: new OnnxRuntime(),
    images: new SharpCodec(),
    digest: nodeDigest,
    clock: { now: () => 0 },
    log: { progress: () => undefined, note: () => undefined },
    tuning: { threads: 1 },
    place: 'memory',
  };
  await ports.store.put('models/m/model.onnx', Uint8Array.of(1));
  for (const [s, shard] of plan.shards.entries()) {
    const own = images.slice(s * perShard, (s + 1) * perShard);
    await finishPiece(ports, plan, 'label', shard, {}, { images: own }, 0);
  }
  return ports;
}

/** What lies in the results folder: the receipt and the lists it names. */
async function folderOf(ports: Ports, document: Uint8Array): Promise<MemoryStore> {
  const folder = new MemoryStore();
  await folder.put('receipt.json', document);
  for await (const { key } of ports.store.list('jobs/j/receipt/'))
    await folder.put(key.slice('jobs/j/'.length), (await ports.store.get(key))!);
  return folder;
}

test('one file up to the limit, one list per shard above it; counts and images are the same', async () => {
  const ports = await labelledJob();
  const whole = await settleReceipt(ports, plan, { most: images.length });
  expect(whole.document).toEqual(toJson(whole.receipt));
  expect(whole.receipt.counts).toEqual({ total: 11, labelled: 5, empty: 3, duplicate: 1, rejected: 2 });
  expect(whole.receipt.duplicate).toEqual([{ image: '06.jpg', of: '01.jpg' }]);

  const { receipt, document } = await settleReceipt(ports, plan, { most: images.length - 1 });
  const { lists, ...rest } = fromJson<ShardedReceipt>(document);
  expect(lists).toEqual(['receipt/000000.json', 'receipt/000001.json', 'receipt/000002.json']);
  const { counts, settings, hashes, timing } = whole.receipt;
  expect(rest).toEqual({ counts, settings, hashes, timing });
  expect(receipt).toEqual(whole.receipt);
  const parts = await Promise.all(lists.map(file => readJson<Receipt>(ports.store, `jobs/j/${file}`)));
  for (const key of ['labelled', 'empty', 'duplicate', 'rejected', 'notes'] as const)
    expect(parts.flatMap(part => part[key] as unknown[])).toEqual(whole.receipt[key]);

  const found = await listFolderImages(await folderOf(ports, document));
  expect(found).toEqual(await listFolderImages(await folderOf(ports, whole.document)));
  expect(found).toHaveLength(9);
});

test('a list that is missing is named', async () => {
  const folder = new MemoryStore();
  await folder.put('receipt.json', toJson({ lists: ['receipt/000000.json'], counts: {} }));
  await expect(listFolderImages(folder)).rejects.toThrow('receipt/000000.json is missing');
});

test('says what the machines cost, where their price was known', async () => {
  const ports = await labelledJob();
  const at = (now: number) => ({ ...ports, clock: { now: () => now }, dollarsPerHour: 0.34 });
  const priced: Plan = { ...plan, fingerprints: { ...plan.fingerprints, label: 'm' } };
  for (const [s, shard] of plan.shards.entries()) {
    const own = images.slice(s * perShard, (s + 1) * perShard);
    await finishPiece(at(1_800_000), priced, 'label', shard, {}, { images: own }, 0);
  }
  expect((await settleReceipt(ports, plan)).receipt.timing).toEqual({ label: 0 });
  expect((await settleReceipt(ports, priced)).receipt.timing).toEqual({
    label: 5400,
    machineHours: 1.5,
    dollars: 0.51,
  });
});
