/** What every ObjectStore must do. */
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { ObjectStore, StoredObject } from '#pipeline/ports';

const bytesOf = (text: string) => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array | undefined) => bytes && new TextDecoder().decode(bytes);

export async function listed(store: ObjectStore, prefix: string): Promise<StoredObject[]> {
  const objects: StoredObject[] = [];
  for await (const object of store.list(prefix)) objects.push(object);
  return objects;
}

/** By both ways of asking, which must agree. */
export async function keysUnder(store: ObjectStore, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const key of store.keys(prefix)) keys.push(key);
  expect((await listed(store, prefix)).map(({ key }) => key)).toEqual(keys);
  return keys;
}

const byBytes = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));

const strangeKeys = [
  'plain.txt',
  'with space.jpg',
  'dir/with  two spaces/x',
  'umlaut-ä.png',
  'decomposed-a\u0308.png',
  '日本語/写真.jpg',
  'emoji-🦊.webp',
  'hash#1.jpg',
  'percent%20.jpg',
  'percent%2e%2e%2fup',
  'plus+and&.jpg',
  'question?.jpg',
  'back\\slash.jpg',
  'new\nline.jpg',
  'tab\t.jpg',
  'quote"\'`$(x).jpg',
  '-rf',
  '~home',
  '...',
  'a.b',
  'a/b',
  'a0',
  '.hidden/x',
  'x'.repeat(200),
];

/** What a store that does not stream would say. */
const fail = (): never => {
  throw new Error('gone or replaced');
};

/** @param open an empty store, and on request another client of the same objects */
export function objectStoreContract(
  name: string,
  open: () => Promise<{ store: ObjectStore; again: () => Promise<ObjectStore> }>,
): void {
  describe(`${name} as an ObjectStore`, () => {
    let store: ObjectStore;
    let again: () => Promise<ObjectStore>;
    beforeEach(async () => {
      ({ store, again } = await open());
    });

    it('knows nothing of keys that were never written', async () => {
      expect(await store.get('a/b')).toBeUndefined();
      expect(await store.getTagged('a/b')).toBeUndefined();
      expect(await store.head('a/b')).toBeUndefined();
      expect(await listed(store, '')).toEqual([]);
      await store.delete('a/b');
    });

    it('gives back what was put, to every client', async () => {
      await store.put('a/b', bytesOf('one'));
      const other = await again();
      expect(textOf(await other.get('a/b'))).toBe('one');
      const head = await other.head('a/b');
      expect(head).toMatchObject({ key: 'a/b', size: 3 });
      expect((await other.getTagged('a/b'))?.etag).toBe(head?.etag);
      expect(await listed(other, '')).toEqual([head]);
    });

    it('keeps its own copy of the bytes', async () => {
      const bytes = bytesOf('one');
      await store.put('a', bytes);
      bytes.fill(0);
      const read = await store.get('a');
      expect(textOf(read)).toBe('one');
      read?.fill(0);
      expect(textOf(await store.get('a'))).toBe('one');
    });

    it('keeps objects without bytes and large ones', async () => {
      const large = new Uint8Array(3_000_000).map((_, i) => i * 31);
      await store.put('empty', new Uint8Array(0));
      await store.put('large', large);
      expect(await store.get('empty')).toEqual(new Uint8Array(0));
      expect(Buffer.compare((await store.get('large'))!, large)).toBe(0);
      expect((await listed(store, '')).map(({ size }) => size)).toEqual([0, 3_000_000]);
    });

    it('puts over what is there, with another etag for other bytes', async () => {
      await store.put('a', bytesOf('one'));
      const before = await store.head('a');
      await store.put('a', bytesOf('two'));
      expect(textOf(await store.get('a'))).toBe('two');
      expect((await store.head('a'))?.etag).not.toBe(before?.etag);
    });

    it('putNew: the first one stands', async () => {
      expect(await store.putNew('a/b/c', bytesOf('one'))).toBe(true);
      expect(await store.putNew('a/b/c', bytesOf('two'))).toBe(false);
      expect(textOf(await store.get('a/b/c'))).toBe('one');
      await store.delete('a/b/c');
      expect(await store.putNew('a/b/c', bytesOf('three'))).toBe(true);
      expect(textOf(await store.get('a/b/c'))).toBe('three');
    });

    it('swap: only with the etag of what is there', async () => {
      const first = await store.swap('a', bytesOf('one'), undefined);
      expect(first).toBeDefined();
      expect(await store.swap('a', bytesOf('lost'), undefined)).toBeUndefined();
      const tagged = await store.getTagged('a');
      expect(tagged?.etag).toBe(first);
      const second = await store.swap('a', bytesOf('two'), tagged?.etag);
      expect(second).toBeDefined();
      expect(await store.swap('a', bytesOf('lost'), first)).toBeUndefined();
      expect(textOf(await store.get('a'))).toBe('two');
      expect((await store.head('a'))?.etag).toBe(second);
      await store.delete('a');
      expect(await store.swap('a', bytesOf('lost'), second)).toBeUndefined();
      expect(await store.get('a')).toBeUndefined();
    });

    it('swaps an object that somebody put or made new', async () => {
      await store.put('a', bytesOf('one'));
      expect(await store.swap('a', bytesOf('two'), (await store.head('a'))?.etag)).toBeDefined();
      await store.putNew('b', bytesOf('one'));
      expect(await store.swap('b', bytesOf('two'), (await store.getTagged('b'))?.etag)).toBeDefined();
    });

    it('deletes, and a second time without complaint', async () => {
      await store.put('a/b', bytesOf('one'));
      await store.put('a/c', bytesOf('two'));
      await store.delete('a/b');
      await store.delete('a/b');
      expect(await keysUnder(store, '')).toEqual(['a/c']);
    });

    it('keeps objects under all kinds of names', async () => {
      for (const key of strangeKeys) expect(await store.putNew(key, bytesOf(key)), key).toBe(true);
      for (const key of strangeKeys) expect(textOf(await store.get(key)), key).toBe(key);
      expect(await keysUnder(store, '')).toEqual([...strangeKeys].sort(byBytes));
    });

    it('lists by prefix, which may end anywhere in a name', async () => {
      for (const key of ['a/b/1', 'a/b/2', 'a/bc', 'a/c', 'ab', 'b']) await store.put(key, bytesOf(key));
      expect(await keysUnder(store, 'a/b')).toEqual(['a/b/1', 'a/b/2', 'a/bc']);
      expect(await keysUnder(store, 'a/b/')).toEqual(['a/b/1', 'a/b/2']);
      expect(await keysUnder(store, 'a')).toEqual(['a/b/1', 'a/b/2', 'a/bc', 'a/c', 'ab']);
      expect(await keysUnder(store, 'a/c')).toEqual(['a/c']);
      expect(await keysUnder(store, 'a/c/')).toEqual([]);
      expect(await keysUnder(store, 'x/../a')).toEqual([]);
    });

    it('lists in the order of UTF-8 bytes, which is neither that of folders nor that of UTF-16', async () => {
      const segment = fc.constantFrom('a', 'b', 'a.b', 'a-b', 'a b', 'a0', 'A', 'é', '\uffee', '😀', '~');
      const tree = fc.uniqueArray(
        fc.array(segment, { minLength: 1, maxLength: 3 }).map(parts => [...parts, 'leaf'].join('/')),
      );
      await fc.assert(
        fc.asyncProperty(tree, async keys => {
          const fresh = (await open()).store;
          for (const key of keys) await fresh.put(key, bytesOf('x'));
          expect(await keysUnder(fresh, '')).toEqual([...keys].sort(byBytes));
          expect(await keysUnder(fresh, 'a')).toEqual(keys.filter(key => key.startsWith('a')).sort(byBytes));
        }),
        { numRuns: 15 },
      );
    });

    it('lists what comes after a key, and perhaps more', async () => {
      for (const key of ['a/1', 'a/2', 'a/3', 'b']) await store.put(key, bytesOf('x'));
      const found: string[] = [];
      for await (const { key } of store.list('a/', 'a/2')) found.push(key);
      expect(found.filter(key => key > 'a/2')).toEqual(['a/3']);
    });

    it('streams a part of an object, if it streams at all', async () => {
      const large = new Uint8Array(3_000_000).map((_, i) => i * 31);
      await store.put('large', large);
      const { etag } = (await store.head('large'))!;
      const parts: Uint8Array[] = [];
      for await (const part of store.stream?.('large', etag, 7, 2_900_000) ?? [large.slice(7, 2_900_000)])
        parts.push(part);
      expect(Buffer.compare(Buffer.concat(parts), large.slice(7, 2_900_000))).toBe(0);
      await store.put('large', bytesOf('another'));
      await expect(
        (async () => {
          for await (const _ of store.stream?.('large', etag, 0, 5) ?? fail()) void _;
        })(),
      ).rejects.toThrow('gone or replaced');
    });

    it('can be changed while it is listed', async () => {
      for (let i = 0; i < 20; i++) await store.put(`a/${i}`, bytesOf('x'));
      for await (const { key } of store.list('a/')) await store.delete(key);
      expect(await listed(store, '')).toEqual([]);
    });

    it('has one winner among 20 racing putNew', async () => {
      const clients = [store, await again(), await again(), await again()];
      for (let round = 0; round < 5; round++) {
        const key = `race/${round}/object`;
        const won = await Promise.all(
          Array.from({ length: 20 }, (_, i) => clients[i % 4]!.putNew(key, bytesOf(`writer ${i}`))),
        );
        expect(won.filter(Boolean).length).toBe(1);
        expect(textOf(await store.get(key))).toBe(`writer ${won.indexOf(true)}`);
      }
    });

    it('loses no count among 20 racing swaps', async () => {
      const clients = [store, await again(), await again(), await again()];
      const increment = async (client: ObjectStore) => {
        for (;;) {
          const found = await client.getTagged('counter');
          const next = String(Number(textOf(found?.bytes) ?? 0) + 1);
          if (await client.swap('counter', bytesOf(next), found?.etag)) return;
        }
      };
      await Promise.all(Array.from({ length: 20 }, (_, i) => increment(clients[i % 4]!)));
      expect(textOf(await store.get('counter'))).toBe('20');
    });

    it('survives racing writers and deleters in one folder', async () => {
      const clients = [store, await again()];
      const act = async (i: number) => {
        const key = `deep/er/${i % 3}`;
        if (i % 2) await clients[(i >> 1) % 2]!.delete(key);
        else await clients[(i >> 1) % 2]!.put(key, bytesOf(`${i}`));
      };
      await Promise.all(Array.from({ length: 60 }, (_, i) => act(i)));
      for (const { key } of await listed(store, '')) expect(key).toMatch(/^deep\/er\/[012]$/);
      expect(await store.putNew('deep/er/last', bytesOf('x'))).toBe(true);
    });

    it('refuses keys that no store could hold as they are', async () => {
      for (const key of ['', '/a', 'a/', 'a//b', '../a', 'a/../b', './a', 'a/.', 'a\0b', 'lone \ud800']) {
        await expect((async () => store.putNew(key, bytesOf('x')))(), JSON.stringify(key)).rejects.toThrow(
          'is no name for a stored file',
        );
      }
      expect(await listed(store, '')).toEqual([]);
    });
  });
}
