/** Single images labelled by the model that is current when their turn comes. */
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { MemoryQueue } from '#adapters/local/memory-queue';
import { MemoryStore } from '#adapters/local/memory-store';
import { nodeDigest } from '#adapters/local/node-digest';
import { systemClock } from '#adapters/local/system-clock';
import { OnnxRuntime } from '#adapters/onnxruntime/onnx-runtime';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { decodeIndexPng } from '#core/formats/png-index';
import { keys } from '#core/job/keys';
import { scene } from '#core/scenes/scene';
import { readJson } from '#pipeline/documents';
import { fanOut } from '#pipeline/fan-out';
import { type LiveRecord, type LiveSummary, labelLive } from '#pipeline/live';
import { runMessage } from '#pipeline/stages';
import { fillBucket, portsOf } from './small-job.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const models = new OnnxRuntime();
const machine = { models, images: new SharpCodec() };
const store = new MemoryStore();
const ports = () => portsOf(machine, store, systemClock);
afterAll(() => models.close());

beforeAll(async () => {
  await fillBucket(machine.images, store, { clusters: 3, name: 'street', threshold: 'from-scores', restarts: 1 });
  const queue = new MemoryQueue();
  await queue.send([JSON.stringify({ v: 1, job: 'j', stage: 'plan', piece: 'plan' })]);
  for (;;) {
    const [message] = await queue.receive(1, 0);
    if (!message) return;
    await runMessage(ports(), { work: () => queue, control: queue }, message.body);
    await queue.delete(message.receipt);
  }
});

const picture = async (seed: number) => machine.images.encodeJpeg(scene(seed, { width: 48, height: 32 }).image, 90);
const put = (name: string, bytes: Uint8Array) => store.put(keys.live('street', name), bytes);

/** An event for each name, and what the task does with the batches. */
async function arrive(...names: string[]): Promise<LiveSummary> {
  const queue = new MemoryQueue();
  const Records = names.map(name => ({ s3: { object: { key: encodeURIComponent(keys.live('street', name)) } } }));
  await fanOut({ store, clock: systemClock, digest: nodeDigest }, queue, [
    { id: '1', body: JSON.stringify({ Records }) },
  ]);
  const [message] = await queue.receive(1, 0);
  return labelLive(ports(), message!.body);
}

const recordOf = (path: string) => readJson<LiveRecord>(store, keys.liveRecord('street', path));

it('labels each image once, and again when it is another one', async () => {
  await put('a b.jpg', await picture(1));
  await put('broken.jpg', new TextEncoder().encode('no photo'));
  expect(await arrive('a b.jpg', 'broken.jpg', 'gone.jpg')).toEqual({
    model: 'street',
    labelled: 1,
    known: 0,
    rejected: 1,
    gone: 1,
  });
  const png = (await store.get(keys.liveLabel('street', 'a b.png')))!;
  const map = await decodeIndexPng(png, (bytes, limit) => machine.images.inflate(bytes, limit));
  expect([map.width, map.height]).toEqual([48, 32]);
  expect((await recordOf('a b.png')).image.state).toMatch(/labelled|empty/);
  expect((await recordOf('broken.png')).image).toMatchObject({ state: 'rejected' });
  expect(await store.head(keys.liveLabel('street', 'broken.png'))).toBeUndefined();

  expect(await arrive('a b.jpg', 'broken.jpg')).toMatchObject({ labelled: 0, known: 2 });
  await put('a b.jpg', await picture(2));
  expect(await arrive('a b.jpg')).toMatchObject({ labelled: 1, known: 0 });
});

it('gives images of one stem label maps of their own, whenever they come', async () => {
  for (const name of ['x/1.jpg', 'x/1.jpeg', 'y.jpg', 'y.jpeg']) await put(name, await picture(name.length));
  await arrive('x/1.jpg', 'x/1.jpeg');
  await arrive('y.jpg');
  await arrive('y.jpeg');
  for (const path of ['x/1.jpg.png', 'x/1.jpeg.png', 'y.png', 'y.jpeg.png'])
    expect(await store.head(keys.liveLabel('street', path)), path).toBeDefined();
});

it('refuses a message without its batch', async () => {
  const body = JSON.stringify({ v: 1, stage: 'live', model: 'street', batch: 'none' });
  await expect(labelLive(ports(), body)).rejects.toThrow('batches/street/none.json is missing');
  await expect(labelLive(ports(), '{"v":1,"stage":"embed"}')).rejects.toThrow('not a message of ours');
});
