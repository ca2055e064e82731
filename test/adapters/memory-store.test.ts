import { describe, expect, it } from 'vitest';
import { Crash, crashAt, MemoryStore } from '#adapters/local/memory-store';
import { RejectedInput } from '#core/errors';
import type { ObjectStore } from '#pipeline/ports';
import { keysUnder } from '../contracts/object-store.ts';

const bytesOf = (text: string) => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array | undefined) => bytes && new TextDecoder().decode(bytes);

/** A piece of work as stages do it: outputs, then the marker; nothing where the marker is. */
async function work(store: ObjectStore): Promise<void> {
  if (await store.head('done/1')) return;
  await store.putNew('out/a', bytesOf('a'));
  await store.putNew('out/b', bytesOf('b'));
  await store.putNew('done/1', bytesOf('2 outputs'));
}

describe('MemoryStore with faults', () => {
  it('lets a test die at every call, before and after its effect, and go on', async () => {
    const undisturbed = new MemoryStore();
    await work(undisturbed);
    expect(undisturbed.calls).toBe(4);
    for (let call = 1; call <= undisturbed.calls; call++) {
      for (const when of ['before', 'after'] as const) {
        const store = new MemoryStore(crashAt(call, when));
        await expect(work(store)).rejects.toThrow(Crash);
        await expect(store.get('out/a')).rejects.toThrow('the process is dead');
        const restarted = store.restarted();
        if (await restarted.head('done/1')) expect(await keysUnder(restarted, 'out/')).toEqual(['out/a', 'out/b']);
        await work(restarted);
        expect(await keysUnder(restarted, '')).toEqual(['done/1', 'out/a', 'out/b']);
      }
    }
  });

  it('makes the effect of a call depend on when it died', async () => {
    for (const [when, expected] of [
      ['before', undefined],
      ['after', 'x'],
    ] as const) {
      const store = new MemoryStore(crashAt(1, when));
      await expect(store.put('a', bytesOf('x'))).rejects.toThrow('the process died in put of a');
      expect(textOf(await store.restarted().get('a'))).toBe(expected);
    }
  });

  it('lets a rival be first', async () => {
    const store = new MemoryStore(({ operation, count }) =>
      operation !== 'get' && count < 3 ? { kind: 'rival', bytes: bytesOf('rival') } : undefined,
    );
    expect(await store.putNew('a', bytesOf('mine'))).toBe(false);
    const tagged = await store.getTagged('a');
    expect(textOf(tagged?.bytes)).toBe('rival');
    expect(await store.swap('a', bytesOf('mine'), tagged?.etag)).toBeDefined();
    const disturbed = store.restarted(() => ({ kind: 'rival', bytes: bytesOf('again') }));
    expect(await disturbed.swap('a', bytesOf('mine'), (await store.head('a'))?.etag)).toBeUndefined();
    expect(textOf(await store.get('a'))).toBe('again');
  });

  it('fails for a while when told so', async () => {
    const store = new MemoryStore(({ count }) =>
      count === 1 ? { kind: 'error', error: new Error('busy') } : undefined,
    );
    await expect(store.put('a', bytesOf('x'))).rejects.toThrow('busy');
    await store.put('a', bytesOf('x'));
    expect(textOf(await store.get('a'))).toBe('x');
  });

  it('has unreadable objects when told so', async () => {
    const store = new MemoryStore();
    await store.put('a', bytesOf('x'));
    store.makeUnreadable('a', 'a link that leaves the folder');
    await expect(store.get('a')).rejects.toThrow(new RejectedInput('a link that leaves the folder'));
    expect(await keysUnder(store, '')).toEqual(['a']);
  });

  it('gives the same bytes written again another etag', async () => {
    const store = new MemoryStore();
    await store.put('a', bytesOf('x'));
    const first = await store.head('a');
    await store.put('a', bytesOf('x'));
    expect((await store.head('a'))?.etag).not.toBe(first?.etag);
  });
});
