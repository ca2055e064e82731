/** A whole job on a store and a queue that fail as they may: whatever dies, comes twice or in another order, the result is the same. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { MemoryQueue } from '#adapters/local/memory-queue';
import { Crash, type Faults, MemoryStore, type StoreCall } from '#adapters/local/memory-store';
import { OnnxRuntime } from '#adapters/onnxruntime/onnx-runtime';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { keys } from '#core/job/keys';
import type { Plan } from '#core/job/plan';
import type { Receipt } from '#core/job/receipt';
import { Random } from '#core/random';
import { readJson } from '#pipeline/documents';
import { runMessage } from '#pipeline/stages';
import { fillBucket, portsOf, resultOf } from './small-job.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

const models = new OnnxRuntime();
const machine = { models, images: new SharpCodec() };
afterAll(() => models.close());

interface World {
  /** What one process sees of the bucket. */
  store: MemoryStore;
  readonly queue: MemoryQueue;
}

interface Trouble {
  readonly seed: number;
  /** Faults of the nth life of the process. */
  readonly faults: (life: number) => Faults | undefined;
  /** 0: every step of a training and of k-means is a message of its own. */
  readonly sliceSeconds?: number;
}

const isWrite = ({ operation }: StoreCall) => ['putNew', 'swap', 'put', 'delete'].includes(operation);

/** Dies at the nth write: reads are many and nothing happens between them. */
function atWrite(count: number, when: 'before' | 'after'): Faults {
  let writes = 0;
  return call => (isWrite(call) && ++writes === count ? { kind: 'crash', when } : undefined);
}

/** Works until the queue is empty. Whoever crashes comes back as a new process; its message shows again when its time is over. */
async function work(
  bucket: MemoryStore,
  { seed, faults, sliceSeconds }: Trouble,
): Promise<{ store: MemoryStore; lives: number; slices: number }> {
  let now = 0;
  const clock = { now: () => now };
  const queue = new MemoryQueue({ clock, disorder: { seed, twice: 0.3 } });
  let [lives, slices] = [1, 0];
  const world: World = { store: bucket.restarted(faults(lives)), queue };
  const queues = { work: () => queue, control: queue };
  await queue.send([JSON.stringify({ v: 1, job: 'j', stage: 'plan', piece: 'plan' })]);
  for (let steps = 0; queue.size > 0; steps++) {
    if (steps > 500) throw new Error('the job never ends');
    const [message] = await queue.receive(1, 0);
    now += message ? 1000 : 301_000;
    if (!message) continue;
    try {
      if (message.body.includes('"slice"')) slices++;
      const ports = portsOf(machine, world.store, clock);
      const tuning = { ...ports.tuning, ...(sliceSeconds !== undefined && { sliceSeconds }) };
      await runMessage({ ...ports, tuning }, queues, message.body);
      await queue.delete(message.receipt);
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      world.store = world.store.restarted(faults(++lives));
    }
  }
  return { store: world.store.restarted(), lives, slices };
}

const jobs = [
  { what: 'a job', settings: { clusters: 3 }, seeds: 24, sliced: [100], clusters: 3 },
  { what: 'a job on a sample', settings: { clusters: 3, sample: 6 }, seeds: 4, sliced: [], clusters: 3 },
  {
    what: 'a fine-tuned job',
    settings: { clusters: 3, finetune: 'all', trainEpochs: 1, trainBatch: 4 },
    seeds: 2,
    sliced: [100],
    clusters: 3,
  },
  {
    what: 'a job that finds its clusters',
    settings: { clusters: 'auto', restarts: 1 },
    seeds: 8,
    sliced: [],
    clusters: 2,
  },
];

describe.each(jobs)('$what in memory', ({ settings, seeds, sliced, clusters }) => {
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
    await fillBucket(machine.images, bucket, settings);
    const first = await fresh();
    const { store } = await work(first, {
      seed: 0,
      faults: () => call => {
        if (isWrite(call)) writes++;
        return undefined;
      },
    });
    expected = await resultOf(machine, store);
    const receipt = await readJson<Receipt>(store, keys.published('j', 'receipt.json'));
    expect(receipt.counts).toMatchObject({ total: 264, duplicate: 1, rejected: 254 });
    expect(receipt.settings).toMatchObject({ ...settings, clusters });
    expect((await readJson<Plan>(store, keys.plan('j'))).shards).toHaveLength(2);
  });

  const deadly = (seed: number) => {
    const random = new Random(seed);
    return (life: number) =>
      life <= 5
        ? atWrite(1 + Math.floor((random.uniform() * writes) / life), random.uniform() < 0.5 ? 'before' : 'after')
        : undefined;
  };

  it.each(Array.from({ length: seeds }, (_, i) => i + 1))('dies again and again, seed %i', async seed => {
    const { store, lives } = await work(await fresh(), { seed, faults: deadly(seed) });
    expect(lives).toBeGreaterThan(1);
    expect(await resultOf(machine, store)).toEqual(expected);
  });

  it.each(sliced)('dies again and again, cut into slices, seed %i', async seed => {
    const faults = deadly(seed);
    const { store, lives, slices } = await work(await fresh(), { seed, faults, sliceSeconds: 0 });
    expect(lives).toBeGreaterThan(1);
    expect(slices).toBeGreaterThan(1);
    expect(await resultOf(machine, store)).toEqual(expected);
  });
});
