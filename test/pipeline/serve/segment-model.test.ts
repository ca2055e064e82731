/** What the published model says of an answer: its classes, its decision; and where an answer that is too large lies. */
import { describe, expect, it } from 'vitest';
import { keys } from '#core/job/keys';
import { defaultClasses, formatClassMap, withClasses } from '#core/labels/class-map';
import type { ClusterId } from '#core/labels/label-id';
import { apiWorld, asked, closesApi, post, problemOf } from './api-world.ts';
import { bytesOf, type Document, file, idsOf } from './segment-answers.ts';
import { publishSmall } from './small-model.ts';

closesApi();

describe('the classes', () => {
  it('are those of classes.json, from the next request on', async () => {
    const world = apiWorld();
    await publishSmall(world.store);
    await asked(world, 'segment', post('/v1/segment', file));
    const [first, second, third] = defaultClasses(3).classes;
    const joined = { ...first!, name: 'warm', clusters: [0, 1] as ClusterId[], color: '#112233' };
    const classes = withClasses(2, [joined, { ...third!, ignore: true }]);
    await world.store.put(keys.model('small', 'v1', 'classes.json'), formatClassMap(classes));
    const answer = (await (await asked(world, 'segment', post('/v1/segment', file))).json()) as Document;
    expect(answer.classes.map(({ id, name }) => [id, name])).toEqual([[1, 'warm']]);
    expect(second!.id).toBe(2);
    const refused = await asked(world, 'segment', post('/v1/segment?classes=3', file));
    expect(refused.status).toBe(422);
    const model = (await (await asked(world, 'getModel', new Request('http://localhost/v1/models/small'))).json()) as {
      classes: { name: string; ignore: boolean }[];
    };
    expect(model.classes.map(({ name, ignore }) => [name, ignore])).toEqual([
      ['warm', false],
      ['class 3', true],
    ]);
  });

  it('stay as they were while classes.json is broken, and somebody is told', async () => {
    const world = apiWorld();
    await publishSmall(world.store);
    await asked(world, 'segment', post('/v1/segment', file));
    for (const broken of ['{', '{"version":1,"classes":[]}']) {
      await world.store.put(keys.model('small', 'v1', 'classes.json'), new TextEncoder().encode(broken));
      expect((await asked(world, 'segment', post('/v1/segment', file))).status).toBe(200);
      expect(world.notes.pop()).toMatch(/classes\.json/);
    }
  });

  it('above 255 are a 16-bit mask', async () => {
    const world = apiWorld();
    await publishSmall(world.store, { clusters: 300 });
    const response = await asked(world, 'segment', post('/v1/segment', file, { accept: 'image/png' }));
    expect((await idsOf(await bytesOf(response))).kind).toBe('grey16');
  });

  it('of a fine-tuned model come from logits, and it has no threshold', async () => {
    const world = apiWorld();
    await publishSmall(world.store, { decision: 'argmax' });
    expect((await asked(world, 'segment', post('/v1/segment', file))).status).toBe(200);
    expect((await asked(world, 'segment', post('/v1/segment?threshold=0.5', file))).status).toBe(422);
  });
});

describe('a large answer', () => {
  it('lies in the store behind a link', async () => {
    const world = apiWorld({ limits: { answerBytes: 100 } });
    await publishSmall(world.store);
    const response = await asked(
      world,
      'segment',
      post('/v1/segment', file, { accept: 'image/png', 'x-request-id': 'mine' }),
    );
    expect(response.status).toBe(303);
    const { url, bytes, mediaType } = (await response.json()) as { url: string; bytes: number; mediaType: string };
    expect([response.headers.get('location'), mediaType]).toEqual([url, 'image/png']);
    const key = new URL(url).pathname.slice(1);
    expect(key).toMatch(/^results\/id-\d+\.png$/);
    const stored = (await world.store.get(key))!;
    expect(stored.length).toBe(bytes);
    expect((await idsOf(stored)).width).toBe(160);
  });

  it('is refused where there is no store', async () => {
    const world = apiWorld({ limits: { answerBytes: 100 } }, { store: undefined });
    await publishSmall(world.store);
    const response = await asked(world, 'segment', post('/v1/segment', file));
    expect([response.status, (await problemOf(response)).detail]).toEqual([422, expect.stringMatching(/size/)]);
  });
});
