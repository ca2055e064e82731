/** The loop of a task, against a queue that behaves as SQS does. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { MemoryQueue } from '#adapters/local/memory-queue';
import { MemoryStore } from '#adapters/local/memory-store';
import type { Queue, ReceivedMessage } from '#pipeline/ports';
import { guardedStore } from '../../gpu-tasks/guarded-store.ts';
import { taskProtection } from '../../gpu-tasks/task-protection.ts';
import { Worker, type WorkerEvent } from '../../gpu-tasks/worker.ts';

interface World {
  readonly queue: MemoryQueue;
  readonly events: WorkerEvent[];
  readonly protection: boolean[];
  readonly worker: Worker;
}

function worldOf(
  work: (message: ReceivedMessage, signal: AbortSignal) => Promise<void>,
  { visibilitySeconds = 30, wrap = (queue: Queue) => queue } = {},
): World {
  const queue = new MemoryQueue({ visibilitySeconds });
  const events: WorkerEvent[] = [];
  const protection: boolean[] = [];
  const worker = new Worker({
    queue: wrap(queue),
    visibilitySeconds,
    pollSeconds: 0.05,
    work,
    protect: async on => void protection.push(on),
    report: event => events.push(event),
  });
  return { queue, events, protection, worker };
}

const kinds = ({ events }: World) => events.map(({ kind }) => kind);

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise(resolve => setTimeout(resolve, 5));
}

/** Work that ends when it is told to, by its body. */
function gate() {
  const open = new Map<string, () => void>();
  const begun: string[] = [];
  const work = (message: ReceivedMessage, signal: AbortSignal) =>
    new Promise<void>((resolve, reject) => {
      begun.push(message.body);
      open.set(message.body, resolve);
      signal.addEventListener('abort', () => reject(signal.reason as Error));
    });
  return { begun, work, finish: (body: string) => open.get(body)!() };
}

describe('the worker', () => {
  it('works messages off one at a time and holds no more than one in advance', async () => {
    const { begun, work, finish } = gate();
    const world = worldOf(work);
    await world.queue.send(['a', 'b', 'c']);
    const running = world.worker.run();
    await until(() => begun.length === 1);
    await new Promise(resolve => setTimeout(resolve, 20));
    expect(begun).toEqual(['a']);
    // One in hand, one in advance, one left for others.
    expect((await world.queue.receive(10, 0)).map(({ body }) => body)).toEqual(['c']);
    finish('a');
    await until(() => begun.length === 2);
    finish('b');
    await until(() => world.events.length === 2);
    world.worker.stop();
    await running;
    expect(kinds(world)).toEqual(['done', 'done']);
    expect(world.queue.size).toBe(1);
  });

  it('keeps a message hidden as long as it works on it', async () => {
    const { begun, work, finish } = gate();
    const world = worldOf(work, { visibilitySeconds: 0.3 });
    await world.queue.send(['a']);
    const running = world.worker.run();
    await until(() => begun.length === 1);
    await new Promise(resolve => setTimeout(resolve, 900));
    expect(await world.queue.receive(1, 0)).toEqual([]);
    finish('a');
    await until(() => world.events.length === 1);
    world.worker.stop();
    await running;
    expect(kinds(world)).toEqual(['done']);
    expect(world.queue.size).toBe(0);
  });

  it('stops at once where the message is lost, and leaves it alone', async () => {
    const { begun, work } = gate();
    const deaf = (queue: Queue): Queue => ({
      send: bodies => queue.send(bodies),
      receive: (max, seconds) => queue.receive(max, seconds),
      delete: receipt => queue.delete(receipt),
      extend: async () => {
        throw new Error('the message is no longer ours to extend');
      },
    });
    const world = worldOf(work, { visibilitySeconds: 0.3, wrap: deaf });
    await world.queue.send(['a']);
    const running = world.worker.run();
    await until(() => begun.length === 1);
    await until(() => world.events.length === 1);
    world.worker.stop();
    await running;
    expect(world.events[0]).toMatchObject({ kind: 'lost', message: { body: 'a' } });
    expect(world.queue.size).toBe(1);
  });

  it('hands back what it holds when it is stopped, as if nobody had received it', async () => {
    const { begun, work } = gate();
    const world = worldOf(work);
    await world.queue.send(['a', 'b']);
    const running = world.worker.run();
    await until(() => begun.length === 1);
    await new Promise(resolve => setTimeout(resolve, 20));
    world.worker.stop();
    await running;
    expect(kinds(world)).toEqual(['handed-back', 'handed-back']);
    const again = await world.queue.receive(10, 0);
    expect(again.map(({ body, receives }) => ({ body, receives }))).toEqual([
      { body: 'a', receives: 1 },
      { body: 'b', receives: 1 },
    ]);
    expect(world.protection).toEqual([true, false]);
  });

  it('lets a failure come again after a moment and goes on with the next', async () => {
    const world = worldOf(async ({ body }) => {
      if (body === 'bad') throw new Error('no luck');
    });
    await world.queue.send(['bad', 'good']);
    const running = world.worker.run();
    await until(() => world.events.length === 2);
    world.worker.stop();
    await running;
    expect(world.events).toMatchObject([{ kind: 'failed', error: { message: 'no luck' } }, { kind: 'done' }]);
    expect(world.queue.size).toBe(1);
    expect(await world.queue.receive(1, 0)).toEqual([]);
  });

  it('is protected while it works and not when it is idle', async () => {
    const world = worldOf(async () => undefined);
    const running = world.worker.run();
    await world.queue.send(['a']);
    await until(() => world.events.length === 1);
    await until(() => world.protection.at(-1) === false);
    world.worker.stop();
    await running;
    expect(world.protection).toEqual([true, false]);
  });
});

describe('the guarded store', () => {
  it('does nothing more once its signal is aborted', async () => {
    const store = new MemoryStore();
    const abort = new AbortController();
    const guarded = guardedStore(store, abort.signal);
    await guarded.put('a', Uint8Array.of(1));
    abort.abort(new Error('lost'));
    expect(() => guarded.putNew('b', Uint8Array.of(1))).toThrow('lost');
    expect(() => guarded.get('a')).toThrow('lost');
    expect(await store.head('b')).toBeUndefined();
  });
});

describe('task protection', () => {
  const servers: (() => void)[] = [];
  afterEach(() => {
    for (const close of servers.splice(0)) close();
  });

  async function agent(status: number): Promise<{ uri: string; asked: unknown[] }> {
    const asked: unknown[] = [];
    const server = createServer(async (request, response) => {
      let body = '';
      for await (const part of request) body += String(part);
      asked.push([request.method, request.url, JSON.parse(body)]);
      response.writeHead(status).end('{}');
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    servers.push(() => server.close());
    return { uri: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
  }

  it('asks the agent as ECS wants it', async () => {
    const { uri, asked } = await agent(200);
    const protect = taskProtection(uri, { say: () => expect.unreachable() });
    await protect(true);
    await protect(false);
    expect(asked).toEqual([
      ['PUT', '/task-protection/v1/state', { ProtectionEnabled: true, ExpiresInMinutes: 120 }],
      ['PUT', '/task-protection/v1/state', { ProtectionEnabled: false }],
    ]);
  });

  it('says it and works on where the agent refuses or is not there', async () => {
    const said: unknown[] = [];
    const log = { say: (fields: unknown) => void said.push(fields) };
    await taskProtection((await agent(500)).uri, log)(true);
    await taskProtection('http://127.0.0.1:1', log)(true);
    await taskProtection(undefined, log)(true);
    expect(said).toHaveLength(2);
  });
});
