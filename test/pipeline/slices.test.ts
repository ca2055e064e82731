/** Slices: one message leads to one next message, however often it comes. */
import { beforeEach, expect, it } from 'vitest';
import { MemoryQueue } from '#adapters/local/memory-queue';
import { MemoryStore } from '#adapters/local/memory-store';
import type { Plan } from '#core/job/plan';
import { toJson } from '#pipeline/documents';
import { finishPiece, readMarker } from '#pipeline/marker';
import type { WorkMessage } from '#pipeline/messages';
import type { Ports } from '#pipeline/ports';
import { beginSlice, SliceOver, workInSlices } from '#pipeline/slices';
import { portsOf } from './small-job.ts';

const plan = { job: 'j', fingerprints: { cluster: 'abc' } } as unknown as Plan;
const first: WorkMessage = { v: 1, job: 'j', stage: 'cluster', piece: 'restart-000' };

let store: MemoryStore;
let queue: MemoryQueue;
let now = 0;
beforeEach(() => {
  store = new MemoryStore();
  queue = new MemoryQueue();
});

const ports = () => portsOf({} as Parameters<typeof portsOf>[0], store, { now: () => now });
const queues = () => ({ work: () => queue, control: queue });

/** A slice that takes 7 s and is not the last. */
const cut = async () => {
  now += 7000;
  throw new SliceOver('more to do');
};
const take = (message: WorkMessage, work: (own: Ports) => Promise<void> = cut) =>
  workInSlices(ports(), queues(), plan, message, work);

/** What waits. */
async function sent(): Promise<(number | undefined)[]> {
  const messages = await queue.receive(10, 0);
  for (const { receipt } of messages) await queue.delete(receipt);
  return messages.map(({ body }) => (JSON.parse(body) as WorkMessage).slice);
}

it('goes on with the next message until the piece is done, and adds up the time', async () => {
  expect(await take(first)).toBe(false);
  expect(await sent()).toEqual([2]);
  expect(await take({ ...first, slice: 2 })).toBe(false);
  expect(await sent()).toEqual([3]);
  const started = now;
  const done = async (own: Ports) => {
    now += 1000;
    await finishPiece(own, plan, 'cluster', first.piece, { json: toJson({}) }, {}, started);
  };
  expect(await take({ ...first, slice: 3 }, done)).toBe(true);
  expect((await readMarker(store, plan, 'cluster', first.piece)).milliseconds).toBe(15_000);
  expect(await store.head('jobs/j/cluster/abc-restart-000.slices.json')).toBeUndefined();
});

it('drops a message that another followed already', async () => {
  await take(first);
  await take({ ...first, slice: 2 });
  await sent();
  let worked = false;
  const work = async () => {
    worked = true;
  };
  expect(await take({ ...first, slice: 2 }, work)).toBe(false);
  expect(worked).toBe(false);
  expect(await sent()).toEqual([]);
});

it('does not follow a slice that was followed meanwhile', async () => {
  const overtaken = async () => {
    await take({ ...first, slice: 2 });
    await cut();
  };
  await take(first);
  expect(await sent()).toEqual([2]);
  expect(await take({ ...first, slice: 2 }, overtaken)).toBe(false);
  expect(await sent()).toEqual([3]);
});

it('goes on from where the piece is when it is asked for anew', async () => {
  await take(first);
  await take({ ...first, slice: 2 });
  await sent();
  expect(await take(first)).toBe(false);
  expect(await sent()).toEqual([4]);
});

it('leaves faults to the queue', async () => {
  const broken = async () => {
    throw new Error('no luck');
  };
  await expect(take(first, broken)).rejects.toThrow('no luck');
  expect(await sent()).toEqual([]);
});

it('is never over where pieces are not cut', () => {
  const clock = { now: () => now };
  const uncut = beginSlice({ clock, tuning: { threads: 1 } });
  const minute = beginSlice({ clock, tuning: { threads: 1, sliceSeconds: 60 } });
  now += 59_000;
  expect([uncut(), minute()]).toEqual([false, false]);
  now += 1000;
  expect([uncut(), minute()]).toEqual([false, true]);
});
