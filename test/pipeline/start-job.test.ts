import { beforeEach, describe, expect, it } from 'vitest';
import { MemoryQueue } from '#adapters/local/memory-queue';
import { MemoryStore } from '#adapters/local/memory-store';
import { nodeDigest } from '#adapters/local/node-digest';
import { keys } from '#core/job/keys';
import { failJob, readState } from '#pipeline/advance';
import { toJson } from '#pipeline/documents';
import type { Ports } from '#pipeline/ports';
import { startJobs } from '#pipeline/start-job';
import { sweep } from '#pipeline/sweep';

let store: MemoryStore;
let work: MemoryQueue;
let control: MemoryQueue;
beforeEach(async () => {
  store = new MemoryStore();
  [work, control] = [new MemoryQueue(), new MemoryQueue()];
  for (const name of ['1.jpg', '2.jpg']) await store.put(`datasets/d/${name}`, Uint8Array.of(1));
});

const ports = () => ({ store, clock: { now: () => 0 }, digest: nodeDigest }) as unknown as Ports;
const queues = () => ({ work: () => work, control });
const event = (...keys: string[]) => JSON.stringify({ Records: keys.map(key => ({ s3: { object: { key } } })) });
const submit = (job: string, request: object) => store.put(keys.request(job), toJson(request));
const start = (body: string) => startJobs(ports(), queues(), body);
const stateOf = async (job: string) => (await readState(store, job))?.state;
const bodies = async (queue: MemoryQueue) =>
  (await queue.receive(100, 0)).map(({ body }) => JSON.parse(body) as object);

describe('startJobs', () => {
  it('plans what was requested and hands it to advance', async () => {
    await submit('a', { images: 'datasets/d/' });
    expect(await start(event(keys.request('a')))).toEqual([{ job: 'a', outcome: 'planned' }]);
    expect(await stateOf('a')).toMatchObject({ stage: 'plan', error: null });
    expect(await bodies(control)).toEqual([{ v: 1, job: 'a', stage: 'advance' }]);
    expect(await store.head(keys.running('a'))).toBeDefined();
  });

  it('says in the state what is wrong with a request, and plans it when it is mended', async () => {
    await submit('a', { images: 'datasets/d/', clustres: 3 });
    expect(await start(event(keys.request('a')))).toMatchObject([{ job: 'a', outcome: 'refused' }]);
    expect(await stateOf('a')).toMatchObject({ stage: 'failed', error: expect.stringContaining('clustres') });
    await submit('a', { images: 'datasets/d/', clusters: 3 });
    await start(event(keys.request('a')));
    expect(await bodies(control)).toEqual([{ v: 1, job: 'a', stage: 'advance', resume: true }]);
  });

  it('lets a running job run when a second request is bad, and keeps saying so until a good one comes', async () => {
    await submit('a', { images: 'datasets/d/' });
    await start(event(keys.request('a')));
    await submit('a', { images: 'models/d/' });
    await start(event(keys.request('a')));
    await sweep(ports(), queues(), work);
    expect(await bodies(work)).toHaveLength(1);
    expect(await stateOf('a')).toMatchObject({ stage: 'failed', error: expect.stringContaining('datasets') });
    await submit('a', { images: 'datasets/d/' });
    await start(event(keys.request('a')));
    await sweep(ports(), queues(), work);
    expect(await stateOf('a')).toMatchObject({ stage: 'attend', error: null });
  });

  it('takes nothing for a request but jobs/<name>/request.json', async () => {
    const others = ['jobs/a/b/request.json', 'jobs/../request.json', 'jobs//request.json', 'models/a/request.json'];
    const outcomes = await start(event(...others));
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(others.map(() => 'ignored'));
    expect(store.calls).toBe(2);
  });

  it('lets trouble that may pass come again', async () => {
    await submit('a', { images: 'datasets/d/' });
    store = store.restarted(({ operation }) =>
      operation === 'list' ? { kind: 'error', error: new Error('503') } : undefined,
    );
    await expect(start(event(keys.request('a')))).rejects.toThrow('503');
    expect((await stateOf('a'))?.stage).toBe('plan');
  });
});

describe('sweep', () => {
  it('sends what a lost word of a finished piece would have sent, and forgets jobs that are over', async () => {
    await submit('a', { images: 'datasets/d/' });
    await start(event(keys.request('a')));
    await store.put(keys.running('gone'), toJson({}));
    const { jobs } = await sweep(ports(), queues(), work);
    expect(jobs).toMatchObject([
      { job: 'a', stage: 'attend' },
      { job: 'gone', error: expect.stringContaining('plan') },
    ]);
    expect(await bodies(work)).toEqual([{ v: 1, job: 'a', stage: 'attend', piece: 'head' }]);
    expect((await sweep(ports(), queues(), work)).jobs).toMatchObject([{ job: 'a', stage: 'attend' }]);
    expect(await bodies(work)).toEqual([]);
  });

  it('goes on after a job that failed before it had a plan', async () => {
    await failJob(ports(), 'b', 'no');
    await submit('b', { images: 'datasets/d/' });
    await start(event(keys.request('b')));
    await sweep(ports(), queues(), work);
    expect(await stateOf('b')).toMatchObject({ stage: 'attend', error: null });
  });
});
