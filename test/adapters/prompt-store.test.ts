/** A folder read at once while a program starts: what it says is what the store says. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { FolderStore } from '#adapters/local/folder-store';
import { promptStore } from '#adapters/local/prompt-store';
import { scratchRoom } from '../scratch-rooms.ts';

const folder = join(scratchRoom(), 'model');
mkdirSync(join(folder, 'inner'), { recursive: true });
writeFileSync(join(folder, 'small'), 'a few bytes');
writeFileSync(join(folder, 'empty'), '');
writeFileSync(join(folder, 'large'), new Uint8Array((1 << 20) + 1).fill(7));

async function both(isPrompt: boolean) {
  const store = await FolderStore.open(folder);
  const asked = { get: vi.spyOn(store, 'get'), getTagged: vi.spyOn(store, 'getTagged'), head: vi.spyOn(store, 'head') };
  const reference = await FolderStore.open(folder);
  return { asked, prompt: promptStore(folder, store, () => isPrompt), reference };
}

const same = (a?: Uint8Array, b?: Uint8Array) => a !== undefined && b !== undefined && Buffer.compare(a, b) === 0;

it.each(['small', 'empty', 'large'])('reads a file by itself and says the same of it: %s', async key => {
  const { asked, prompt, reference } = await both(true);
  const bytes = await prompt.get(key);
  expect(same(bytes, await reference.get(key))).toBe(true);
  // Its memory may be moved to a thread.
  expect(bytes!.byteLength).toBe(bytes!.buffer.byteLength);
  const [tagged, wanted] = [await prompt.getTagged(key), await reference.getTagged(key)];
  expect([tagged?.etag, same(tagged?.bytes, wanted?.bytes)]).toEqual([wanted?.etag, true]);
  expect(await prompt.head(key)).toEqual(await reference.head(key));
  for (const spy of Object.values(asked)) expect(spy).not.toHaveBeenCalled();
});

it.each(['absent', 'inner', 'small/er'])('leaves to the store what is no file: %s', async key => {
  const { asked, prompt } = await both(true);
  expect([await prompt.get(key), await prompt.getTagged(key), await prompt.head(key)]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
  for (const spy of Object.values(asked)) expect(spy).toHaveBeenCalledExactlyOnceWith(key);
});

it('refuses what is no key', async () => {
  const { prompt } = await both(true);
  for (const act of ['get', 'getTagged', 'head'] as const) await expect(prompt[act]('../small')).rejects.toThrow();
});

it('asks the store once others may be waiting', async () => {
  const { asked, prompt } = await both(false);
  await Promise.all([prompt.get('small'), prompt.getTagged('small'), prompt.head('small')]);
  for (const spy of Object.values(asked)) expect(spy).toHaveBeenCalledExactlyOnceWith('small');
});
