import { beforeEach, describe, expect, it } from 'vitest';
import { MemoryQueue } from '#adapters/local/memory-queue';
import { MemoryStore } from '#adapters/local/memory-store';
import { nodeDigest } from '#adapters/local/node-digest';
import { keys } from '#core/job/keys';
import { readJson, toJson } from '#pipeline/documents';
import { fanOut, type Held, type LiveBatch, releaseHeld } from '#pipeline/fan-out';
import { parseLiveMessage } from '#pipeline/messages';

let store: MemoryStore;
let queue: MemoryQueue;
beforeEach(() => {
  store = new MemoryStore();
  queue = new MemoryQueue();
});

const world = () => ({ store, clock: { now: () => 0 }, digest: nodeDigest });
/** A key as S3 writes it in an event, or as other servers do. */
const event = (...keys: string[]) =>
  JSON.stringify({ Records: keys.map(key => ({ s3: { object: { key, size: 3, eTag: 'e' } } })) });
const items = (...bodies: string[]) => bodies.map((body, i) => ({ id: `m${i}`, body }));
const publish = (model: string) => store.put(keys.currentModel(model), toJson({ version: 'v' }));

async function batches(): Promise<LiveBatch[]> {
  const messages = (await queue.receive(100, 0)).map(({ body }) => parseLiveMessage(body));
  return Promise.all(messages.map(({ model, batch }) => readJson<LiveBatch>(store, keys.liveBatch(model, batch))));
}
const names = ({ images }: LiveBatch) => images.map(({ name }) => name);

describe('fanOut', () => {
  it('gathers what arrives into batches of 256 at most, each image once', async () => {
    await publish('a');
    const all = Array.from({ length: 600 }, (_, i) => `live/a/x/${i}.jpg`);
    const outcomes = await fanOut(
      world(),
      queue,
      items(event(...all), event(...all.slice(5)), event('live/a/x/7.jpg')),
    );
    expect(outcomes).toEqual([{ ids: ['m0', 'm1', 'm2'], model: 'a', images: 600, outcome: 'sent' }]);
    const made = await batches();
    expect(made.map(batch => batch.images.length)).toEqual([256, 256, 88]);
    expect(new Set(made.flatMap(names)).size).toBe(600);
  });

  it('reads keys of any spelling and keeps models apart', async () => {
    await publish('a');
    await publish('b');
    await fanOut(world(), queue, items(event('live/a/with+space%2Bplus.jpg', 'live%2Fb%2F%C3%A4%2Fx.jpg')));
    expect((await batches()).map(batch => [batch.model, names(batch)])).toEqual([
      ['a', ['with space+plus.jpg']],
      ['b', ['ä/x.jpg']],
    ]);
  });

  it('holds images without a model, says why, and sends them once it is published', async () => {
    const [outcome] = await fanOut(world(), queue, items(event('live/late/1.jpg', 'live/late/2.jpg')));
    expect(outcome).toMatchObject({ outcome: 'held', model: 'late', images: 2 });
    const held: string[] = [];
    for await (const key of store.keys(keys.allHeld)) held.push(key);
    expect(await readJson<Held>(store, held[0]!)).toMatchObject({ images: 2, reason: expect.stringContaining('late') });
    expect(await releaseHeld(store, queue)).toEqual({ sent: 0, waiting: 1 });
    await publish('late');
    expect(await releaseHeld(store, queue)).toEqual({ sent: 1, waiting: 0 });
    expect((await batches()).map(names)).toEqual([['1.jpg', '2.jpg']]);
    expect(await releaseHeld(store, queue)).toEqual({ sent: 0, waiting: 0 });
  });

  it('passes over what is no image of a model, and lets only what cannot be read come again', async () => {
    await publish('a');
    const test = JSON.stringify({ Service: 'Amazon S3', Event: 's3:TestEvent' });
    const strange = event('live/a/.hidden', 'live/a/', 'live/.model/x.jpg', 'live/x.jpg', 'live/a/b//c.jpg');
    const outcomes = await fanOut(world(), queue, items(test, strange, 'no JSON', event('live/a/ok.jpg')));
    expect(outcomes.filter(({ outcome }) => outcome === 'ignored')).toHaveLength(5);
    expect(outcomes.filter(({ outcome }) => outcome === 'failed')).toMatchObject([{ ids: ['m2'] }]);
    expect((await batches()).map(names)).toEqual([['ok.jpg']]);
  });

  it('lets the messages of a model come again whose batch could not be written', async () => {
    const broken = store.restarted(({ key }) =>
      key.includes('/bad/') ? { kind: 'error', error: new Error('503') } : undefined,
    );
    await publish('good');
    const outcomes = await fanOut(
      { ...world(), store: broken },
      queue,
      items(event('live/bad/1.jpg'), event('live/good/1.jpg')),
    );
    expect(outcomes).toMatchObject([
      { ids: ['m0'], outcome: 'failed', reason: '503' },
      { ids: ['m1'], outcome: 'sent' },
    ]);
  });
});
