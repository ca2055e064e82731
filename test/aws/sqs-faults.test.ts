/** The SQS queue behind a connection that breaks: batches, partial failures, long polls, and what becomes of poison. */
import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SqsQueue } from '#adapters/aws/sqs-queue';
import { PermanentError } from '#core/errors';
import { clientAt, endpoint, newQueue, newQueuePair, quickPatience, sizeOf } from './cloud.ts';
import { FaultProxy, type HttpFault, type ProxiedRequest } from './fault-proxy.ts';

let proxy: FaultProxy;
let url: string;
let queue: SqsQueue;
beforeEach(async () => {
  proxy = await FaultProxy.before(endpoint());
  url = await newQueue({ VisibilityTimeout: '30' });
  queue = new SqsQueue({ url, client: clientAt(proxy.endpoint), patience: quickPatience });
});
afterEach(() => proxy.close());

const asks = (action: string) => (request: ProxiedRequest) =>
  `${request.headers['x-amz-target']}`.endsWith(`.${action}`);
const answer = (status: number, code: string): HttpFault => ({ kind: 'answer', status, code });
const md5 = (text: string) => createHash('md5').update(text).digest('hex');
const batch = (body: object): HttpFault => ({ kind: 'json', body });

function inTurn(action: string, ...faults: HttpFault[]): void {
  proxy.faults = request => (asks(action)(request) ? faults.shift() : undefined);
}

async function drain(): Promise<string[]> {
  const bodies: string[] = [];
  for (;;) {
    const messages = await queue.receive(10, 0);
    if (!messages.length) return bodies.sort();
    for (const { body, receipt } of messages) {
      bodies.push(body);
      await queue.delete(receipt);
    }
  }
}

describe('SqsQueue on a bad connection', () => {
  it('sends in batches of ten, below 256 KB each', async () => {
    const small = Array.from({ length: 23 }, (_, i) => `small ${String(i).padStart(2, '0')}`);
    const large = ['a', 'b', 'c'].map(letter => letter.repeat(100_000));
    await queue.send([...small, ...large]);
    expect(proxy.seen.filter(asks('SendMessageBatch')).length).toBe(4);
    expect(await drain()).toEqual([...small, ...large].sort());
  });

  it('refuses a body that is too large, and sends none of the others', async () => {
    const failure = await queue.send(['a', 'ä'.repeat(131_073)]).catch(error => error);
    expect(failure).toBeInstanceOf(PermanentError);
    expect(failure.message).toContain('262146 bytes');
    expect(proxy.seen).toEqual([]);
  });

  it('sends again what failed within a batch, and nothing else', async () => {
    const failed = (...ids: string[]) => ids.map(Id => ({ Id, Code: 'InternalError', SenderFault: false }));
    // What is said to have failed never reached the server; the rest of these batches did not either.
    inTurn('SendMessageBatch', batch({ Successful: [], Failed: failed('1', '3') }), batch({ Failed: failed('1') }));
    await queue.send(['a', 'b', 'c', 'd']);
    expect(await drain()).toEqual(['d']);
  });

  it('gives up a batch with what no repetition helps', async () => {
    inTurn('SendMessageBatch', batch({ Failed: [{ Id: '0', Code: 'InvalidMessageContents', SenderFault: true }] }));
    const failure = await queue.send(['a']).catch(error => error);
    expect(failure).toBeInstanceOf(PermanentError);
    expect(failure.message).toMatch(/^cannot send \(queue queue-[\d-]+\): refused as InvalidMessageContents/);
  });

  it('asks again after everything that may pass', async () => {
    const transient: HttpFault[] = [
      answer(503, 'ServiceUnavailable'),
      answer(400, 'RequestThrottled'),
      answer(403, 'OverLimit'),
      { kind: 'html', status: 502 },
      { kind: 'cut-before' },
    ];
    inTurn('SendMessageBatch', ...transient);
    await queue.send(['a']);
    inTurn('ReceiveMessage', ...transient);
    const [message] = await queue.receive(1, 0);
    inTurn('ChangeMessageVisibility', ...transient, { kind: 'cut-after' });
    await queue.extend(message!.receipt, 30);
    inTurn('DeleteMessage', ...transient, { kind: 'cut-after' });
    await queue.delete(message!.receipt);
    expect(await sizeOf(url)).toBe(0);
  });

  it('may send twice where the answer was lost, and never less than once', async () => {
    inTurn('SendMessageBatch', { kind: 'cut-after' });
    await queue.send(['a', 'b']);
    expect(await drain()).toEqual(['a', 'a', 'b', 'b']);
  });

  it('says which queue is missing, without the account', async () => {
    const lost = new SqsQueue({ url: `${url}-gone`, client: clientAt(proxy.endpoint), patience: quickPatience });
    const failure = await lost.receive(1, 0).catch(error => error);
    expect(failure).toBeInstanceOf(PermanentError);
    expect(failure.message).toMatch(/^cannot receive \(queue queue-\d+-\d+-gone\): there is no such queue/);
  });

  it('asks for at most 20 seconds at a time, in whole seconds', async () => {
    const answers = [
      batch({}),
      batch({}),
      batch({ Messages: [{ Body: 'late', MD5OfBody: md5('late'), ReceiptHandle: 'r' }] }),
    ];
    proxy.faults = () => answers.shift();
    expect(await queue.receive(50, 45.5)).toEqual([{ body: 'late', receives: 1, receipt: 'r' }]);
    const polls = proxy.seen.map(({ body }) => JSON.parse(body) as Record<string, unknown>);
    expect(polls.map(({ WaitTimeSeconds }) => WaitTimeSeconds)).toEqual([20, 20, 5]);
    expect(polls.map(({ MaxNumberOfMessages }) => MaxNumberOfMessages)).toEqual([10, 10, 10]);
  });

  it('hides messages as long as it is told', async () => {
    const client = clientAt(endpoint());
    const other = new SqsQueue({ url, client, visibilitySeconds: 1, patience: quickPatience });
    await queue.send(['a']);
    expect((await other.receive(1, 0)).map(({ receives }) => receives)).toEqual([1]);
    expect((await other.receive(1, 5)).map(({ receives }) => receives)).toEqual([2]);
  });

  it('hands a message to the dead-letter queue after so many receives', async () => {
    const pair = await newQueuePair(30, 3);
    const client = clientAt(endpoint());
    const source = new SqsQueue({ url: pair.url, client, patience: quickPatience });
    await source.send(['poison']);
    for (let i = 1; i <= 3; i++) {
      const [message] = await source.receive(1, 0);
      expect(message).toMatchObject({ body: 'poison', receives: i });
      await source.extend(message!.receipt, 0);
    }
    expect(await source.receive(1, 0)).toEqual([]);
    expect([await sizeOf(pair.url), await sizeOf(pair.deadLetters)]).toEqual([0, 1]);
  });
});
