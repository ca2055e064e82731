import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ZipArchive } from '#adapters/zip/zip-archive';
import { writeZip } from '#adapters/zip/zip-writer';
import { scratchFolder } from '../contracts/scratch-folder.ts';
import { type RawEntry, rawZip } from './hostile-zips.ts';

const bytes = new TextEncoder().encode('hello');
const open = (...entries: RawEntry[]) => ZipArchive.open(rawZip(entries), 'x.zip');

async function all(names: AsyncIterable<string>): Promise<string[]> {
  const list: string[] = [];
  for await (const name of names) list.push(name);
  return list;
}

async function* two() {
  yield { name: 'b/1.png', bytes };
  yield { name: 'a.txt', bytes: new Uint8Array(100_000) };
}

describe('a zip', () => {
  it('is read as it was written, in path order, and the same files give the same bytes', async () => {
    const file = join(scratchFolder(), 'x.zip');
    expect(await writeZip(file, two())).toBe(2);
    const zip = await ZipArchive.open(file, 'x.zip');
    expect(await all(zip.keys(''))).toEqual(['a.txt', 'b/1.png']);
    expect(await all(zip.keys('b/'))).toEqual(['b/1.png']);
    expect(await zip.get('b/1.png')).toEqual(bytes);
    expect((await zip.get('a.txt'))?.length).toBe(100_000);
    expect(await zip.get('c')).toBeUndefined();
    zip.close();
  });

  it.each<[string, RawEntry[], RegExp]>([
    ['a path upwards', [{ name: '../x.png', bytes }], /invalid relative path/],
    ['an absolute path', [{ name: '/x.png', bytes }], /absolute path/],
    ['a backslash', [{ name: 'a\\x.png', bytes }], /invalid characters/],
    ['a link', [{ name: 'x.png', bytes, mode: 0o120777 }], /link or a device/],
    ['encryption', [{ name: 'x.png', bytes, flags: 1 }], /encrypted/],
    ['another method', [{ name: 'x.png', bytes, method: 12 }], /method 12/],
    [
      'one name twice',
      [
        { name: 'x.png', bytes },
        { name: 'x.png', bytes },
      ],
      /twice/,
    ],
    ['a claim of 3 GB', [{ name: 'x.png', bytes, claimed: 3e9 }], /unpacks to too much/],
    ['a control character', [{ name: 'x\n.png', bytes, flags: 0x800 }], /not one a mask can have/],
  ])('with %s is refused', async (_, entries, message) => {
    await expect(open(...entries)).rejects.toThrow(message);
  });

  it('that unpacks to more than it says ends there', async () => {
    const zip = await open({ name: 'x.png', bytes: new Uint8Array(1e6), claimed: 10 });
    await expect(zip.get('x.png')).rejects.toThrow(/x\.zip: x\.png cannot be unpacked/);
  });

  it('that is cut off or something else is refused', async () => {
    const whole = rawZip([{ name: 'x.png', bytes }]);
    await expect(ZipArchive.open(whole.subarray(0, 40), 'x.zip')).rejects.toThrow(/no zip that can be read/);
    const file = join(scratchFolder(), 'y.zip');
    writeFileSync(file, 'nothing');
    await expect(ZipArchive.open(file, 'y.zip')).rejects.toThrow(/y\.zip is no zip that can be read/);
  });
});
