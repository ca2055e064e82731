import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { UsageError } from '#core/errors';
import { writeNpy } from '#core/formats/npy';
import { registerEvaluate } from '../../cli/evaluate.ts';
import { rawZip } from '../benchmark/hostile-zips.ts';
import { deflate, inflate } from '../core/formats/zlib-port.ts';
import { grey8, row } from '../pipeline/id-pngs.ts';
import { folderWith, openFolder } from '../pipeline/open-folder.ts';

let folder = '';
const folders: string[] = [];
afterEach(() => {
  vi.restoreAllMocks();
  for (const used of folders.splice(0)) rmSync(used, { recursive: true });
});

/** Runs the command in a new folder with these files; `…` in an argument stands for that folder. */
async function selflabel(files: Parameters<typeof folderWith>[0], ...args: string[]): Promise<string> {
  folder = folderWith(files);
  folders.push(folder);
  const written = vi.spyOn(process.stdout, 'write').mockReturnValue(true).mockClear();
  const program = new Command().exitOverride().configureOutput({ writeErr: () => undefined });
  registerEvaluate(program, () => ({
    images: { inflate, deflate },
    clock: { now: () => 0 },
    log: { progress: () => undefined, note: () => undefined },
    openFolder,
  }));
  await program.parseAsync(
    args.map(arg => arg.replace('…', folder)),
    { from: 'user' },
  );
  return written.mock.calls.map(([text]) => text).join('');
}

const files = {
  'labels/a.png': grey8(row(0, 2, 2, 1)),
  'truth/masks/a.png': grey8(row(0, 1, 1, 2)),
  'truth/categories.txt': '1\tcat\n2\tdog\n',
};
const options = ['evaluate', '--predictions', '…/labels', '--masks', '…/truth/masks'];

describe('selflabel evaluate', () => {
  it('prints a table', async () => {
    const text = await selflabel(files, ...options);
    expect(text).toContain('1 images, 2 classes, matching: image');
    expect(text).toMatch(/predictions +100\.0 % +100\.0 % +100\.0 %/);
    expect(text).toMatch(/dog +100\.0 % +100\.0 %/);
  });

  it('prints one JSON line and nothing else, or writes a file', async () => {
    const metrics = JSON.parse(await selflabel(files, ...options, '--json'));
    expect(metrics).toMatchObject({ images: 1, classes: 2, matching: { 0: 0, 1: 2, 2: 1 }, seconds: 0 });
    expect(await selflabel(files, ...options, '--json', '…/metrics.json')).toContain('predictions');
    expect(JSON.parse(readFileSync(join(folder, 'metrics.json'), 'utf8'))).toEqual(metrics);
  });

  it('takes all its options', async () => {
    const more = ['--matching', 'none', '--classes', '3', '--ignore', '2', '--ignore', '7,8', '--threads', '1'];
    const metrics = JSON.parse(await selflabel(files, ...options, ...more, '--background', 'none', '--json'));
    expect(metrics).toMatchObject({ classes: 3, matchingKind: 'none', fBeta: null });
    expect(metrics.perClass.map(({ pixels }: { pixels: number }) => pixels)).toEqual([1, 2, 0]);
  });

  it('saves a matching and uses it', async () => {
    await selflabel(files, ...options, '--save-matching', '…/match.json');
    const saved = readFileSync(join(folder, 'match.json'), 'utf8');
    expect(JSON.parse(saved)).toEqual({ 0: 0, 1: 2, 2: 1 });
    const again = { ...files, 'match.json': saved };
    const metrics = JSON.parse(await selflabel(again, ...options, '--matching', '…/match.json', '--json'));
    expect(metrics).toMatchObject({ matchingKind: 'match.json', matching: { 0: 0, 1: 2, 2: 1 } });
    expect(metrics.miou).toBeCloseTo(1, 9);
  });

  it('says in one line what is wrong, and leaves it out with --continue', async () => {
    const broken = { ...files, 'truth/masks/b.png': grey8(row(1)) };
    await expect(selflabel(broken, ...options, '--save-matching', '…/match.json')).rejects.toThrow(
      'no label map b.png',
    );
    expect(existsSync(join(folder, 'match.json'))).toBe(false);
    const metrics = JSON.parse(await selflabel(broken, ...options, '--continue', '--json'));
    expect(metrics).toMatchObject({ images: 1, skipped: [{ image: 'b.png' }] });
    expect(await selflabel(broken, ...options, '--continue')).toContain(
      '1 skipped, first: there is no label map b.png',
    );
  });

  it.each([
    [['evaluate'], /needs --predictions DIR and --masks DIR/],
    [['evaluate', '--predictions', '…/none', '--masks', '…/truth/masks'], /none is not there/],
    [['evaluate', '--predictions', '…/labels', '--masks', '…/truth/categories.txt'], /is not a folder/],
    [[...options, '--matching', 'best'], /best is no file; --matching is image, pixel, none or a file/],
    [[...options, '--matching', '…/truth/categories.txt'], /categories\.txt is not JSON/],
    [[...options, '--classes', 'two'], /whole number from 1 to 65000/],
    [[...options, '--background', 'some'], /Allowed choices are auto, none/],
  ])('refuses %j', async (args, message) => {
    await expect(selflabel(files, ...args)).rejects.toThrow(message);
  });

  it('counts a missing option as wrong usage', async () => {
    await expect(selflabel(files, 'evaluate')).rejects.toBeInstanceOf(UsageError);
  });
});

describe('selflabel evaluate, other forms', () => {
  const same = ['--matching', 'none', '--json'];
  const json = async (...given: Parameters<typeof selflabel>) => JSON.parse(await selflabel(...given));

  it('reads label maps from a zip', async () => {
    const zip = rawZip([{ name: 'a.png', bytes: files['labels/a.png'] }]);
    const given = ['evaluate', '--predictions', '…/x.zip', '--masks', '…/truth/masks', '--json'];
    expect(await json({ ...files, 'x.zip': zip }, ...given)).toEqual(await json(files, ...options, '--json'));
  });

  it('finds the best of 81 thresholds, and uses it', async () => {
    const score = writeNpy({ kind: 'float32', shape: [1, 4], data: Float32Array.of(0.2, 0.5, 0.6, 0.3) });
    const given = {
      'labels/a.png': grey8(row(1, 1, 1, 1)),
      'truth/masks/a.png': grey8(row(0, 1, 1, 0)),
      'scores/a.npy': score,
    };
    const metrics = await json(given, ...options, '--threshold-sweep', '…/scores', ...same);
    expect(metrics).toMatchObject({ threshold: 0.31, miou: expect.closeTo(1, 9) });
    expect(metrics.thresholdSweep.miou).toHaveLength(81);
    expect(metrics.thresholdSweep.miou[0]).toBeCloseTo(0.25, 9);
    await expect(selflabel(files, ...options, '--threshold-sweep', '…/labels')).rejects.toThrow('no scores a.npy');
  });

  it('joins classes under their parents', async () => {
    const given = { ...files, 'labels/a.png': grey8(row(0, 2, 1, 2)), 'up.json': '{"cat": "animal", "2": "animal"}' };
    const metrics = await json(given, ...options, '--hierarchy', '…/up.json', ...same);
    expect(metrics.hierarchy).toEqual([
      {
        level: 1,
        classes: 1,
        miou: expect.closeTo(1, 9),
        miouForeground: expect.closeTo(1, 9),
        imageAccuracy: 1,
        perClass: [
          { name: 'background', iou: expect.closeTo(1, 9), pixels: 1 },
          { name: 'animal', iou: expect.closeTo(1, 9), pixels: 3 },
        ],
      },
    ]);
    for (const [text, message] of [
      ['{"cat": "dog", "dog": "cat"}', /goes in a circle/],
      ['{"bird": "animal"}', /names no parent of any class/],
      ['[]', /no parents/],
      ['{"cat": 3}', /is no name/],
    ] as const) {
      const wrong = selflabel({ ...given, 'up.json': text }, ...options, '--hierarchy', '…/up.json');
      await expect(wrong).rejects.toThrow(message);
    }
  });

  it('takes COCO instances as ground truth', async () => {
    const square = [0, 0, 2, 0, 2, 2, 0, 2];
    const coco = {
      images: [{ id: 7, file_name: 'a.jpg', width: 3, height: 2 }],
      annotations: [
        { image_id: 7, category_id: 9, segmentation: { size: [2, 3], counts: [0, 6] }, area: 6 },
        { image_id: 7, category_id: 4, segmentation: [square], area: 4 },
      ],
      categories: [
        { id: 9, name: 'dog' },
        { id: 4, name: 'cat' },
      ],
    };
    const map = { width: 3, height: 2, data: Uint16Array.of(1, 1, 2, 1, 1, 2) };
    const given = { 'labels/a.png': grey8(map), 'i.json': JSON.stringify(coco) };
    const args = ['evaluate', '--predictions', '…/labels', '--masks', '…/i.json'];
    const metrics = await json(given, ...args, ...same);
    expect(metrics).toMatchObject({ classes: 2, miouForeground: expect.closeTo(1, 9) });
    expect(metrics.perClass.map(({ name, pixels }: { name: string; pixels: number }) => [name, pixels])).toEqual([
      ['background', 0],
      ['cat', 4],
      ['dog', 2],
    ]);
    await expect(selflabel({ ...given, 'i.json': '{}' }, ...args)).rejects.toThrow('i.json is no COCO instances file');
  });

  it('takes a VOC folder as ground truth', async () => {
    const given = {
      'labels/a.png': grey8(row(0, 20, 1, 7)),
      'voc/SegmentationClass/a.png': grey8(row(0, 20, 1, 255)),
    };
    const metrics = await json(given, 'evaluate', '--predictions', '…/labels', '--masks', '…/voc', ...same);
    expect(metrics).toMatchObject({ classes: 20, miouForeground: expect.closeTo(1, 9) });
    expect(metrics.perClass[20]).toMatchObject({ name: 'tvmonitor', pixels: 1 });
  });

  it('counts label maps without a mask', async () => {
    const metrics = await json({ ...files, 'labels/z.png': grey8(row(1)) }, ...options, '--json');
    expect(metrics.extraPredictions).toBe(1);
  });
});

describe('selflabel evaluate clusters', () => {
  const csv =
    'image,cluster,distance,confidence\na/1.jpg,0,0.1,1\na/2.jpg,0,0.1,1\n"b/3,x.jpg",1,0.1,1\nb/c/4.jpg,0,0.1,1\n';
  const args = ['evaluate', 'clusters', '--clusters', '…/clusters.csv'];

  it('compares clusters with the first folder of each path', async () => {
    expect(await selflabel({ 'clusters.csv': csv }, ...args)).toBe(
      '4 images, 2 clusters, 2 folders\n  NMI               0.3437\n  cluster accuracy  0.7500\n',
    );
    const agreement = JSON.parse(await selflabel({ 'clusters.csv': csv }, ...args, '--json'));
    expect(agreement).toEqual({
      images: 4,
      clusters: 2,
      classes: 2,
      nmi: expect.closeTo(0.34371, 5),
      clusterAccuracy: 0.75,
    });
  });

  it('needs folders', async () => {
    const flat = 'image,cluster,distance,confidence\n1.jpg,0,0.1,1\n';
    await expect(selflabel({ 'clusters.csv': flat }, ...args)).rejects.toThrow('two or more folders');
    await expect(selflabel({}, ...args)).rejects.toThrow('is no file');
  });
});
