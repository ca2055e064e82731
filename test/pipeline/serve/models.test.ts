/** Models over HTTP: none yet, one, several, another version while requests are under way, a damaged one. */
import { describe, expect, it } from 'vitest';
import { keys } from '#core/job/keys';
import { boastingPng } from '../../contracts/plain-png.ts';
import { type ApiWorld, apiWorld, asked, closesApi, get, png, post, problemOf } from './api-world.ts';
import { painting, publishSmall } from './small-model.ts';

closesApi();

const file = png(painting(['rg', 'b.'], 32));
const version = async (world: ApiWorld): Promise<string> => {
  const response = await asked(world, 'segment', post('/v1/segment', file));
  return ((await response.json()) as { model: { version: string } }).model.version;
};

describe('before anything is published', () => {
  it('says so with 503, but lives', async () => {
    const world = apiWorld();
    const segment = await asked(world, 'segment', post('/v1/segment', file));
    expect(segment.status).toBe(503);
    expect(segment.headers.get('retry-after')).toBe('60');
    expect(await problemOf(segment)).toMatchObject({
      type: '/problems/no-model',
      detail: expect.stringMatching(/finished job/),
    });
    expect((await asked(world, 'ready', get('/readyz'))).status).toBe(503);
    expect((await asked(world, 'v2Ready', get('/v2/health/ready'))).status).toBe(503);
    expect((await asked(world, 'health', get('/healthz'))).status).toBe(200);
    expect(await (await asked(world, 'listModels', get('/v1/models'))).json()).toEqual({ models: [] });
    await publishSmall(world.store);
    expect((await asked(world, 'ready', get('/readyz'))).status).toBe(200);
  });

  it('names the model that is awaited', async () => {
    const world = apiWorld({ model: 'street' });
    const response = await asked(world, 'segment', post('/v1/segment', file));
    expect((await problemOf(response)).detail).toMatch(/street/);
  });
});

describe('a published model', () => {
  it('is replaced when current.json moves, not before the next look', async () => {
    const world = apiWorld({ recheckSeconds: 10 });
    await publishSmall(world.store, { version: 'v1' });
    expect(await version(world)).toBe('v1');
    await publishSmall(world.store, { version: 'v2', clusters: 5 });
    world.clock.time += 9_000;
    expect(await version(world)).toBe('v1');
    world.clock.time += 2_000;
    expect(await version(world)).toBe('v2');
  });

  it('finishes what it has begun when another takes its place', async () => {
    const world = apiWorld();
    await publishSmall(world.store, { version: 'v1' });
    const first = Array.from({ length: 4 }, () => version(world));
    await publishSmall(world.store, { version: 'v2', clusters: 5 });
    const answers = await Promise.all([...first, ...Array.from({ length: 4 }, () => version(world))]);
    expect(answers.every(one => one === 'v1' || one === 'v2')).toBe(true);
    expect(await version(world)).toBe('v2');
  });

  it('stays while a damaged one is published, and somebody is told', async () => {
    const world = apiWorld();
    await publishSmall(world.store, { version: 'v1' });
    expect(await version(world)).toBe('v1');
    await publishSmall(world.store, { version: 'v2', clusters: 4 });
    await world.store.put(keys.model('small', 'v2', 'model.onnx'), new Uint8Array([1, 2, 3]));
    expect(await version(world)).toBe('v1');
    expect(world.notes.at(-1)).toMatch(/SHA-256/);
  });

  it('is refused with 503 where it is damaged from the beginning', async () => {
    const world = apiWorld();
    await publishSmall(world.store);
    await world.store.put(keys.model('small', 'v1', 'model.onnx'), new Uint8Array([1, 2, 3]));
    const response = await asked(world, 'segment', post('/v1/segment', file));
    expect([response.status, (await problemOf(response)).type]).toEqual([503, '/problems/model-unusable']);
  });

  it('is not loaded again and again where that failed, only after a while', async () => {
    const world = apiWorld({ recheckSeconds: 10 });
    await publishSmall(world.store);
    const onnx = keys.model('small', 'v1', 'model.onnx');
    const whole = (await world.store.get(onnx))!;
    await world.store.put(onnx, new Uint8Array([1, 2, 3]));
    const status = async () => (await asked(world, 'segment', post('/v1/segment', file))).status;
    expect(await status()).toBe(503);
    await world.store.put(onnx, whole);
    expect(await status()).toBe(503);
    world.clock.time += 61_000;
    expect(await status()).toBe(200);
  });

  it('is listed without being loaded, however many there are', async () => {
    const world = apiWorld();
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) await publishSmall(world.store, { name });
    await world.store.put(keys.model('c', 'v1', 'card.json'), new TextEncoder().encode('{}'));
    const { models } = (await (await asked(world, 'listModels', get('/v1/models'))).json()) as {
      models: { name: string }[];
    };
    expect(models.map(({ name }) => name)).toEqual(['a', 'b', 'd', 'e', 'f']);
    expect((await asked(world, 'getModel', get('/v1/models/c'))).status).toBe(503);
    for (const name of ['a', 'b', 'd', 'e', 'f', 'a']) {
      expect((await asked(world, 'segment', post(`/v1/segment?model=${name}`, file))).status).toBe(200);
    }
  });

  it('is one of several: requests name it, or the server prefers one', async () => {
    const world = apiWorld();
    await publishSmall(world.store, { name: 'a' });
    await publishSmall(world.store, { name: 'b', version: 'v7' });
    const unnamed = await asked(world, 'segment', post('/v1/segment', file));
    expect([unnamed.status, (await problemOf(unnamed)).detail]).toEqual([422, expect.stringMatching(/a, b/)]);
    const named = await asked(world, 'segment', post('/v1/segment?model=b', file));
    expect(((await named.json()) as { model: object }).model).toMatchObject({ name: 'b', version: 'v7' });
    const list = (await (await asked(world, 'listModels', get('/v1/models'))).json()) as { models: { name: string }[] };
    expect(list.models.map(({ name }) => name)).toEqual(['a', 'b']);
    expect((await asked(world, 'getModel', get('/v1/models/b'))).status).toBe(200);
  });

  it.each(['nobody', '..', '%2e%2e', 'a%2Fb', '.hidden', 'x'.repeat(64)])('is not found as %s', async name => {
    const world = apiWorld();
    await publishSmall(world.store);
    const response = await world.app.fetch(get(`/v1/models/${name}`));
    expect(response.status).toBe(404);
  });
});

describe('more at once than there is room for', () => {
  it('is told to come again', async () => {
    const world = apiWorld({ limits: { requests: 2 } });
    await publishSmall(world.store);
    const responses = await Promise.all(
      Array.from({ length: 5 }, () => asked(world, 'segment', post('/v1/segment', file))),
    );
    const statuses = responses.map(({ status }) => status);
    expect([...statuses].sort()).toEqual([200, 200, 429, 429, 429]);
    expect(responses.find(({ status }) => status === 429)!.headers.get('retry-after')).toBe('1');
    expect((await asked(world, 'segment', post('/v1/segment', file))).status).toBe(200);
  });

  it('counts bytes too', async () => {
    const world = apiWorld({ limits: { heldBytes: 1000, bodyBytes: 800, imageBytes: 800 } });
    await publishSmall(world.store);
    const small = boastingPng(10, 10);
    const both = await Promise.all([small, small].map(body => world.app.fetch(post('/v1/segment', body))));
    expect(both.map(({ status }) => status).sort()).toEqual([422, 429]);
  });

  it('is refused beyond the limit of a body, said or not', async () => {
    const world = apiWorld({ limits: { bodyBytes: 2000, imageBytes: 1000 } });
    await publishSmall(world.store);
    const sizes = [1500, 2500].map(length => asked(world, 'segment', post('/v1/segment', new Uint8Array(length))));
    expect((await Promise.all(sizes)).map(({ status }) => status)).toEqual([413, 413]);
    const base64 = Buffer.alloc(1200).toString('base64');
    expect((await asked(world, 'segment', post('/v1/segment', { image: { base64 } }))).status).toBe(413);
  });
});

describe('a stopping server', () => {
  it('takes nothing new but says that it lives', async () => {
    const world = apiWorld();
    await publishSmall(world.store);
    const before = asked(world, 'segment', post('/v1/segment', file));
    world.app.stop();
    expect((await asked(world, 'segment', post('/v1/segment', file))).status).toBe(503);
    expect((await asked(world, 'ready', get('/readyz'))).status).toBe(503);
    expect((await asked(world, 'health', get('/healthz'))).status).toBe(200);
    expect((await before).status).toBe(200);
    await world.app.close();
  });
});

describe('other origins', () => {
  const origin = 'https://page.example';
  it('get nothing by default', async () => {
    const { app } = apiWorld();
    const response = await app.fetch(get('/healthz', { origin }));
    expect([...response.headers.keys()].filter(name => name.startsWith('access-control'))).toEqual([]);
    expect(
      (await app.fetch(new Request('http://localhost/v1/segment', { method: 'OPTIONS', headers: { origin } }))).status,
    ).toBe(404);
  });

  it('may call where theirs is named', async () => {
    const { app } = apiWorld({ corsOrigin: origin });
    const asks = (from: string) =>
      app.fetch(new Request('http://localhost/v1/segment', { method: 'OPTIONS', headers: { origin: from } }));
    expect((await asks(origin)).headers.get('access-control-allow-origin')).toBe(origin);
    expect((await asks('https://other.example')).headers.has('access-control-allow-origin')).toBe(false);
  });
});

describe('the log', () => {
  it('has one line per request, without the query', async () => {
    const { app, lines } = apiWorld();
    await app.fetch(get('/v1/models/x?secret=1', { 'x-request-id': 'r1' }));
    expect(lines).toEqual([
      {
        time: '2027-01-15T08:00:00.000Z',
        id: 'r1',
        method: 'GET',
        path: '/v1/models/x',
        status: 400,
        milliseconds: 0,
        bytesIn: null,
        problem: expect.stringContaining('secret'),
      },
    ]);
  });
});
