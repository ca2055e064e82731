/** Jobs over HTTP: the request object that starts one, once, whatever is repeated. */
import { describe, expect, it } from 'vitest';
import { keys } from '#core/job/keys';
import { fromJson, toJson } from '#pipeline/documents';
import { type ApiWorld, apiWorld, asked, closesApi, get, post, problemOf } from './api-world.ts';

closesApi();

const request = { images: 'datasets/d/images/', clusters: 7 };
const create = (world: ApiWorld, body: object, key?: string) =>
  asked(world, 'createJob', post('/v1/jobs', body, key === undefined ? {} : { 'idempotency-key': key }));
const idOf = async (response: Response) => ((await response.json()) as { id: string }).id;

async function requests(world: ApiWorld): Promise<string[]> {
  const found: string[] = [];
  for await (const key of world.store.keys('jobs/')) found.push(key);
  return found;
}

describe('a new job', () => {
  it('is its request object, as it was sent', async () => {
    const world = apiWorld();
    const response = await create(world, { id: 'mine', request });
    expect([response.status, response.headers.get('location')]).toEqual([201, '/v1/jobs/mine']);
    expect(await response.json()).toEqual({ id: 'mine', stage: 'requested', stages: {}, error: null });
    expect(fromJson((await world.store.get(keys.request('mine')))!)).toEqual(request);
  });

  it('gets a name of its own that sorts by time', async () => {
    const world = apiWorld();
    expect(await idOf(await create(world, { request }))).toMatch(/^job-20270115t080000-id\d+$/);
  });

  it('is made once for one Idempotency-Key, however often it is asked for', async () => {
    const world = apiWorld();
    const ids = await Promise.all(
      Array.from({ length: 5 }, async () => idOf(await create(world, { request }, 'wish'))),
    );
    expect(new Set(ids).size).toBe(1);
    expect(await requests(world)).toHaveLength(1);
    const other = await create(world, { request: { ...request, clusters: 8 } }, 'wish');
    expect([other.status, (await problemOf(other)).detail]).toEqual([422, expect.stringMatching(/Idempotency-Key/)]);
    expect(await idOf(await create(world, { request }, 'wish 2'.replace(' ', '-')))).not.toBe(ids[0]);
  });

  it('does not take the place of another', async () => {
    const world = apiWorld();
    await create(world, { id: 'mine', request });
    expect((await create(world, { id: 'mine', request: { ...request, clusters: 9 } })).status).toBe(422);
    expect(fromJson((await world.store.get(keys.request('mine')))!)).toEqual(request);
  });

  it.each([
    [{ request: { images: 'elsewhere/x/' } }, 422],
    [{ request: { images: 'datasets/../secrets/' } }, 422],
    [{ request: { ...request, colour: 'red' } }, 400],
    [{ request: {} }, 400],
    [{ id: '../up', request }, 400],
    [{ request, extra: 1 }, 400],
    [{ request: { kind: 'predict', images: 'datasets/d/', model: 'models/m/v/' } }, 201],
  ])('%j is answered with %i', async (body, status) => {
    expect((await create(apiWorld(), body)).status).toBe(status);
  });

  it('needs a place', async () => {
    const world = apiWorld({}, { store: undefined });
    expect((await create(world, { request })).status).toBe(503);
    expect((await asked(world, 'getJob', get('/v1/jobs/a'))).status).toBe(404);
    expect(await (await asked(world, 'listJobs', get('/v1/jobs'))).json()).toEqual({ jobs: [] });
  });
});

describe('jobs', () => {
  const state = {
    job: 'b',
    stage: 'embed',
    stages: { attend: { done: 1, total: 1, failed: 0 } },
    started: '2026-01-01T00:00:00.000Z',
    updated: '2026-01-01T00:01:00.000Z',
    error: null,
    claimed: 'internal',
  };

  it('are listed by page, and told one by one', async () => {
    const world = apiWorld();
    for (const id of ['a', 'b', 'c']) await world.store.put(keys.request(id), toJson(request));
    await world.store.put(keys.state('b'), toJson(state));
    await world.store.put('jobs/b/done/attend/00000000-head.json', toJson({}));
    const page = async (query: string) =>
      (await (await asked(world, 'listJobs', get(`/v1/jobs${query}`))).json()) as {
        jobs: { id: string }[];
        next?: string;
      };
    const first = await page('?limit=2');
    expect([first.jobs.map(({ id }) => id), first.next]).toEqual([['a', 'b'], 'b']);
    const second = await page('?limit=2&after=b');
    expect([second.jobs.map(({ id }) => id), second.next]).toEqual([['c'], undefined]);
    const { claimed: _, job: id, ...rest } = state;
    expect(await (await asked(world, 'getJob', get('/v1/jobs/b'))).json()).toEqual({ id, ...rest });
  });

  it('are all listed, whatever their names and however many keys they have', async () => {
    const world = apiWorld();
    for (const id of ['a', 'a-b', 'a.1', 'b']) await world.store.put(keys.request(id), toJson(request));
    for (let i = 0; i < 1100; i++) await world.store.put(`jobs/a/embed/${i}`, new Uint8Array(1));
    await world.store.put('jobs/stray/embed/1', new Uint8Array(1));
    const seen: string[] = [];
    for (let next: string | undefined = ''; next !== undefined; ) {
      const query: string = next ? `&after=${next}` : '';
      const answer = await asked(world, 'listJobs', get(`/v1/jobs?limit=1${query}`));
      const page = (await answer.json()) as { jobs: { id: string }[]; next?: string };
      seen.push(...page.jobs.map(({ id }) => id));
      next = page.next;
    }
    expect(seen).toEqual(['a-b', 'a.1', 'a', 'b']);
  });

  it.each(['nobody', 'a%2F..%2Fb', '.x'])('are not found as %s', async id => {
    expect((await apiWorld().app.fetch(get(`/v1/jobs/${id}`))).status).toBe(404);
  });
});
