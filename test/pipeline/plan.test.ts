/** Planning: loose images and archives, short listings as ever, long ones in blocks that survive being stopped. */
import { beforeEach, describe, expect, it } from 'vitest';
import { MemoryStore } from '#adapters/local/memory-store';
import { nodeDigest } from '#adapters/local/node-digest';
import { writeTar } from '#core/formats/tar';
import { formatTarIndex, TarWalk } from '#core/formats/tar-index';
import { keys } from '#core/job/keys';
import { listingBlock, type Plan, type PlannedImage, type PlannedShard } from '#core/job/plan';
import { readJson, toJson } from '#pipeline/documents';
import { findImages } from '#pipeline/inputs';
import { listImages, placeBehind } from '#pipeline/list-images';
import { plan } from '#pipeline/plan';
import type { ObjectStore, Ports, StoredObject } from '#pipeline/ports';

const prefix = 'datasets/d/images/';
const bytesOf = (text: string) => new TextEncoder().encode(text);
/** Planning without masks needs no more than these. */
const portsOf = (store: ObjectStore) => ({ store, digest: nodeDigest }) as Ports;

async function listed(store: ObjectStore, after?: Parameters<typeof listImages>[2]) {
  const found = [];
  for await (const group of listImages(store, prefix, after))
    found.push(...group.images.map((image, i) => ({ image, place: placeBehind(group, i + 1) })));
  return found;
}

async function putTar(store: ObjectStore, name: string, files: readonly string[], indexed: boolean): Promise<void> {
  const tar = writeTar(files.map(file => ({ name: file, bytes: bytesOf(`bytes of ${file}`) })));
  const members = [...new TarWalk(name).feed(tar)];
  if (indexed) await store.put(`${prefix}${name}.index`, formatTarIndex({ bytes: tar.length, members }));
  await store.put(prefix + name, tar);
}

/** Every image's bytes, by name. */
async function bytesFound(store: ObjectStore, images: readonly PlannedImage[]): Promise<string[]> {
  const found: string[] = [];
  for await (const { planned, bytes } of findImages(store, prefix, images))
    found.push(`${planned.name}: ${new TextDecoder().decode(await bytes())}`);
  return found;
}

async function readShards(store: ObjectStore): Promise<PlannedShard[]> {
  const { shards, fingerprints } = await readJson<Plan>(store, keys.plan('j'));
  return Promise.all(shards.map(shard => readJson<PlannedShard>(store, keys.shard('j', fingerprints.plan, shard))));
}

let store: MemoryStore;
beforeEach(async () => {
  store = new MemoryStore();
  await store.put(keys.request('j'), toJson({ images: prefix }));
});

describe('listing images', () => {
  it('takes those of an archive with an index under their own names, and those of others below the archive', async () => {
    await putTar(store, '000.tar', ['a/1.jpg', 'a/2.jpg'], true);
    await putTar(store, 'b.tar', ['x.jpg', 'y.jpg'], false);
    await store.put(`${prefix}c.jpg`, bytesOf('loose'));
    const found = await listed(store);
    const images = found.map(({ image }) => image);
    expect(images.map(({ name }) => name)).toEqual(['a/1.jpg', 'a/2.jpg', 'b/x.jpg', 'b/y.jpg', 'c.jpg']);
    expect(await bytesFound(store, images)).toEqual([
      'a/1.jpg: bytes of a/1.jpg',
      'a/2.jpg: bytes of a/2.jpg',
      'b/x.jpg: bytes of x.jpg',
      'b/y.jpg: bytes of y.jpg',
      'c.jpg: loose',
    ]);
    for (const [i, { place }] of found.entries())
      expect((await listed(store, place)).map(({ image }) => image)).toEqual(images.slice(i + 1));
  });

  it('refuses names that would come twice', async () => {
    await putTar(store, '000.tar', ['a.jpg', 'b.jpg'], true);
    await putTar(store, '001.tar', ['b.jpg'], true);
    await expect(listed(store)).rejects.toThrow('b.jpg comes after b.jpg');
    await store.delete(`${prefix}001.tar.index`);
    await store.put(`${prefix}001/b.jpg`, bytesOf('loose'));
    await expect(listed(store)).rejects.toThrow(
      '001/b.jpg and datasets/d/images/001.tar would have images of the same',
    );
  });

  it('refuses an index that belongs to another archive', async () => {
    await putTar(store, '000.tar', ['a.jpg'], true);
    await store.put(`${prefix}000.tar`, writeTar([]));
    await expect(listed(store)).rejects.toThrow('000.tar.index belongs to another archive');
  });

  it('rejects the images of an archive that was replaced since', async () => {
    await putTar(store, '000.tar', ['a.jpg', 'b.jpg'], true);
    const images = (await listed(store)).map(({ image }) => image);
    await putTar(store, '000.tar', ['a.jpg', 'b.jpg'], true);
    for await (const { bytes } of findImages(store, prefix, images))
      await expect(bytes()).rejects.toThrow('gone or replaced since the job was planned');
  });
});

describe('a short plan', () => {
  it('has the bytes and the fingerprint it always had', async () => {
    for (let i = 0; i < 300; i++) await store.put(`${prefix}${i}.jpg`, Uint8Array.of(i));
    expect(await plan(portsOf(store), 'j')).toBe(true);
    const images: PlannedImage[] = [];
    for await (const { key, size, etag } of store.list(prefix))
      images.push({ name: key.slice(prefix.length), size, etag });
    const { fingerprints, shards } = await readJson<Plan>(store, keys.plan('j'));
    expect(fingerprints.plan).toBe(nodeDigest.sha256(toJson([2, 'plan', prefix, images])).slice(0, 8));
    expect(shards).toEqual(['000000', '000001']);
    expect(await store.get(keys.shard('j', fingerprints.plan, '000001'))).toEqual(
      toJson({ shard: '000001', images: images.slice(256) }),
    );
  });
});

/** So many loose images, listed without being stored. */
class Listed extends MemoryStore {
  pages = 0;
  readonly #count: number;

  constructor(count: number) {
    super();
    this.#count = count;
  }

  override async *list(wanted: string, after?: string): AsyncGenerator<StoredObject> {
    if (wanted !== prefix) return yield* super.list(wanted);
    const from = after === undefined ? 0 : Number(after.slice(prefix.length, -'.jpg'.length)) + 1;
    for (let i = from; i < this.#count; i++) {
      if ((i - from) % 1000 === 0) this.pages++;
      yield { key: `${prefix}${String(i).padStart(8, '0')}.jpg`, size: 100 + (i % 7), etag: `e${i}` };
    }
  }
}

describe('a long plan', () => {
  const count = listingBlock + 5000;

  it('is the same wherever it was stopped, holds every image once and leaves nothing lying', async () => {
    const undisturbed = new Listed(count);
    await undisturbed.put(keys.request('j'), toJson({ images: prefix }));
    expect(await plan(portsOf(undisturbed), 'j')).toBe(true);
    const shards = await readShards(undisturbed);
    expect(shards.map(({ images }) => images.length)).toEqual([...Array(34).fill(2048), count - 34 * 2048]);
    expect(shards.flatMap(({ images }) => images.map(({ size }) => size))).toEqual(
      Array.from({ length: count }, (_, i) => 100 + (i % 7)),
    );

    const stopped = new Listed(count);
    await stopped.put(keys.request('j'), toJson({ images: prefix }));
    let calls = 1;
    while (!(await plan(portsOf(stopped), 'j', () => false))) calls++;
    expect(calls).toBe(3);
    expect(stopped.pages).toBeLessThan(undisturbed.pages + 3);
    const expected = (await readJson<Plan>(undisturbed, keys.plan('j'))).fingerprints;
    expect((await readJson<Plan>(stopped, keys.plan('j'))).fingerprints).toEqual(expected);
    expect(await readShards(stopped)).toEqual(shards);
    for (const one of [stopped, undisturbed]) expect(await one.get(keys.listing('j'))).toBeUndefined();
    for await (const key of stopped.keys('jobs/j/plan/listed')) expect.fail(key);
  });
});
