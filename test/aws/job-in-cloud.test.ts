/** A whole job on S3 and SQS: workers die, answers are lost, every message comes twice, and the result is that of memory. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { S3Store } from '#adapters/aws/s3-store';
import { SqsQueue } from '#adapters/aws/sqs-queue';
import { MemoryQueue } from '#adapters/local/memory-queue';
import { Crash, MemoryStore } from '#adapters/local/memory-store';
import { systemClock } from '#adapters/local/system-clock';
import { OnnxRuntime } from '#adapters/onnxruntime/onnx-runtime';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { Random } from '#core/random';
import { readState } from '#pipeline/advance';
import type { ObjectStore, Queue } from '#pipeline/ports';
import { type Queues, runMessage } from '#pipeline/stages';
import { fillBucket, portsOf, resultOf } from '../pipeline/small-job.ts';
import { clientAt, endpoint, newBucket, newQueuePair, quickPatience, s3ClientAt, sizeOf } from './cloud.ts';
import { type Death, DyingStore } from './dying-store.ts';
import { FaultProxy, type HttpFault } from './fault-proxy.ts';
import { workOn } from './worker.ts';

const models = new OnnxRuntime();
const machine = { models, images: new SharpCodec() };
afterAll(() => models.close());

const settings = { clusters: 3 };
const visibilitySeconds = 3;
const plan = JSON.stringify({ v: 1, job: 'j', stage: 'plan', piece: 'plan' });
const poison = ['no JSON', '{"v":1,"job":"j","stage":"no such stage","piece":"p"}'];

/** The same job, undisturbed, without a cloud. */
async function expectedResult(): Promise<Map<string, string>> {
  const store = new MemoryStore();
  await fillBucket(machine.images, store, settings);
  const queue = new MemoryQueue();
  await queue.send([plan]);
  for (;;) {
    const [message] = await queue.receive(1, 0);
    if (!message) return resultOf(machine, store);
    await runMessage(portsOf(machine, store, systemClock), { work: () => queue, control: queue }, message.body);
    await queue.delete(message.receipt);
  }
}

/** One request in fourteen meets a fault. */
function faultsBySeed(seed: number): () => HttpFault | undefined {
  const random = new Random(seed);
  const kinds: HttpFault[] = [
    { kind: 'answer', status: 409, code: 'ConditionalRequestConflict' },
    { kind: 'answer', status: 500, code: 'InternalError' },
    { kind: 'answer', status: 503, code: 'SlowDown' },
    { kind: 'html', status: 502 },
    { kind: 'cut-before' },
    { kind: 'cut-after' },
    { kind: 'cut-within' },
    { kind: 'delay', milliseconds: 50 },
  ];
  return () => (random.uniform() < 1 / 14 ? kinds[Math.floor(random.uniform() * kinds.length)] : undefined);
}

/** The first lives of a worker end at a random write. */
function deathOf(random: Random, life: number): Death | undefined {
  if (life > 4) return undefined;
  return { write: 1 + Math.floor(random.uniform() * 6), when: random.uniform() < 0.5 ? 'before' : 'after' };
}

describe('a job in the cloud', () => {
  let expected: Map<string, string>;
  let proxy: FaultProxy;
  beforeAll(async () => {
    proxy = await FaultProxy.before(endpoint());
    expected = await expectedResult();
  });
  afterAll(() => proxy.close());

  it.each([1, 2])('ends as in memory, seed %i', { timeout: 300_000 }, async seed => {
    const bucket = await newBucket();
    const plain = new S3Store({ bucket, client: s3ClientAt(endpoint()) });
    await fillBucket(machine.images, plain, settings);
    const [work, control] = [await newQueuePair(visibilitySeconds, 12), await newQueuePair(visibilitySeconds, 12)];
    const queueAt = (url: string): Queue =>
      new SqsQueue({ url, client: clientAt(proxy.endpoint), patience: quickPatience });
    proxy.faults = faultsBySeed(seed);
    await queueAt(work.url).send([plan, ...poison]);
    await queueAt(control.url).send(poison);

    let over = false;
    let deaths = 0;
    /** A worker and those who come after it. */
    const workers = async (url: string, random: Random) => {
      for (let life = 1; !over; life++) {
        const s3: ObjectStore = new S3Store({ bucket, client: s3ClientAt(proxy.endpoint), patience: quickPatience });
        const store = new DyingStore(s3, deathOf(random, life));
        const queues: Queues = { work: () => queueAt(work.url), control: queueAt(control.url) };
        const run = (body: string) => runMessage(portsOf(machine, store, systemClock), queues, body);
        try {
          await workOn({ queue: queueAt(url), visibilitySeconds, run, goesOn: () => !over });
        } catch (error) {
          if (!(error instanceof Crash)) throw error;
          deaths++;
        }
      }
    };
    const isOver = async () => {
      const state = await readState(plain, 'j');
      return state?.state.stage === 'done' && (await sizeOf(work.url)) + (await sizeOf(control.url)) === 0;
    };
    const watch = async () => {
      while (!(await isOver())) await new Promise(resolve => setTimeout(resolve, 300));
      over = true;
    };
    const random = new Random(seed);
    await Promise.all([watch(), ...[work, work, control].map(({ url }) => workers(url, new Random(random.uint32())))]);

    expect(deaths).toBeGreaterThan(4);
    expect(await resultOf(machine, plain)).toEqual(expected);
    expect(await sizeOf(work.deadLetters)).toBe(poison.length);
    expect(await sizeOf(control.deadLetters)).toBe(poison.length);
  });
});
