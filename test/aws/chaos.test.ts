/** A job while everything goes wrong that may: the result is that of an undisturbed one, and nothing is lost or doubled. */
import { setTimeout as pause } from 'node:timers/promises';
import { DeleteMessageCommand, ReceiveMessageCommand, SendMessageBatchCommand, SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MemoryQueue } from '#adapters/local/memory-queue';
import { MemoryStore } from '#adapters/local/memory-store';
import { systemClock } from '#adapters/local/system-clock';
import { OnnxRuntime } from '#adapters/onnxruntime/onnx-runtime';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { keys } from '#core/job/keys';
import { Random } from '#core/random';
import { runMessage } from '#pipeline/stages';
import { fillBucket, portsOf, resultOf } from '../pipeline/small-job.ts';
import { clientAt, endpoint, sizeOf } from './cloud.ts';
import { FaultProxy, type HttpFault, type ProxiedRequest } from './fault-proxy.ts';
import { WholeCloud } from './whole-cloud.ts';

const models = new OnnxRuntime();
const machine = { models, images: new SharpCodec() };
const settings = { clusters: 3, restarts: 2, threshold: 'from-scores' };
const tasks = ['attend', 'embed', 'cluster', 'label', 'evaluate'] as const;
const sqs = () => new SQSClient(clientAt(endpoint()));

let proxy: FaultProxy;
let expected: Map<string, string>;
beforeAll(async () => {
  proxy = await FaultProxy.before(endpoint());
  expected = await expectedResult();
});
afterAll(async () => {
  await proxy.close();
  await models.close();
});

/** The same job, undisturbed, without a cloud. */
async function expectedResult(): Promise<Map<string, string>> {
  const store = new MemoryStore();
  await fillBucket(machine.images, store, settings);
  const queue = new MemoryQueue();
  await queue.send([JSON.stringify({ v: 1, job: 'j', stage: 'plan', piece: 'plan' })]);
  for (;;) {
    const [message] = await queue.receive(1, 0);
    if (!message) return resultOf(machine, store);
    await runMessage(portsOf(machine, store, systemClock), { work: () => queue, control: queue }, message.body);
    await queue.delete(message.receipt);
  }
}

/** One request in thirty meets one of these. */
const faults: readonly HttpFault[] = [
  { kind: 'answer', status: 409, code: 'ConditionalRequestConflict' },
  { kind: 'answer', status: 500, code: 'InternalError' },
  { kind: 'answer', status: 503, code: 'SlowDown' },
  { kind: 'cut-before' },
  { kind: 'cut-after' },
  { kind: 'delay', milliseconds: 700 },
];

/** Sends what somebody sends once more: now, or, of a third, some seconds later and so out of order. */
async function sendAgain({ body }: ProxiedRequest, random: Random): Promise<void> {
  const { QueueUrl, Entries } = JSON.parse(body) as { QueueUrl: string; Entries: { MessageBody: string }[] };
  const again = Entries.map(({ MessageBody }, i) => ({
    Id: String(i),
    MessageBody,
    DelaySeconds: random.uniform() < 1 / 3 ? 1 + Math.floor(random.uniform() * 3) : 0,
  }));
  const url = QueueUrl.replace(proxy.endpoint, endpoint());
  await sqs().send(new SendMessageBatchCommand({ QueueUrl: url, Entries: again }));
}

const isSend = ({ headers }: ProxiedRequest) => headers['x-amz-target'] === 'AmazonSQS.SendMessageBatch';
const isState = ({ method, path }: ProxiedRequest) => method === 'PUT' && path.includes('/jobs/j/state.json');

/** Moves a dead-letter queue's messages back to where they came from. @returns what they say */
async function redrive(from: string, to: string): Promise<string[]> {
  for (const moved: string[] = []; ; ) {
    const { Messages = [] } = await sqs().send(new ReceiveMessageCommand({ QueueUrl: from }));
    const [message] = Messages;
    if (!message) return moved;
    moved.push(message.Body!);
    const Entries = [{ Id: '0', MessageBody: message.Body! }];
    await sqs().send(new SendMessageBatchCommand({ QueueUrl: to, Entries }));
    await sqs().send(new DeleteMessageCommand({ QueueUrl: from, ReceiptHandle: message.ReceiptHandle }));
  }
}

async function deadLetters(cloud: WholeCloud): Promise<number> {
  const sizes = await Promise.all(Object.values(cloud.queues).map(({ deadLetters: url }) => sizeOf(url)));
  return sizes.reduce((a, b) => a + b, 0);
}

describe('a job in a cloud that misbehaves', () => {
  it('ends as an undisturbed one', { timeout: 560_000 }, async () => {
    const random = new Random(1);
    const happened = { twice: 0, faults: 0, advanceKilled: 0, kills: 0, stops: 0 };
    const cloud = await WholeCloud.open({ tasks, visibilitySeconds: 4, maxReceives: 30, through: proxy.endpoint });
    try {
      proxy.faults = request => {
        if (isSend(request)) {
          happened.twice++;
          void sendAgain(request, random).catch(() => undefined);
        }
        // Between enqueue and swap: the messages are out, the claim is not.
        if (isState(request) && happened.advanceKilled < 2 && request.body.includes('"claimed": "embed')) {
          happened.advanceKilled++;
          cloud.kill('functions', 'SIGKILL');
          return { kind: 'cut-before' };
        }
        if (random.uniform() > 1 / 30) return undefined;
        happened.faults++;
        return faults[Math.floor(random.uniform() * faults.length)];
      };
      await fillBucket(machine.images, cloud.store, settings);
      const over = cloud.reached('j', 'done', 480);
      let isOver = false;
      const watched = over.finally(() => {
        isOver = true;
      });
      for (let round = 0; round < 10 && !isOver; round++) {
        await Promise.race([pause(500 + random.uniform() * 1500), watched.catch(() => undefined)]);
        const name = cloud.names[Math.floor(random.uniform() * cloud.names.length)]!;
        if (round % 4 === 3) {
          // As long as its messages are hidden and more: somebody else gets them.
          cloud.kill(name, 'SIGSTOP');
          await pause(6000);
          cloud.kill(name, 'SIGCONT');
          happened.stops++;
        } else {
          cloud.kill(name, random.uniform() < 0.5 ? 'SIGKILL' : 'SIGTERM');
          happened.kills++;
        }
      }
      await watched;
      await cloud.until('empty queues', async () => (await cloud.waiting()) === 0);
      expect(await resultOf(machine, cloud.store)).toEqual(expected);
      expect(await deadLetters(cloud)).toBe(0);
      expect(happened.twice).toBeGreaterThan(10);
      expect(happened.advanceKilled).toBe(2);
      expect(happened.kills + happened.stops).toBeGreaterThan(3);
      expect(happened.faults).toBeGreaterThan(5);
      console.log(`chaos: ${JSON.stringify(happened)}`);
    } finally {
      await cloud.close();
    }
  });

  it('sets a poisoned shard aside, says so, and completes it when it is redriven', { timeout: 560_000 }, async () => {
    const cloud = await WholeCloud.open({ tasks, visibilitySeconds: 3, maxReceives: 5, through: proxy.endpoint });
    const random = new Random(2);
    let poisoned = true;
    try {
      const isPoison = ({ method, path }: ProxiedRequest) =>
        method === 'PUT' && /\/jobs\/j\/embed\/[0-9a-f]{8}-000001\./.test(path);
      proxy.faults = request => {
        // Whoever advances the job at the same moment sends the same messages.
        if (isSend(request)) void sendAgain(request, random).catch(() => undefined);
        return poisoned && isPoison(request) ? { kind: 'answer', status: 403, code: 'AccessDenied' } : undefined;
      };
      await fillBucket(machine.images, cloud.store, settings);
      const failed = await cloud.reached('j', 'failed');
      expect(failed.error).toMatch(/embed.*permission/);
      const { url, deadLetters: aside } = cloud.queues.embed;
      await cloud.until('the poison aside', async () => (await sizeOf(aside)) > 1 && (await sizeOf(url)) === 0);
      const sets = await cloud.until('the count of what failed', async () => {
        const state = await cloud.stateOf('j');
        return state?.stages.embed?.failed === 1 && state;
      });
      expect(sets).toMatchObject({ stage: 'failed', stages: { embed: { done: 1, failed: 1 } } });
      expect((await cloud.stateOf('j'))?.error).toMatch(/tried 5 times.*redrive/);
      poisoned = false;
      const moved = await redrive(aside, url);
      expect(moved.length).toBeGreaterThan(1);
      for (const body of moved) expect(JSON.parse(body)).toMatchObject({ stage: 'embed', piece: '000001' });
      await cloud.reached('j', 'done');
      expect(await resultOf(machine, cloud.store)).toEqual(expected);
      expect(await cloud.keys(keys.failures('j'))).toHaveLength(1);
    } finally {
      await cloud.close();
    }
  });
});
