/** Edits of the classes in a store: copied to the model, undoable, safe with others at work and with crashes anywhere. */
import { beforeEach, describe, expect, it } from 'vitest';
import { Crash, crashAt, MemoryStore } from '#adapters/local/memory-store';
import { PermanentError, UsageError } from '#core/errors';
import { ignoreClasses, renameClass } from '#core/labels/class-edits';
import { defaultClasses } from '#core/labels/class-map';
import { LabelCounter } from '#core/labels/label-counts';
import { countLabels, editClasses, previewUndo, undoClasses } from '#pipeline/classes';
import { readClasses } from '#pipeline/labelled-folder';
import { clusters, fillRunFolder, folderPorts, pictures, textOf, utf8 } from './run-folder.ts';

let store: MemoryStore;
beforeEach(async () => {
  store = new MemoryStore();
  await fillRunFolder(store);
});

const rename = (to: string, on = store) => editClasses(on, `rename 1 ${to}`, map => renameClass(map, '1', to));
const nameOfFirst = async (on = store) => (await readClasses(on)).classes[0]!.name;
const copyIsEqual = async () =>
  expect(textOf(await store.get('model/classes.json'))).toBe(textOf(await store.get('classes.json')));

describe('editing', () => {
  it('changes the classes and the model’s copy, and says what was before', async () => {
    const { before, after, edit } = await rename('cat');
    expect([before.version, after.version, edit]).toEqual([1, 2, 'rename 1 cat']);
    expect(await readClasses(store)).toEqual(after);
    await copyIsEqual();
  });
  it('leaves a folder without a model without one', async () => {
    await store.delete('model/classes.json');
    await rename('cat');
    expect(await store.get('model/classes.json')).toBeUndefined();
  });
  it('refuses an edit that changes nothing, and a folder without classes', async () => {
    await expect(rename('class 1')).rejects.toThrow(UsageError);
    expect((await readClasses(store)).version).toBe(1);
    expect(await store.get('classes.history.json')).toBeUndefined();
    await store.delete('classes.json');
    await expect(rename('cat')).rejects.toThrow(PermanentError);
  });
  it('goes back step by step', async () => {
    for (const name of ['a', 'b', 'c']) await rename(name);
    expect((await previewUndo(store, await readClasses(store))).classes[0]!.name).toBe('b');
    for (const name of ['b', 'a', 'class 1']) {
      expect((await undoClasses(store)).edit).toMatch(/^undo: rename 1/);
      expect(await nameOfFirst()).toBe(name);
      await copyIsEqual();
    }
    await expect(undoClasses(store)).rejects.toThrow(/nothing to undo/);
  });
});

describe('with others at work', () => {
  it('every edit of twelve at once is made, and every one can be undone', async () => {
    const start = await readClasses(store);
    const edits = Array.from({ length: 12 }, (_, i) =>
      editClasses(store, `${i}`, map => renameClass(map, String((i % clusters) + 1), `name ${i}`)),
    );
    await Promise.all(edits);
    const { version } = await readClasses(store);
    expect(version).toBe(13);
    await copyIsEqual();
    for (let i = 0; i < 12; i++) await undoClasses(store);
    expect((await readClasses(store)).classes).toEqual(start.classes);
    await expect(undoClasses(store)).rejects.toThrow(/nothing to undo/);
  });
});

describe('with a crash at any call', () => {
  it.each(['before', 'after'] as const)('%s it, the classes are whole, and what was done can be undone', async when => {
    await rename('first');
    const undisturbed = store.restarted();
    await rename('probe', undisturbed);
    const calls = undisturbed.calls;
    await undoClasses(store);
    for (let call = 1; call <= calls; call++) {
      const name = `${when} ${call}`;
      await expect(rename(name, store.restarted(crashAt(call, when)))).rejects.toThrow(Crash);
      expect(['first', name]).toContain(await nameOfFirst());
      if ((await nameOfFirst()) === name) await undoClasses(store);
      expect(await nameOfFirst()).toBe('first');
      // The edit before the crash can still be taken back, and made again.
      await undoClasses(store);
      expect(await nameOfFirst()).toBe('class 1');
      await rename('first');
      await copyIsEqual();
    }
  });
});

describe('counting', () => {
  const ports = folderPorts();
  const expected = () => {
    const counter = new LabelCounter();
    for (const image of Object.keys(pictures).sort()) counter.add(pictures[image]!);
    return counter.counts();
  };
  it('counts every label map, once, until the receipt changes', async () => {
    expect(await countLabels(ports, store)).toEqual(expected());
    const again = store.restarted();
    expect(await countLabels(ports, again)).toEqual(expected());
    expect(again.calls).toBeLessThan(5);
    await store.put('receipt.json', utf8(JSON.stringify({ labelled: ['z.jpg'], empty: [], duplicate: [] })));
    expect((await countLabels(ports, store)).images).toBe(1);
  });
  it('counts anew where the stored counts are none', async () => {
    const receipt = ports.digest.sha256((await store.get('receipt.json'))!);
    await store.put('classes.counts.json', utf8(JSON.stringify({ receipt, counts: { images: 'x' } })));
    expect(await countLabels(ports, store)).toEqual(expected());
  });
});

describe('version', () => {
  it('grows with edits of any kind, never back', async () => {
    await rename('a');
    await editClasses(store, 'ignore 2', map => ignoreClasses(map, ['2'], true));
    await undoClasses(store);
    expect((await readClasses(store)).version).toBe(4);
    expect(defaultClasses(1).version).toBe(1);
  });
});
