/** Pushing a folder: loose or packed, again without writing again, and never a mixture. */
import { beforeEach, describe, expect, it } from 'vitest';
import { MemoryStore } from '#adapters/local/memory-store';
import { nodeDigest } from '#adapters/local/node-digest';
import { keys } from '#core/job/keys';
import { parseRequest } from '#core/job/request';
import { failJob } from '#pipeline/advance';
import { findImages } from '#pipeline/inputs';
import { listImages } from '#pipeline/list-images';
import { type Packing, push } from '#pipeline/push';
import { redrive } from '#pipeline/redrive';
import { submit } from '#pipeline/submit';

const prefix = 'datasets/d/images/';
const bytesOf = (text: string) => new TextEncoder().encode(text);
const names = ['a/1.jpg', 'a/2.jpg', 'b.jpg', 'straße/x.jpg', 'z.txt'];

let folder: MemoryStore;
let bucket: MemoryStore;
/** What a bucket knows of contents without being asked for them. */
let contents: Map<string, string>;
beforeEach(async () => {
  [folder, bucket, contents] = [new MemoryStore(), new MemoryStore(), new Map()];
  for (const name of names) await folder.put(prefix + name, bytesOf(`bytes of ${name}`));
});

const pushAll = (pack: Packing) => {
  const to = Object.create(bucket, {
    put: {
      value: async (key: string, bytes: Uint8Array) => {
        contents.set(key, nodeDigest.sha256(bytes));
        await bucket.put(key, bytes);
      },
    },
    list: { value: (wanted: string) => bucket.list(wanted) },
    delete: { value: (key: string) => bucket.delete(key) },
  }) as MemoryStore;
  const limits = { images: 2, bytes: 1e6 };
  const holds = ({ key }: { key: string }, bytes: Uint8Array) => contents.get(key) === nodeDigest.sha256(bytes);
  return push({ from: folder, to, prefix, pack, atOnce: 3, holds, progress: () => undefined, limits });
};

async function inBucket(): Promise<[string, string][]> {
  const images = [];
  for await (const group of listImages(bucket, prefix)) images.push(...group.images);
  const found: [string, string][] = [];
  for await (const { planned, bytes } of findImages(bucket, prefix, images))
    found.push([planned.name, new TextDecoder().decode(await bytes())]);
  return found;
}

describe.each(['never', 'always'] as const)('push --pack %s', pack => {
  it('brings every file in its order, once, and what changed again', async () => {
    const objects = pack === 'never' ? 5 : 6;
    expect(await pushAll(pack)).toMatchObject({ files: 5, written: objects, unchanged: 0, others: 0 });
    expect(await inBucket()).toEqual(names.map(name => [name, `bytes of ${name}`]));
    expect(await pushAll(pack)).toMatchObject({ written: 0, unchanged: objects });
    await folder.put(`${prefix}b.jpg`, bytesOf('BYTES of b.jpg'));
    // Packed, only the archive of the changed file; its index says the same.
    expect(await pushAll(pack)).toMatchObject({ written: 1, unchanged: objects - 1 });
    expect((await inBucket())[2]).toEqual(['b.jpg', 'BYTES of b.jpg']);
  });

  it('names what cannot be read and brings the rest', async () => {
    folder.makeUnreadable(`${prefix}b.jpg`, 'a link to nothing');
    expect((await pushAll(pack)).unreadable).toEqual([{ name: 'b.jpg', reason: 'a link to nothing' }]);
    expect((await inBucket()).map(([name]) => name)).toEqual(names.filter(name => name !== 'b.jpg'));
  });
});

describe('push', () => {
  it('removes archives that are no longer wanted, and tells of loose objects that are not of the folder', async () => {
    await pushAll('always');
    for (const name of ['straße/x.jpg', 'z.txt', 'b.jpg']) await folder.delete(prefix + name);
    expect(await pushAll('auto')).toMatchObject({ archives: 1 });
    expect((await inBucket()).map(([name]) => name)).toEqual(['a/1.jpg', 'a/2.jpg']);
    bucket = new MemoryStore();
    await bucket.put(`${prefix}other.jpg`, bytesOf('x'));
    expect(await pushAll('auto')).toMatchObject({ archives: 0, others: 1 });
  });

  it('refuses to mix loose files and archives, and an empty folder', async () => {
    await pushAll('always');
    await expect(pushAll('never')).rejects.toThrow('packed-000000.tar is an archive of an earlier push');
    bucket = new MemoryStore();
    await pushAll('never');
    await expect(pushAll('always')).rejects.toThrow('a/1.jpg lies there loose');
    folder = new MemoryStore();
    await expect(pushAll('auto')).rejects.toThrow('holds no files');
  });
});

describe('submit', () => {
  const request = parseRequest({ images: prefix, backbone: 'backbones/net.onnx' });
  const files = new Map([['backbones/net.onnx', bytesOf('network')]]);
  const ports = () => ({ store: bucket, digest: nodeDigest });

  it('writes the request last, and the same one once', async () => {
    await pushAll('never');
    const { job, outcome } = await submit(ports(), { request, files });
    expect([job, outcome]).toEqual([expect.stringMatching(/^d-[0-9a-f]{8}$/), 'submitted']);
    expect(await submit(ports(), { request, files })).toEqual({ job, outcome: 'there' });
    const other = { request: parseRequest({ images: prefix, seed: 4 }), files };
    expect((await submit(ports(), other)).job).not.toBe(job);
    await expect(submit(ports(), { ...other, job })).rejects.toThrow(`there is a job ${job} with another request`);
  });

  it('leaves no request where something is wrong', async () => {
    await expect(submit(ports(), { request, files })).rejects.toThrow('there are no images under datasets/d/images/');
    await pushAll('never');
    await bucket.put('backbones/net.onnx', bytesOf('another network'));
    await expect(submit(ports(), { request, files })).rejects.toThrow('backbones/net.onnx is in the bucket with other');
    await expect(submit(ports(), { request, files, job: '../x' })).rejects.toThrow('is no name for a job');
    for await (const key of bucket.keys('jobs/')) expect.fail(key);
  });
});

describe('redrive', () => {
  it('lets a job that hangs look failed, so that its planner asks for everything that is missing', async () => {
    const ports = { store: bucket, clock: { now: () => 0 } };
    await expect(redrive(ports, 'j')).rejects.toThrow('there is no job j');
    await bucket.put(keys.request('j'), bytesOf('{}'));
    await failJob(ports, 'j', 'broken');
    await bucket.put('jobs/j/failed/label/01234567-000003.json', bytesOf('{}'));
    const before = (await bucket.head(keys.request('j')))?.etag;
    expect(await redrive(ports, 'j')).toEqual({ failures: ['label/01234567-000003.json'], letters: 0 });
    expect((await bucket.head(keys.request('j')))?.etag).not.toBe(before);
    expect(await redrive(ports, 'j')).toEqual({ failures: [], letters: 0 });
  });
});
