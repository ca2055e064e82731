/** The simulation of docs/scale.md at a size for tests, and its table of requests against those of a real job. */
import { afterAll, describe, expect, it } from 'vitest';
import { MemoryQueue } from '#adapters/local/memory-queue';
import { MemoryStore } from '#adapters/local/memory-store';
import { OnnxRuntime } from '#adapters/onnxruntime/onnx-runtime';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { writeTar } from '#core/formats/tar';
import { formatTarIndex, TarWalk } from '#core/formats/tar-index';
import { keys } from '#core/job/keys';
import { shardSize } from '#core/job/plan';
import { allRequests, jobRequests, type Layout, planRequests, shardRequests, usualPartBytes } from '#core/job/requests';
import { scene } from '#core/scenes/scene';
import { toJson } from '#pipeline/documents';
import { runMessage } from '#pipeline/stages';
import { CountingStore, type Requests } from '../../bench/counting-store.ts';
import { simulate } from '../../bench/scale.ts';
import { fillBucket, portsOf } from '../pipeline/small-job.ts';

const machine = { models: new OnnxRuntime(), images: new SharpCodec() };
afterAll(() => machine.models.close());

/** Nine photos, three in every shard, and so many files that are none, in one archive, worked off piece by piece. */
async function countJob(others: number): Promise<Map<string, Requests>> {
  const store = new MemoryStore();
  await fillBucket(machine.images, store, {});
  const count = 9 + others;
  const isPhoto = (i: number) => i % 256 < 3 || (count < 512 && i % 256 < 6 && i > 256);
  const fileOf = async (i: number) =>
    isPhoto(i) ? machine.images.encodeJpeg(scene(40 + i, { width: 96, height: 64 }).image, 90) : Uint8Array.of(1);
  const named = async (_: unknown, i: number) => ({ name: `f${String(i).padStart(4, '0')}`, bytes: await fileOf(i) });
  const tar = writeTar(await Promise.all(Array.from({ length: count }, named)));
  const prefix = 'datasets/p/images/';
  const members = [...new TarWalk('packed').feed(tar)];
  await store.put(`${prefix}packed-000000.tar.index`, formatTarIndex({ bytes: tar.length, members }));
  await store.put(`${prefix}packed-000000.tar`, tar);
  const settings = { backbone: 'backbones/small.onnx', clusters: 3, restarts: 1, sample: 5 };
  await store.put(keys.request('j'), toJson({ images: prefix, ...settings }));
  const counts = new Map<string, Requests>();
  const queue = new MemoryQueue();
  await queue.send([JSON.stringify({ v: 1, job: 'j', stage: 'plan', piece: 'plan' })]);
  for (;;) {
    const [message] = await queue.receive(1, 0);
    if (!message) return counts;
    const counting = new CountingStore(store, usualPartBytes);
    const ports = portsOf(machine, counting, { now: () => 0 });
    await runMessage(ports, { work: () => queue, control: queue }, message.body);
    await queue.delete(message.receipt);
    const { stage, piece } = JSON.parse(message.body) as { stage: string; piece: string };
    counts.set(`${stage}/${piece}`, counting.requests);
  }
}

describe('requests of a real job', () => {
  it('grow with every shard by what the table says', async () => {
    const [two, three] = [await countJob(256), await countJob(512)];
    const more = (piece: string) => {
      const [before, after] = [two.get(piece)!, three.get(piece)!];
      return { get: after.get - before.get, put: after.put - before.put };
    };
    expect(three.get('embed/000002')).toEqual({ list: 0, ...shardRequests.embed });
    expect(three.get('label/000002')).toEqual({ list: 0, ...shardRequests.label });
    expect(more('embed/near-duplicates')).toEqual(shardRequests.nearDuplicates);
    expect(more('cluster/catalog')).toEqual(shardRequests.catalog);
    expect(more('cluster/restart-000')).toEqual({ get: 0, put: 0 });
    expect(more('cluster/best')).toEqual(shardRequests.best);
    expect(more('attend/head')).toEqual(shardRequests.attend);
    expect(more('publish/publish')).toEqual(shardRequests.publish);
    expect(more('plan/plan')).toEqual({ get: 0, put: 1 });
    const { get, put, list } = planRequests({
      ...{ images: 521, shards: 3, perTar: 521, embeddedBytes: 1, labelBytes: 1, partBytes: 1, imagesPerSecond: 1 },
    });
    const planned = three.get('plan/plan')!;
    expect(planned.list).toBe(list);
    expect(planned.put).toBe(put);
    expect(Math.abs(planned.get - get)).toBeLessThanOrEqual(1);
  });
});

/** As in bench/scale.ts. */
const layoutOf = (images: number, shards: number): Layout => ({
  images,
  shards,
  perTar: 4096,
  embeddedBytes: 4 * 384 * 4,
  labelBytes: 3000,
  partBytes: usualPartBytes,
  imagesPerSecond: 100,
});

describe('the simulation', () => {
  it('plans packed images in flat memory, drives them to the end, and asks what the formulas say', async () => {
    const run = await simulate(150_000);
    expect(run).toMatchObject({ images: 150_000, shards: 74 });
    const { list, get, put } = planRequests(layoutOf(150_000, 74));
    expect([run.planned.list, run.planned.put]).toEqual([list, put]);
    expect(Math.abs(run.planned.get - get)).toBeLessThan(5);
    expect(run.advanced.sqs).toBeGreaterThan(2 * 8);
    const all = allRequests(run.planned) + allRequests(run.advanced) + allRequests(run.stages);
    const formula = allRequests(jobRequests(layoutOf(150_000, 74)));
    expect(Math.abs(all - formula) / all).toBeLessThan(0.05);
  });

  it.each([1_200_000, 10_000_000, 100_000_000])('asks at most 3 times per thousand of %i images', images => {
    const shards = Math.ceil(images / shardSize(images));
    expect((1000 * allRequests(jobRequests(layoutOf(images, shards)))) / images).toBeLessThan(3);
  });
});
