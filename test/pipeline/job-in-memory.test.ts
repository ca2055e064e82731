/** A whole job on a store and a queue that fail as they may: whatever dies, comes twice or in another order, the result is the same. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { MemoryQueue } from '#adapters/local/memory-queue';
import { Crash, type Faults, MemoryStore, type StoreCall } from '#adapters/local/memory-store';
import { nodeDigest } from '#adapters/local/node-digest';
import { OnnxRuntime } from '#adapters/onnxruntime/onnx-runtime';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { encodeIndexPng } from '#core/formats/png-index';
import { toModel } from '#core/graph/model';
import { averagePool, concat, conv, relu } from '#core/graph/ops';
import { constant, input } from '#core/graph/tensor';
import { keys } from '#core/job/keys';
import type { Plan } from '#core/job/plan';
import type { Receipt } from '#core/job/receipt';
import { Random } from '#core/random';
import { scene } from '#core/scenes/scene';
import { readState } from '#pipeline/advance';
import { collect } from '#pipeline/collect';
import { fromJson, readJson, toJson } from '#pipeline/documents';
import type { ObjectStore, Ports } from '#pipeline/ports';
import { runMessage } from '#pipeline/stages';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

const models = new OnnxRuntime();
const images = new SharpCodec();
afterAll(() => models.close());

/** A network of three lines, so that a job takes a moment: colours and their edges, at strides 16 and 32. */
function smallNetwork(): Uint8Array {
  const image = input('image', 'float32', ['N', 3, 'H', 'W']);
  const random = new Random(1);
  const weights = (outputs: number, inputs: number, size: number) =>
    constant(
      Float32Array.from({ length: outputs * inputs * size * size }, () => random.uniform() - 0.5),
      [outputs, inputs, size, size],
    );
  const edges = relu(conv(image, weights(8, 3, 4), undefined, { strides: [4, 4] }));
  const pool = (size: number) => ({ kernel_shape: [size, size], strides: [size, size] });
  const fine = averagePool(edges, pool(4));
  const deep = relu(
    conv(concat([fine, averagePool(image, pool(16))], { axis: 1 }), weights(16, 11, 2), undefined, { strides: [2, 2] }),
  );
  return toModel({ name: 'small', inputs: [image], outputs: { fine, deep } });
}

/** More files than one shard holds: photos and copies in both, and what is no photo between them. */
async function fillBucket(store: ObjectStore, settings: object): Promise<void> {
  const put = (key: string, bytes: Uint8Array) => store.put(`datasets/d/${key}`, bytes);
  for (let i = 0; i < 9; i++) {
    const { image, classes } = scene(40 + i, { width: 96, height: 64 });
    const name = `${i % 2 ? 'a' : 'z'}/${i}`;
    await put(`images/${name}.jpg`, await images.encodeJpeg(image, 90));
    if (i === 3) await put('images/z/copy.jpg', await images.encodeJpeg(image, 90));
    const mask = await encodeIndexPng(classes, { highest: 12, deflate: (bytes, runs) => images.deflate(bytes, runs) });
    for (const path of i === 3 ? [name, 'z/copy'] : [name]) await put(`masks/${path}.png`, mask);
  }
  for (let i = 0; i < 254; i++) await put(`images/notes/${i}.txt`, new TextEncoder().encode(`note ${i}`));
  await store.put('backbones/small.onnx', smallNetwork());
  const request = {
    images: 'datasets/d/images/',
    masks: 'datasets/d/masks/',
    backbone: 'backbones/small.onnx',
    restarts: 3,
    threshold: 'from-masks',
    ...settings,
  };
  await store.put(keys.request('j'), toJson(request));
}

interface World {
  /** What one process sees of the bucket. */
  store: MemoryStore;
  readonly queue: MemoryQueue;
}

const portsOf = (store: ObjectStore, clock: { now(): number }): Ports => ({
  store,
  models,
  images,
  digest: nodeDigest,
  clock,
  log: { progress: () => undefined, note: () => undefined },
  tuning: { threads: 2 },
  place: 'memory',
});

interface Trouble {
  readonly seed: number;
  /** Faults of the nth life of the process. */
  readonly faults: (life: number) => Faults | undefined;
}

const isWrite = ({ operation }: StoreCall) => ['putNew', 'swap', 'put', 'delete'].includes(operation);

/** Dies at the nth write: reads are many and nothing happens between them. */
function atWrite(count: number, when: 'before' | 'after'): Faults {
  let writes = 0;
  return call => (isWrite(call) && ++writes === count ? { kind: 'crash', when } : undefined);
}

/** Works until the queue is empty. Whoever crashes comes back as a new process; its message shows again when its time is over. */
async function work(bucket: MemoryStore, { seed, faults }: Trouble): Promise<{ store: MemoryStore; lives: number }> {
  let now = 0;
  const clock = { now: () => now };
  const queue = new MemoryQueue({ clock, disorder: { seed, twice: 0.3 } });
  let lives = 1;
  const world: World = { store: bucket.restarted(faults(lives)), queue };
  const queues = { work: () => queue, control: queue };
  await queue.send([JSON.stringify({ v: 1, job: 'j', stage: 'plan', piece: 'plan' })]);
  for (let steps = 0; queue.size > 0; steps++) {
    if (steps > 500) throw new Error('the job never ends');
    const [message] = await queue.receive(1, 0);
    now += message ? 1000 : 301_000;
    if (!message) continue;
    try {
      await runMessage(portsOf(world.store, clock), queues, message.body);
      await queue.delete(message.receipt);
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      world.store = world.store.restarted(faults(++lives));
    }
  }
  return { store: world.store.restarted(), lives };
}

/** Everything people get, collected into an empty place. */
async function resultOf(store: MemoryStore): Promise<Map<string, string>> {
  expect((await readState(store, 'j'))?.state).toMatchObject({ stage: 'done', error: null });
  const target = new MemoryStore();
  await collect(portsOf(store, { now: () => 0 }), target, await readJson<Plan>(store, keys.plan('j')));
  const result = new Map<string, string>();
  for await (const { key } of target.list('')) {
    const bytes = (await target.get(key))!;
    if (key === 'model/card.json' || key.startsWith('report/') || key.startsWith('jobs/')) continue;
    const left = key === 'receipt.json' ? 'timing' : key === 'metrics.json' ? 'seconds' : undefined;
    const document = left && { ...fromJson<Record<string, unknown>>(bytes), [left]: undefined };
    result.set(key, nodeDigest.sha256(document ? toJson(document) : bytes));
  }
  return result;
}

const jobs = [
  { what: 'a job', settings: { clusters: 3 }, seeds: 24, clusters: 3 },
  { what: 'a job on a sample', settings: { clusters: 3, sample: 6 }, seeds: 4, clusters: 3 },
  { what: 'a job that finds its clusters', settings: { clusters: 'auto', restarts: 1 }, seeds: 8, clusters: 2 },
];

describe.each(jobs)('$what in memory', ({ settings, seeds, clusters }) => {
  let bucket: MemoryStore;
  let expected: Map<string, string>;
  let writes = 0;
  const fresh = async () => {
    const copy = new MemoryStore();
    for await (const { key } of bucket.list('')) await copy.put(key, (await bucket.get(key))!);
    return copy;
  };

  beforeAll(async () => {
    bucket = new MemoryStore();
    await fillBucket(bucket, settings);
    const first = await fresh();
    const { store } = await work(first, {
      seed: 0,
      faults: () => call => {
        if (isWrite(call)) writes++;
        return undefined;
      },
    });
    expected = await resultOf(store);
    const receipt = await readJson<Receipt>(store, keys.published('j', 'receipt.json'));
    expect(receipt.counts).toMatchObject({ total: 264, duplicate: 1, rejected: 254 });
    expect(receipt.settings).toMatchObject({ ...settings, clusters });
    expect((await readJson<Plan>(store, keys.plan('j'))).shards).toHaveLength(2);
  });

  it.each(Array.from({ length: seeds }, (_, i) => i + 1))('dies again and again, seed %i', async seed => {
    const random = new Random(seed);
    const faults = (life: number) =>
      life <= 5
        ? atWrite(1 + Math.floor((random.uniform() * writes) / life), random.uniform() < 0.5 ? 'before' : 'after')
        : undefined;
    const { store, lives } = await work(await fresh(), { seed, faults });
    expect(lives).toBeGreaterThan(1);
    expect(await resultOf(store)).toEqual(expected);
  });
});
