/** Exports of a run's folder: every format says of every pixel what the label maps and the classes say. */
import { beforeEach, describe, expect, it } from 'vitest';
import { MemoryStore } from '#adapters/local/memory-store';
import { PermanentError } from '#core/errors';
import { exportFormats } from '#core/formats/exporters';
import { ignoreClasses, mergeClasses, renameClass } from '#core/labels/class-edits';
import { editClasses, undoClasses } from '#pipeline/classes';
import { exportLabels, exportPrefix, rewriteExports } from '#pipeline/export';
import { readClasses } from '#pipeline/labelled-folder';
import { PrefixStore } from '#pipeline/prefix-store';
import { objectStoreContract } from '../contracts/object-store.ts';
import { readExport } from '../core/formats/export-readers.ts';
import { contents, fillRunFolder, folderPorts, mapPaths, pictures, textOf, utf8 } from './run-folder.ts';

objectStoreContract('A folder of a store', async () => {
  const whole = new MemoryStore();
  await whole.put('beside', utf8('x'));
  await whole.put('within/x', utf8('x'));
  const store = new PrefixStore(whole, 'within/deep/');
  return { store, again: async () => new PrefixStore(whole.restarted(), 'within/deep/') };
});

describe('export', () => {
  const ports = folderPorts();
  let store: MemoryStore;
  beforeEach(async () => {
    store = new MemoryStore();
    await fillRunFolder(store);
  });

  /** Names of all pixels of every image, straight from the drawn maps and `classes.json`. */
  async function expectedNames() {
    const { classes } = await readClasses(store);
    return new Map(
      Object.entries(pictures).map(([image, map]) => {
        const nameOf = (label: number) => classes.find(item => item.clusters.some(cluster => cluster + 1 === label));
        const names = Array.from(map.data, label => (nameOf(label)?.ignore ? '' : (nameOf(label)?.name ?? '')));
        return [image, { width: map.width, height: map.height, names }] as const;
      }),
    );
  }

  async function expectExport(format: (typeof exportFormats)[number], prefix: string) {
    const files = await contents(store, prefix);
    const sizes = new Map(
      Object.entries(pictures).flatMap(([image, map]) => [image, stem(image)].map(key => [key, map] as const)),
    );
    for (const read of await readExport(format, files, sizes)) {
      expect(read.size).toBe(4);
      for (const [image, picture] of await expectedNames()) {
        expect({ image, ...(read.get(image) ?? read.get(stem(image))) }).toEqual({ image, ...picture });
      }
    }
  }
  const stem = (image: string) => mapPaths.of(image).slice(0, -4);

  it.each(exportFormats)('%s: all images that have a label map, duplicates and empty ones included', async format => {
    await editClasses(store, 'edit', map =>
      ignoreClasses(mergeClasses(renameClass(map, '2', 'Katze'), ['4', '1']), ['3'], true),
    );
    const summary = await exportLabels(ports, store, format, new PrefixStore(store, 'out/'));
    expect(summary).toMatchObject({ format, images: 4, classes: 2 });
    expect(summary.files).toBe((await contents(store, 'out/')).size);
    await expectExport(format, 'out/');
  });

  it('names the model and each image’s confidence where the format has room', async () => {
    await exportLabels(ports, store, 'label-studio', new PrefixStore(store, 'out/'));
    const tasks = JSON.parse(textOf(await store.get('out/tasks-0001.json')));
    expect(tasks[0].predictions[0]).toMatchObject({ model_version: 'my model', score: 0.125 });
  });

  it('reads label maps in the ImageNet-S form as well', async () => {
    const { encodeImageNetSPng } = await import('#core/formats/png-index');
    for (const [image, map] of Object.entries(pictures)) {
      await store.put(
        `labels/${mapPaths.of(image)}`,
        await encodeImageNetSPng(map, (bytes, runs) => ports.images.deflate(bytes, runs)),
      );
    }
    await exportLabels(ports, store, 'coco', new PrefixStore(store, 'out/'));
    await expectExport('coco', 'out/');
  });

  it.each<[string, (s: MemoryStore) => Promise<void>, RegExp]>([
    ['no receipt', s => s.delete('receipt.json'), /receipt\.json is missing; give the folder/],
    ['a receipt without lists', s => s.put('receipt.json', utf8('{"counts":{}}')), /does not list the images/],
    ['a broken receipt', s => s.put('receipt.json', utf8('{')), /receipt\.json is no JSON/],
    ['no classes', s => s.delete('classes.json'), /classes\.json is missing/],
    ['a label map that is gone', s => s.delete('labels/z.png'), /labels\/z\.png is missing/],
    ['a damaged label map', s => s.put('labels/z.png', utf8('hello')), /labels\/z\.png is not a PNG/],
    ['too few classes', s => s.put('classes.json', utf8('{"version":1,"classes":[]}')), /labels\/.* holds label 1/],
  ])('says what is wrong: %s', async (_, breakIt, message) => {
    await breakIt(store);
    await expect(exportLabels(ports, store, 'coco', new MemoryStore())).rejects.toThrow(PermanentError);
    await expect(exportLabels(ports, store, 'coco', new MemoryStore())).rejects.toThrow(message);
  });

  describe('in the run’s own folder', () => {
    const exportAll = async () => {
      for (const format of exportFormats) {
        await exportLabels(ports, store, format, new PrefixStore(store, exportPrefix(format)));
      }
    };

    it('follow an edit of the classes, and its undo; label maps and model stay as they are', async () => {
      await exportAll();
      await store.put('export/yolo/images/a.jpg', utf8('a photo put there by hand'));
      const before = { exports: await contents(store, 'export/'), labels: await contents(store, 'labels/') };
      await editClasses(store, 'edit', map => mergeClasses(renameClass(map, '1', 'Hund'), ['1', '3']));
      expect((await rewriteExports(ports, store)).map(({ format }) => format)).toEqual([...exportFormats]);
      for (const format of exportFormats) await expectExport(format, exportPrefix(format));
      expect(await contents(store, 'labels/')).toEqual(before.labels);
      expect(textOf(await store.get('model/model.onnx'))).toBe('weights');
      await undoClasses(store);
      await rewriteExports(ports, store);
      expect(await contents(store, 'export/')).toEqual(before.exports);
    });

    it('keep the very files that an edit does not change', async () => {
      await exportLabels(ports, store, 'png', new PrefixStore(store, exportPrefix('png')));
      const etags = async () => {
        const found = new Map<string, string>();
        for await (const { key, etag } of store.list('export/')) found.set(key, etag);
        return found;
      };
      const before = await etags();
      await editClasses(store, 'edit', map => renameClass(map, '1', 'Hund'));
      await rewriteExports(ports, store);
      const changed = [...(await etags())].filter(([key, etag]) => before.get(key) !== etag);
      expect(changed.map(([key]) => key)).toEqual(['export/png/categories.txt']);
    });

    it('are left alone where there are none', async () => {
      await exportLabels(ports, store, 'cvat', new PrefixStore(store, exportPrefix('cvat')));
      expect((await rewriteExports(ports, store)).map(({ format }) => format)).toEqual(['cvat']);
    });

    it('that cannot be written do not keep the others from it', async () => {
      await exportAll();
      await editClasses(store, 'edit', map => renameClass(map, '2', 'a:b'));
      await expect(rewriteExports(ports, store)).rejects.toThrow(
        /the classes are changed, but not export\/voc\/: class 2 “a:b”/,
      );
      for (const format of exportFormats.filter(name => name !== 'voc'))
        await expectExport(format, exportPrefix(format));
    });
  });
});
