import { rmSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import type { LabelMap } from '#core/labels/label-map';
import type { Metrics } from '#core/metrics/finish';
import { readMatching, writeMatching } from '#core/metrics/saved-matching';
import { Random } from '#core/random';
import { type EvaluationRequest, evaluateFolders } from '#pipeline/evaluate-folders';
import { dataFolder, dataMissing } from '../contracts/test-data.ts';
import { inflate } from '../core/formats/zlib-port.ts';
import { randomMap, range } from '../core/metrics/scenes.ts';
import { slowEvaluation } from '../core/metrics/slow-evaluation.ts';
import { grey8, grey16, rgb, row } from './id-pngs.ts';
import { folderWith, openFolder } from './open-folder.ts';

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

/** Metrics and what was noted, for files under `labels/` and `truth/masks/`. */
async function evaluate(files: Parameters<typeof folderWith>[0], more: Partial<EvaluationRequest> = {}) {
  const folder = folderWith(files);
  folders.push(folder);
  return evaluateIn(folder, more);
}

async function evaluateIn(folder: string, more: Partial<EvaluationRequest>) {
  const store = await openFolder(folder);
  const notes: string[] = [];
  const metrics = await evaluateFolders(
    {
      predictions: store,
      truth: store,
      images: { inflate },
      clock: { now: () => 0 },
      log: { progress: () => undefined, note: text => notes.push(text) },
      threads: 2,
    },
    {
      predictions: 'labels/',
      masks: 'truth/masks/',
      matching: 'image',
      background: 'auto',
      continue: false,
      ...more,
    },
  );
  return { metrics, notes };
}

const classOf = (matching: Metrics['matching']) => new Map(Object.entries(matching).map(([p, id]) => [Number(p), id]));

function scenes(count: number, predicted: readonly number[], truths: readonly number[]) {
  const random = new Random(71);
  const pairs = range(1, count).map(i => ({
    prediction: randomMap(random, 20 + i, 17, predicted),
    truth: randomMap(random, 20 + i, 17, truths),
  }));
  const files = (form: (map: LabelMap) => Uint8Array) =>
    Object.fromEntries(
      pairs.flatMap(({ prediction, truth }, i) => [
        [`labels/c${i % 3}/${i}.png`, grey16(prediction)],
        [`truth/masks/c${i % 3}/${i}.png`, form(truth)],
      ]),
    );
  return { pairs, files };
}

describe('evaluating folders', () => {
  it('gives the numbers of the definitions, whatever the form of the masks', async () => {
    const { pairs, files } = scenes(12, range(0, 6), [0, 1, 2, 3, 4]);
    const { metrics } = await evaluate({ ...files(rgb), 'truth/categories.txt': '1\tone\n5\tfive\n' });
    const options = { ignore: [], classes: 5, background: 'auto', classOf: classOf(metrics.matching) } as const;
    const slow = slowEvaluation(pairs, { ...options, ignore: [] });
    expect(metrics.miou).toBeCloseTo(slow.miou, 12);
    expect(metrics.boundaryMiou).toBeCloseTo(slow.boundaryMiou, 12);
    expect(metrics.perClass.map(({ name }) => name)).toEqual([
      'background',
      'one',
      'class 2',
      'class 3',
      'class 4',
      'five',
    ]);
    for (const form of [grey8, grey16]) {
      const again = await evaluate({ ...files(form), 'truth/categories.txt': '1\tone\n5\tfive\n' });
      expect(again.metrics).toEqual(metrics);
    }
  });

  it('has exactly the keys of metrics.json', async () => {
    const { metrics } = await evaluate({ 'labels/a.png': grey8(row(0, 1)), 'truth/masks/a.png': grey8(row(0, 1)) });
    const keys =
      'images classes miou miouForeground boundaryMiou imageAccuracy fBeta sizes boundarySizes foregroundIou perClass matching matchingKind pixelMatched nmi clusterAccuracy threshold skipped baselines seconds';
    expect(Object.keys(metrics).join(' ')).toBe(keys);
    expect(Object.keys(metrics.pixelMatched)).toEqual(['miou', 'miouForeground', 'pixelAccuracy', 'matching']);
    expect(Object.keys(metrics.baselines)).toEqual(['allBackground', 'allForeground', 'centredEllipse', 'pixelKmeans']);
    expect(Object.keys(metrics.perClass[0]!)).toEqual(['id', 'name', 'iou', 'boundaryIou', 'pixels']);
  });

  it('uses a saved matching on another set', async () => {
    const { files } = scenes(8, range(0, 4), [0, 1, 2, 3]);
    const { metrics } = await evaluate(files(grey8));
    const saved = readMatching(writeMatching(metrics.matching, metrics.unmatched), 'match.json', 'auto');
    const again = await evaluate(files(grey8), { matching: saved });
    expect(again.metrics).toEqual({ ...metrics, matchingKind: 'match.json', matchingTied: undefined });
    const other = scenes(3, range(0, 4), [0, 1, 2, 3]);
    const { metrics: reused } = await evaluate(other.files(grey8), { matching: saved, classes: 3 });
    expect(reused.matching).toEqual(metrics.matching);
  });

  it('joins regions where a saved matching gives several ids one class', async () => {
    const { pairs, files } = scenes(8, range(0, 5), [0, 1, 2]);
    const saved = readMatching('{"1":1,"2":1,"3":2,"4":0}', 'joined.json', 'auto');
    const { metrics } = await evaluate(files(grey8), { matching: saved });
    const slow = slowEvaluation(pairs, { ignore: [], classes: 2, background: 'auto', classOf: saved.classOf });
    for (const key of ['miou', 'boundaryMiou', 'imageAccuracy', 'fBeta', 'foregroundIou'] as const) {
      expect(metrics[key]).toBeCloseTo(slow[key]!, 12);
    }
    expect(metrics).toMatchObject({ matching: { 0: 0, 1: 1, 2: 1, 3: 2, 4: 0 }, matchingKind: 'joined.json' });
    const { metrics: unjoined } = await evaluate(files(grey8));
    expect(metrics.pixelMatched).toEqual(unjoined.pixelMatched);
  });

  it('says when other matchings are as good', async () => {
    const files = { 'labels/a.png': grey8(row(0, 1, 2, 2)), 'truth/masks/a.png': grey8(row(0, 1, 2, 1)) };
    const tied = await evaluate(files);
    expect(tied.notes).toEqual([expect.stringContaining('equally good by image')]);
    expect(tied.metrics.matchingTied).toBe(true);
    expect((await evaluate(files, { matching: 'none' })).notes).toEqual([]);
  });
});

describe('what is wrong with files', () => {
  const good = { 'labels/good.png': grey8(row(0, 1)), 'truth/masks/good.png': grey8(row(0, 1)) };
  const bad: [string, Parameters<typeof folderWith>[0], RegExp][] = [
    ['a label map is missing', { 'truth/masks/x/a.png': grey8(row(1)) }, /no label map x\/a\.png/],
    [
      'sizes differ',
      { 'labels/a.png': grey8(row(1, 1, 1)), 'truth/masks/a.png': grey8(row(1)) },
      /mask a\.png is 1×1, but its label map is 3×1/,
    ],
    ['a label map is no PNG', { 'labels/a.png': 'text', 'truth/masks/a.png': grey8(row(1)) }, /label map a\.png/],
    [
      'a mask is cut off',
      { 'labels/a.png': grey8(row(1)), 'truth/masks/a.png': grey8(row(1)).subarray(0, 45) },
      /mask a\.png/,
    ],
    [
      'a mask holds an id above the classes',
      { 'labels/a.png': grey8(row(1)), 'truth/masks/a.png': grey8(row(9)) },
      /mask a\.png holds id 9/,
    ],
  ];

  it.each(bad)('%s: it is named in one line, or skipped', async (_, files, message) => {
    await expect(evaluate({ ...good, ...files }, { classes: 1 })).rejects.toThrow(message);
    await expect(evaluate({ ...good, ...files }, { classes: 1 })).rejects.not.toThrow(/\n/);
    const { metrics } = await evaluate({ ...good, ...files }, { classes: 1, continue: true });
    expect(metrics.images).toBe(1);
    expect(metrics.skipped).toEqual([
      { image: expect.stringContaining('a.png'), reason: expect.stringMatching(message) },
    ]);
  });

  it('stops where nothing is left', async () => {
    await expect(evaluate({ 'labels/a.png': grey8(row(1)) })).rejects.toThrow('no mask (.png) under truth/masks/');
    const missing = { 'truth/masks/a.png': grey8(row(1)) };
    await expect(evaluate(missing, { continue: true })).rejects.toThrow('no image with a mask was counted');
    const ignored = { 'labels/a.png': grey8(row(1)), 'truth/masks/a.png': grey8(row(255)) };
    await expect(evaluate(ignored)).rejects.toThrow('every pixel of every mask is ignored');
  });

  it('notes label maps without a mask, masks that are ignored, and classes that never occur', async () => {
    const { notes, metrics } = await evaluate(
      {
        ...good,
        'labels/b.png': grey8(row(1)),
        'labels/c.png': grey8(row(1)),
        'truth/masks/c.png': grey8(row(255)),
      },
      { classes: 3 },
    );
    expect(metrics).toMatchObject({ images: 2, extraPredictions: 1, ignoredMasks: 1, absentClasses: 2 });
    expect(notes).toEqual([
      expect.stringContaining('without a mask, not counted: b.png'),
      expect.stringMatching(/ignored altogether.*: c\.png$/),
      expect.stringContaining('2 (class 2), 3 (class 3)'),
    ]);
  });
});

describe('predicted ids that are no class', () => {
  const files = {
    'labels/a.png': grey8(row(0, 1, 7, 7)),
    'labels/b.png': grey8(row(0, 9, 2, 2)),
    'truth/masks/a.png': grey8(row(0, 1, 1, 255)),
    'truth/masks/b.png': grey8(row(0, 1, 2, 255)),
    'truth/categories.txt': '1\tone\n2\ttwo\n',
  };

  it('are told and counted, not passed over', async () => {
    const { metrics, notes } = await evaluate(files, { matching: 'none' });
    expect(metrics).toMatchObject({ foreignPredictions: 2, unmatched: [7, 9] });
    expect(notes).toEqual(['ids that are no class match nothing: a.png holds 7, and 1 more label maps hold such']);
    const saved = readMatching('{"1":1,"2":2,"7":null}', 'match.json', 'auto');
    expect((await evaluate(files, { matching: saved })).metrics).toMatchObject({ foreignPredictions: 1 });
    expect((await evaluate(files, { matching: 'image' })).metrics.foreignPredictions).toBeUndefined();
  });

  it('are wrong where they are refused, and left out with continue', async () => {
    await expect(evaluate(files, { matching: 'none', refuseForeign: true })).rejects.toThrow('a.png holds id 7');
    const { metrics } = await evaluate(
      { ...files, 'labels/b.png': grey8(row(0, 1, 2, 9)) },
      {
        matching: 'none',
        refuseForeign: true,
        continue: true,
      },
    );
    expect(metrics).toMatchObject({ images: 1, skipped: [{ image: 'a.png' }] });
  });

  it('do not come from a matching of another set', async () => {
    const saved = readMatching('{"1":1,"2":3}', 'match.json', 'auto');
    await expect(evaluate(files, { matching: saved })).rejects.toThrow(
      'match.json matches 2 to class 3, above the highest class 2',
    );
  });
});

describe.skipIf(dataMissing)(`real masks${dataMissing}`, () => {
  // Measured independently, in Python, pixel by pixel: foreground IoU of all foreground and of the best centred ellipse.
  it.each([
    ['coco128', 128, 80, 0.316, 0.361],
    ['ccp', 300, 58, 0.232, 0.65],
    ['pets', 26, 2, 0.308, 0.555],
  ])(
    '%s: a perfect prediction is perfect, the baselines are as measured elsewhere',
    async (set, count, classes, all, ellipse) => {
      const { metrics, notes } = await evaluateIn(`${dataFolder}/segmentation/${set}`, {
        predictions: 'masks/',
        masks: 'masks/',
        matching: 'none',
      });
      const present = metrics.perClass.filter(({ pixels }) => pixels > 0).length;
      expect(metrics).toMatchObject({ images: count, classes });
      expect(metrics.miou).toBeCloseTo(present / (classes + 1), 9);
      expect(metrics.boundaryMiou).toBeCloseTo(present / (classes + 1), 9);
      expect(metrics.foregroundIou).toBeCloseTo(1, 9);
      expect(metrics.baselines.allForeground.foregroundIou).toBeCloseTo(all, 3);
      expect(metrics.baselines.centredEllipse!.foregroundIou).toBeCloseTo(ellipse, 2);
      expect(notes.length).toBe(present === classes + 1 ? 0 : 1);
    },
  );
});
