import { rmSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import {
  classNames,
  countClasses,
  maskOf,
  parseCategories,
  readTruth,
  type TruthRules,
  type TruthSource,
} from '#pipeline/ground-truth';
import { inflate } from '../core/formats/zlib-port.ts';
import { grey8, grey16, rgb, row } from './id-pngs.ts';
import { folderWith, openFolder } from './open-folder.ts';

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

async function sourceWith(files: Parameters<typeof folderWith>[0]): Promise<TruthSource> {
  const folder = folderWith(files);
  folders.push(folder);
  return { store: await openFolder(folder), images: { inflate } };
}
const rules = (more: Partial<TruthRules> = {}): TruthRules => ({ masks: 'set/masks/', background: 'auto', ...more });
const images = [{ name: 'a/one.jpg' }, { name: 'two.jpg' }];

describe('where a mask lies', () => {
  it.each([
    ['a/b.jpg', 'a/b.png'],
    ['b.tar.jpeg', 'b.tar.png'],
    ['a.b/c', 'a.b/c.png'],
    ['.jpg/x.JPG', '.jpg/x.png'],
  ])('of %s is %s', (image, mask) => expect(maskOf(image)).toBe(mask));
});

describe('reading a mask', () => {
  const one = row(0, 1, 255, 1000);
  const source = sourceWith({
    'set/masks/grey.png': grey8(row(0, 1, 255, 2)),
    'set/masks/wide.png': grey16(one),
    'set/masks/rgb.png': rgb(one),
    'set/masks/broken.png': grey8(row(1, 2)).subarray(0, 40),
  });
  const read = async (mask: string, more: Partial<TruthRules> = {}, width = 4) =>
    readTruth(await source, rules(more), mask, { width, height: 1 });

  it('knows what is ignored by the kind of file', async () => {
    expect(await read('grey.png')).toEqual({ map: row(0, 1, 255, 2), ignore: [255] });
    expect(await read('wide.png')).toEqual({ map: one, ignore: [1000] });
    expect(await read('rgb.png')).toEqual({ map: one, ignore: [1000] });
    expect((await read('rgb.png', { ignore: [7, 9] })).ignore).toEqual([7, 9]);
  });

  it('refuses ids above the classes that are not ignored', async () => {
    expect((await read('grey.png', { classes: 2 })).map.data[3]).toBe(2);
    await expect(read('grey.png', { classes: 1 })).rejects.toThrow(/mask grey\.png holds id 2, .*highest class 1/);
    await expect(read('grey.png', { classes: 2, background: 'none' })).rejects.toThrow(
      /id 2, above the highest class 1/,
    );
    await expect(read('wide.png', { classes: 50 })).rejects.toThrow(/mask wide\.png holds id 255/);
    await expect(read('wide.png', { classes: 50, ignore: [255] })).rejects.toThrow(/id 1000/);
    expect((await read('wide.png', { classes: 50, ignore: [255, 1000] })).map).toEqual(one);
  });

  it('refuses another size, a missing and a broken file, and names them', async () => {
    await expect(read('grey.png', {}, 5)).rejects.toThrow('mask grey.png is 4×1, but its label map is 5×1');
    await expect(read('none.png')).rejects.toThrow('no mask none.png');
    await expect(read('broken.png')).rejects.toThrow('mask broken.png');
  });
});

describe('number of classes', () => {
  const masks = { 'set/masks/a/one.png': grey8(row(0, 3, 255)), 'set/masks/two.png': grey8(row(5, 0)) };
  const count = async (files: Parameters<typeof folderWith>[0], more: Partial<TruthRules> = {}) =>
    countClasses(await sourceWith(files), rules(more), images);

  it('is given, or the highest in categories.txt, or the highest in the masks', async () => {
    const named = { ...masks, 'set/categories.txt': '0\tbackground\n9\tnine\n255\tvoid\n' };
    expect(await count(named, { classes: 4 })).toBe(4);
    expect(await count(named)).toBe(9);
    expect(await count(named, { ignore: [9] })).toBe(255);
    expect(await count(masks)).toBe(5);
    expect(await count(masks, { ignore: [5] })).toBe(255);
    expect(await count(masks, { ignore: [5, 255] })).toBe(3);
  });

  it('counts 0 where it is a class', async () => {
    expect(await count(masks, { background: 'none' })).toBe(6);
    expect(await count({ ...masks, 'set/categories.txt': '2\ttwo' }, { background: 'none' })).toBe(3);
  });

  it('needs a mask for at least one image', async () => {
    expect(await count({ 'set/masks/two.png': grey8(row(1)) })).toBe(1);
    await expect(count({ 'set/masks/three.png': grey8(row(1)) })).rejects.toThrow('a/one.jpg needs a/one.png');
    await expect(count({ 'set/masks/.two.png': grey8(row(1)) })).rejects.toThrow('no image has a mask');
  });
});

describe('categories.txt', () => {
  it('is id, tab, name', async () => {
    expect([...parseCategories('\ufeff1\tcat\r\n\n 2\thot dog \n')]).toEqual([
      [1, 'cat'],
      [2, 'hot dog'],
    ]);
    expect(() => parseCategories('1\tcat\ncow')).toThrow('line 2 is not "id<tab>name": cow');
    expect(() => parseCategories('99999\tcat')).toThrow('line 1');
    expect(await classNames(await sourceWith({}), 'set/masks/')).toEqual(new Map());
  });
});
