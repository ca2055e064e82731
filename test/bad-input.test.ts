/** What people really have: broken files, odd names, wrong masks, full disks. Each ends in a result or in one line that helps. */
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { encodeIndexPng } from '#core/formats/png-index';
import type { RunSummary } from '../cli/run-summary.ts';
import { writeSceneFolder } from '../cli/scene-folder.ts';
import { done, doneJson, refuses, selflabel, smallRun } from './command-line.ts';
import { dataFolder, dataMissing } from './contracts/test-data.ts';
import { mountedDisk, mountMissing } from './mounted-disk.ts';
import { filesBelow, readIds, readReceipt } from './result-folder.ts';
import { scratchRoom } from './scratch-rooms.ts';
import { assertWholeResult } from './whole-result.ts';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const codec = new SharpCodec();
const room = scratchRoom();
const world = join(room, 'scenes');
const [images, masks] = [join(world, 'images'), join(world, 'masks')];
/** Finished once, then run again with other settings: what does not depend on them is not computed again. */
const base = join(room, 'base');
const baseCommand = (...more: string[]) => smallRun(images, base, ...more);

/** A folder with these files. */
function folderOf(name: string, files: Readonly<Record<string, Uint8Array | string>>): string {
  const folder = join(room, name);
  mkdirSync(folder, { recursive: true });
  for (const [file, content] of Object.entries(files)) writeFileSync(join(folder, file), content);
  return folder;
}

const photo = (number: number) => readFileSync(join(images, `${String(number).padStart(4, '0')}.jpg`));

beforeAll(async () => {
  await writeSceneFolder(codec, world, 12, 8);
  await done(...baseCommand());
});

describe('odd folders', () => {
  it('takes odd names, links, copies and files that are no photos', async () => {
    const odd = join(room, 'odd in');
    mkdirSync(join(odd, 'a b', 'ü #1 %41'), { recursive: true });
    for (let i = 0; i < 8; i++) writeFileSync(join(odd, `${i}.jpg`), photo(i));
    writeFileSync(join(odd, 'a b', 'ü #1 %41', '日本 50%.jpg'), photo(8));
    writeFileSync(join(odd, 'b.jpg'), photo(9));
    writeFileSync(join(odd, 'b.png'), photo(10));
    writeFileSync(join(odd, 'copy.jpg'), photo(3));
    writeFileSync(join(odd, 'notes.txt'), 'not a photo\n');
    writeFileSync(join(odd, 'none.jpg'), '');
    writeFileSync(join(odd, '.hidden.jpg'), photo(11));
    symlinkSync(join(images, '0011.jpg'), join(odd, 'leaves.jpg'));
    symlinkSync('nowhere', join(odd, 'dangling.jpg'));
    const out = join(room, 'odd out #2 %20');
    await done(...smallRun(odd, out));
    await assertWholeResult(out, odd, 3);
    const { rejected, duplicate } = readReceipt(out);
    expect(rejected).toEqual([
      { image: 'dangling.jpg', reason: 'a link to nothing' },
      { image: 'leaves.jpg', reason: 'a link that leaves the folder' },
      { image: 'none.jpg', reason: 'an empty file' },
      { image: 'notes.txt', reason: 'not a picture but plain text' },
    ]);
    expect(duplicate).toEqual([{ image: 'copy.jpg', of: '3.jpg' }]);
    expect(filesBelow(join(out, 'labels'))).toContain('a b/ü #1 %41/日本 50%.png');
    expect(readdirSync(join(out, 'labels')).filter(name => name.startsWith('b'))).toEqual(['b.jpg.png', 'b.png.png']);
    expect(readFileSync(join(out, 'labels', 'copy.png'))).toEqual(readFileSync(join(out, 'labels', '3.png')));
    await done('predict', odd, '--model', join(out, 'model'), '--out', join(room, 'odd predicted'));
    expect(readReceipt(join(room, 'odd predicted')).rejected).toEqual(rejected);
  });

  it('names no place on this machine that the user did not type', async () => {
    for (const file of ['receipt.json', 'model/card.json', 'report/index.html', 'clusters.csv', 'classes.json']) {
      const text = readFileSync(join(base, file), 'utf8').replaceAll(base, '');
      expect(text).not.toContain(resolve('.'));
      expect(text).not.toContain(room);
    }
  });

  it('says what is wrong with a folder', async () => {
    const out = join(room, 'never');
    const run = (folder: string, ...more: string[]) => ['run', folder, '--out', out, ...more];
    await refuses(/nowhere does not exist; give the folder of your images$/, ...run(join(room, 'nowhere')));
    await refuses(/holds no files; give the folder of your images$/, ...run(folderOf('empty', {})));
    const texts = folderOf('texts', { 'a.txt': 'hi', 'b.jpg': 'ho' });
    await refuses(
      /none of 2 files .* \(a\.txt: not a picture but plain text\); give a folder of photos/,
      ...run(texts),
    );
    await refuses(
      /only one of the files is an image of its own.*give two or more$/,
      ...run(folderOf('one', { 'a.jpg': photo(0) })),
    );
    const two = folderOf('two', { 'a.jpg': photo(0), 'b.jpg': photo(1) });
    await refuses(/7 clusters need .* only 2 .*; ask for --clusters 2 or fewer$/, ...run(two, '--clusters', '7'));
    await refuses(/a\.jpg is a file; give the folder of your images$/, ...run(join(two, 'a.jpg')));
    await done(...run(two));
    await assertWholeResult(out, two, 2);
  });

  it('never writes over what is not its own', async () => {
    const own = folderOf('mine', { 'receipt.json': '{}' });
    await refuses(/receipt\.json is not of our making.*choose an empty folder/, 'run', images, '--out', own);
    expect(readdirSync(own)).toEqual(['receipt.json']);
    await refuses(/holds your images and would be written to/, 'run', images, '--out', images);
    expect(readdirSync(images)).toHaveLength(12);
    await refuses(/is a file; give a folder for --out$/, 'run', images, '--out', join(own, 'receipt.json'));
    const model = join(base, 'model');
    await refuses(/holds results of another command/, 'predict', images, '--model', model, '--out', base);
  });
});

describe('wrong words', () => {
  it.each([
    [[], /^Usage: selflabel/],
    [['runn'], /unknown command 'runn'\n\(Did you mean run\?\)/],
    [['run', 'x'], /required option '--out <dir>'/],
    [['run', 'x', '--out', 'y', '--clusters', '1'], /expected auto or a whole number from 2 to 60000/],
    [['run', 'x', '--out', 'y', '--sample', '1'], /expected a whole number from 2 to/],
    [['run', 'x', '--out', 'y', '--threshold', 'low'], /expected from-scores, from-masks or a number/],
    [['run', 'x', '--out', 'y', '--threshold', 'from-masks'], /--threshold from-masks needs --masks DIR/],
    [
      ['run', 'x', '--out', 'y', '--attention', 'strong'],
      /expected an \.onnx file or self-trained, pass, norm, border/,
    ],
    [['run', 'x', '--out', 'y', '--name', 'a b'], /expected letters, digits/],
    [['run', 'x', '--out', 'y', '--scales', '2', '--method', 'pass'], /works on one scale/],
    [['run', 'x', '--out', 'y', '--gate', 'exact'], /--gate needs --attention pass or --method pass/],
    [['train', 'attend', 'x', '--out', 'y'], /required option '--backbone <file>'/],
    [['export', 'x', '--format', 'docx', '--to', 'y'], /there is no format docx; there are png, coco/],
    [['evaluate'], /needs --predictions DIR and --masks DIR/],
  ])('%j is bad usage', async (words, said) => {
    const { code, out, err } = await selflabel(...words);
    expect(err).toMatch(said);
    expect(err).not.toMatch(/\n\s+at /);
    expect([code, out]).toEqual([2, '']);
  });

  it('shows where an error comes from only with --debug', async () => {
    const { code, err } = await selflabel('run', join(room, 'nowhere'), '--out', 'x', '--debug');
    expect(code).toBe(1);
    expect(err).toMatch(/\n\s+at atWork /);
  });

  it('prints help on stdout and ends well', async () => {
    for (const command of [[], ['run'], ['predict'], ['evaluate'], ['classes'], ['export'], ['demo']]) {
      const { code, out, err } = await selflabel(...command, '--help');
      expect([code, err]).toEqual([0, '']);
      expect(out).toMatch(/^Usage: selflabel/);
    }
  });
});

describe('wrong masks', () => {
  const withMasks = (folder: string, ...more: string[]) => baseCommand('--masks', folder, ...more);
  const png = (width: number, height: number, id: number) =>
    encodeIndexPng(
      { width, height, data: new Uint16Array(width * height).fill(id) },
      { highest: 255, deflate: bytes => codec.deflate(bytes) },
    );

  it('names the mask that is missing, of another size, or holds a class too many', async () => {
    await refuses(/nomasks does not exist; give the folder of your masks$/, ...withMasks(join(room, 'nomasks')));
    await refuses(/no image has a mask among the 0 under .*images\/; 0000\.jpg needs 0000\.png/, ...withMasks(images));
    const some = join(room, 'some', 'masks');
    cpSync(masks, some, { recursive: true });
    const early = join(room, 'early');
    const beforehand = (...more: string[]) => smallRun(images, early, ...more);
    await refuses(
      /mask 0\d+\.png holds id \d+, above the highest class 2; give --classes/,
      ...beforehand('--masks', some, '--classes', '2'),
    );
    writeFileSync(join(some, '0004.png'), await png(20, 10, 1));
    const otherSize = /mask 0004\.png is 20×10, but its image is shown at 320×240; both must have the same size/;
    await refuses(otherSize, ...beforehand('--masks', some));
    await refuses(otherSize, ...beforehand('--val-images', images, '--val-masks', some));
    writeFileSync(join(some, '0004.png'), 'no PNG');
    await refuses(/mask 0004\.png/, ...beforehand('--masks', some));
    rmSync(join(some, '0004.png'));
    await refuses(/there is no mask 0004\.png; add it/, ...beforehand('--masks', some));
    await refuses(/there is no mask 0004\.png; add it/, ...beforehand('--val-images', images, '--val-masks', some));
    expect(filesBelow(early).filter(name => name.includes('/attend/'))).toEqual([]);
  });

  it('ignores what it is told to ignore', async () => {
    const ignoring = join(room, 'ignoring', 'masks');
    cpSync(masks, ignoring, { recursive: true });
    writeFileSync(join(ignoring, '0004.png'), await png(320, 240, 200));
    await refuses(/holds id 200/, ...withMasks(ignoring, '--classes', '12'));
    await done(...withMasks(ignoring, '--classes', '12', '--ignore', '200'));
  });
});

describe('wrong places', () => {
  it.skipIf(mountMissing)(`stops on a full disk and goes on when there is room${mountMissing}`, async () => {
    const disk = mountedDisk(join(room, 'small disk'), 'size=300k');
    const command = smallRun(images, join(disk.folder, 'out'));
    await refuses(
      /the disk that holds .* is full; free some space and start again, finished work is kept$/,
      ...command,
    );
    disk.remount('size=60m');
    await done(...command);
    await assertWholeResult(join(disk.folder, 'out'), images, 3);
  });

  it.skipIf(mountMissing)(`says that a disk is read-only${mountMissing}`, async () => {
    const disk = mountedDisk(join(room, 'fixed disk'), 'size=1m');
    disk.remount('ro');
    await refuses(/lies on a read-only disk; choose another folder/, 'run', images, '--out', join(disk.folder, 'out'));
  });
});

describe.skipIf(dataMissing)(`unusual files${dataMissing}`, () => {
  it('are read or refused with the reason, and shown as a viewer shows them', async () => {
    const odd = join(room, 'unusual');
    mkdirSync(odd);
    for (const name of readdirSync(join(dataFolder, 'odd')))
      copyFileSync(join(dataFolder, 'odd', name), join(odd, name));
    for (let i = 0; i < 8; i++) writeFileSync(join(odd, `good-${i}.jpg`), photo(i));
    const out = join(room, 'unusual out');
    const { peakMemoryBytes } = await doneJson<RunSummary>(
      'run',
      odd,
      '--out',
      out,
      '--clusters',
      '3',
      '--restarts',
      '2',
    );
    await assertWholeResult(out, odd, 3);
    const { rejected, notes } = readReceipt(out);
    expect(rejected).toEqual([
      { image: 'corrupt-header.jpg', reason: 'a JPEG file cut short: it ends before the picture does' },
      {
        image: 'huge-65536x65536.png',
        reason: 'too large: 65536 × 65536 pixels; at most 50 million pixels are accepted',
      },
      { image: 'truncated.jpg', reason: 'a JPEG file cut short: it ends before the picture does' },
      { image: 'truncated.png', reason: 'a PNG file cut short: it ends before the picture does' },
    ]);
    expect(notes).toEqual([
      { image: 'animated-tall.webp', note: 'first of 97 frames taken' },
      { image: 'animated.gif', note: 'first of 30 frames taken' },
      { image: 'animated.gif', note: 'transparency blended over white' },
      { image: 'animated.webp', note: 'first of 10 frames taken' },
      { image: 'cmyk-no-profile.jpg', note: 'CMYK converted to RGB' },
      { image: 'cmyk-with-profile.jpg', note: 'CMYK converted to RGB' },
      { image: 'gray-alpha-8bit.png', note: 'transparency blended over white' },
      { image: 'pngsuite-gray-alpha-bgbn4a08.png', note: 'transparency blended over white' },
      { image: 'pngsuite-rgb-16bit-trns-tbgn2c16.png', note: '16 bits per channel reduced to 8' },
      { image: 'pngsuite-rgb-16bit-trns-tbgn2c16.png', note: 'transparency blended over white' },
      { image: 'rgb-16bit.png', note: '16 bits per channel reduced to 8' },
    ]);
    expect(await readIds(out, 'labels', 'exif-orientation-6.png')).toMatchObject({ width: 600, height: 450 });
    expect(await readIds(out, 'labels', 'exif-orientation-3.png')).toMatchObject({ width: 450, height: 600 });
    expect(peakMemoryBytes).toBeLessThan(1.5 * 2 ** 30);
  });
});
