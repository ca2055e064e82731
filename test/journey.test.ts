/** One journey as a new user makes it, through the built command line: folder → run → names → exports → model → report. */
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { parseNearDuplicatesCsv } from '#core/formats/near-duplicates-csv';
import { decompressCounts, maskOfCounts } from '#core/formats/rle';
import type { Card } from '#core/labels/card';
import type { ClassMap } from '#core/labels/class-map';
import { parseMergeProposals } from '#core/labels/merge-proposals';
import type { Metrics } from '#core/metrics/finish';
import type { RunSummary } from '../cli/run-summary.ts';
import { writeSceneFolder } from '../cli/scene-folder.ts';
import { done, doneJson, selflabel } from './command-line.ts';
import { dataFolder, dataMissing } from './contracts/test-data.ts';
import { chromiumReason, hasChromium } from './pages/chromium.ts';
import { assertReportOpens } from './pages/opened-report.ts';
import { shareOfEqualPixels } from './published-model.ts';
import { filesBelow, hashesBelow, readIds, readJsonFile, readReceipt, resultBytes } from './result-folder.ts';
import { scratchRoom } from './scratch-rooms.ts';
import { whileServing } from './served.ts';
import { assertWholeResult } from './whole-result.ts';

const codec = new SharpCodec();
const room = scratchRoom();
const scenes = 24;

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const markers = (out: string, stage: string) => readdirSync(join(out, 'jobs', 'local', 'done', stage)).sort();

describe('the journey on painted scenes', () => {
  const world = join(room, 'scenes');
  const [images, masks, out] = [join(world, 'images'), join(world, 'masks'), join(room, 'result')];
  const command = ['run', images, '--out', out, '--masks', masks, '--clusters', '8', '--restarts', '3'];
  let summary: RunSummary;
  let firstBytes: Record<string, string>;

  beforeAll(async () => {
    await writeSceneFolder(codec, world, scenes, 3);
    summary = await doneJson<RunSummary>(...command);
    firstBytes = resultBytes(out);
  });

  it('labels every photo and accounts for every file', () => assertWholeResult(out, images, 8));

  it('says in one JSON object what it did', () => {
    expect(summary).toMatchObject({ out, images: { total: scenes, rejected: 0 }, clusters: 8 });
    expect(summary.metrics).toEqual(readJsonFile(out, 'metrics.json'));
    expect(existsSync(summary.report) && existsSync(join(summary.model!, 'model.onnx'))).toBe(true);
    expect(summary.bound!.decodeRate).toBeGreaterThan(0);
    expect(summary.bound!.modelRate).toBeGreaterThan(0);
  });

  it('writes what it proposes to merge and which photos look alike', () => {
    const read = (file: string) => readFileSync(join(out, file));
    const proposals = parseMergeProposals(read('merges.json'));
    expect(proposals.every(({ clusters: [a, b] }) => a < b && b < 8)).toBe(true);
    expect(() => parseNearDuplicatesCsv(read('near-duplicates.csv').toString())).not.toThrow();
  });

  it('finds the foreground better than calling everything foreground', () => {
    const { foregroundIou, baselines } = readJsonFile<Metrics>(out, 'metrics.json');
    expect(foregroundIou).toBeGreaterThan(baselines.allForeground.foregroundIou! + 0.1);
  });

  it('measures the same with evaluate as in the run', async () => {
    const again = await doneJson<Metrics>('evaluate', '--predictions', join(out, 'labels'), '--masks', masks);
    const { miou, foregroundIou, boundaryMiou, pixelMatched, matching } = readJsonFile<Metrics>(out, 'metrics.json');
    expect(again).toMatchObject({ miou, foregroundIou, boundaryMiou, pixelMatched, matching });
  });

  it('changes no byte when it runs again', async () => {
    const before = hashesBelow(out);
    await done(...command);
    expect(hashesBelow(out)).toEqual(before);
  });

  it('gives the same labels by predict as by run, byte for byte', async () => {
    const predicted = join(room, 'predicted');
    await done('predict', images, '--model', join(out, 'model'), '--out', predicted);
    expect(hashesBelow(join(predicted, 'labels'))).toEqual(hashesBelow(join(out, 'labels')));
    expect(readReceipt(predicted).counts).toEqual(readReceipt(out).counts);
  });

  it('answers over HTTP with the same labels, byte for byte', async () => {
    const { code } = await whileServing([join(out, 'model'), '--quiet'], async url => {
      for (const name of ['0001', '0008']) {
        const response = await fetch(`${url}/v1/segment`, {
          method: 'POST',
          headers: { 'content-type': 'image/jpeg', accept: 'image/png' },
          body: readFileSync(join(images, `${name}.jpg`)),
        });
        const mask = Buffer.from(await response.arrayBuffer());
        expect(mask.equals(readFileSync(join(out, 'labels', `${name}.png`))), name).toBe(true);
      }
    });
    expect(code).toBe(0);
  });

  it('publishes a model that gives the same labels without this program', async () => {
    expect(await shareOfEqualPixels(out, images, ['0001.jpg', '0008.jpg', '0017.jpg'])).toBeGreaterThanOrEqual(0.9999);
  });

  it('labels photos it has not seen, also those of another size', async () => {
    const fresh = join(room, 'fresh');
    await writeSceneFolder(codec, fresh, 3, 99);
    mkdirSync(join(fresh, 'images', 'tall'));
    const { image } = await codec.decode(readFileSync(join(images, '0000.jpg')));
    writeFileSync(
      join(fresh, 'images', 'tall', 'a.jpg'),
      await codec.encodeJpeg(await codec.resize(image, 90, 333), 90),
    );
    const told = await doneJson(
      'predict',
      join(fresh, 'images'),
      '--model',
      join(out, 'model'),
      '--out',
      join(room, 'new'),
    );
    expect(told).toMatchObject({ images: { total: 4, rejected: 0 } });
    expect(await readIds(room, 'new', 'labels', 'tall', 'a.png')).toMatchObject({ width: 90, height: 333 });
  });

  it('keeps names and merges in classes.json, the model and every export', async () => {
    const maps = hashesBelow(join(out, 'labels'));
    const [first, second, third] = [1, 2, 3] as const;
    await done('classes', 'rename', out, String(first), 'striped thing');
    await done('classes', 'merge', out, String(second), String(third), '--name', 'both & "more"');
    const { classes } = readJsonFile<ClassMap>(out, 'classes.json');
    expect(classes.find(item => item.id === first)!.name).toBe('striped thing');
    expect(classes.find(item => item.id === second)).toMatchObject({
      name: 'both & "more"',
      clusters: [second - 1, third - 1].sort((a, b) => a - b),
    });
    expect(classes).toHaveLength(7);
    expect(readFileSync(join(out, 'model', 'classes.json'))).toEqual(readFileSync(join(out, 'classes.json')));
    expect(hashesBelow(join(out, 'labels'))).toEqual(maps);
    await assertCoco(join(room, 'coco'), second, third);
    await assertPngs(join(room, 'png'), second, third);
    await done(...command);
    expect(readJsonFile<ClassMap>(out, 'classes.json').classes).toEqual(classes);
  });

  /** Every annotation decoded: what the label map says, with the third class joined to the second. */
  async function assertCoco(to: string, second: number, third: number): Promise<void> {
    await done('export', out, '--format', 'coco', '--to', to);
    const coco = readJsonFile<Coco>(to, 'annotations', 'instances_default.json');
    expect(coco.categories).toHaveLength(7);
    expect(coco.categories.find(one => one.id === second)!.name).toBe('both & "more"');
    expect(coco.images.map(one => one.file_name)).toEqual(filesBelow(images));
    for (const { id, file_name, width, height } of coco.images) {
      const painted = new Uint16Array(width * height);
      for (const one of coco.annotations.filter(annotation => annotation.image_id === id)) {
        const mask = maskOfCounts(decompressCounts(one.segmentation.counts), width, height);
        for (let i = 0; i < mask.length; i++) if (mask[i]) painted[i] = one.category_id;
      }
      const { ids } = await readIds(out, 'labels', file_name.replace('.jpg', '.png'));
      expect(sameIds(painted, joined(ids, second, third)), file_name).toBe(true);
    }
  }

  async function assertPngs(to: string, second: number, third: number): Promise<void> {
    await done('export', out, '--format', 'png', '--to', to);
    expect(readFileSync(join(to, 'categories.txt'), 'utf8')).toContain(`\n${second}\tboth & "more"\n`);
    for (const name of filesBelow(join(out, 'labels'))) {
      const { ids } = await readIds(out, 'labels', name);
      expect(sameIds((await readIds(to, 'masks', name)).ids, joined(ids, second, third)), name).toBe(true);
    }
  }

  it('keeps the names where only the measuring changes', async () => {
    const { classes } = readJsonFile<ClassMap>(out, 'classes.json');
    await done(...command, '--ignore', '3');
    expect(readJsonFile<ClassMap>(out, 'classes.json').classes).toEqual(classes);
    expect(readFileSync(join(out, 'model', 'classes.json'))).toEqual(readFileSync(join(out, 'classes.json')));
  });

  it('clusters anew without embedding again', async () => {
    const [attended, embedded] = [markers(out, 'attend'), markers(out, 'embed')];
    const clustered = markers(out, 'cluster');
    await done('run', images, '--out', out, '--masks', masks, '--clusters', '5', '--restarts', '3');
    expect([markers(out, 'attend'), markers(out, 'embed')]).toEqual([attended, embedded]);
    expect(markers(out, 'cluster').length).toBe(2 * clustered.length);
    expect(readJsonFile<ClassMap>(out, 'classes.json').classes).toHaveLength(5);
    await assertWholeResult(out, images, 5);
  });

  it('keeps the names given by hand beside classes that are new', () => {
    expect(readFileSync(join(out, 'classes.previous.json'), 'utf8')).toContain('striped thing');
  });

  it('gives the same bytes in another folder', async () => {
    const other = join(room, 'other');
    await done('run', images, '--out', other, '--masks', masks, '--clusters', '5', '--restarts', '3', '--threads', '1');
    expect(resultBytes(other)).toEqual(resultBytes(out));
  });

  it('goes back to the first settings without work, and gives the first results', async () => {
    const worked = markers(out, 'label');
    await done(...command);
    expect(markers(out, 'label')).toEqual(worked);
    expect(resultBytes(out)).toEqual(firstBytes);
  });

  it('fine-tunes a model on the labels, keeps them beside its own, and takes it back', async () => {
    const pseudo = hashesBelow(join(out, 'labels'));
    const tuning = ['--finetune', 'head', '--train-epochs', '2', '--train-batch', '8'];
    const { metrics } = await doneJson<RunSummary>(...command, ...tuning);
    expect(hashesBelow(join(out, 'pseudo-labels'))).toEqual(pseudo);
    expect(hashesBelow(join(out, 'labels'))).not.toEqual(pseudo);
    expect(readJsonFile<Card>(out, 'model', 'card.json')).toMatchObject({
      decision: { kind: 'argmax' },
      finetune: { scope: 'head', pictures: scenes, batch: 8, steps: 6 },
    });
    expect(metrics!.pseudo).toMatchObject({ images: scenes, foregroundIou: expect.any(Number) });
    await assertWholeResult(out, images, 8);
    const predicted = join(room, 'tuned');
    await done('predict', images, '--model', join(out, 'model'), '--out', predicted);
    expect(hashesBelow(join(predicted, 'labels'))).toEqual(hashesBelow(join(out, 'labels')));
    await done(...command);
    expect(resultBytes(out)).toEqual(firstBytes);
    expect(existsSync(join(out, 'pseudo-labels', '0000.png'))).toBe(false);
  });

  it('trains a model on a few masks, which predict applies', async () => {
    const trained = join(room, 'trained');
    const words = ['train', 'finetune', images, '--backbone', 'filter-bank', '--labels', masks, '--out', trained];
    const told = await doneJson<{ steps: number; pictures: number }>(
      ...[...words, '--finetune', 'head', '--train-epochs', '1', '--train-batch', '8'],
    );
    expect(told).toMatchObject({ steps: 3, pictures: scenes, classes: 12 });
    const predicted = join(room, 'from masks');
    await done('predict', images, '--model', join(trained, 'model'), '--out', predicted);
    expect(filesBelow(join(predicted, 'labels'))).toHaveLength(scenes);
  });

  it.skipIf(!hasChromium)(`writes a report that opens from a folder${chromiumReason}`, () =>
    assertReportOpens(out, room),
  );
});

/** `expect` compares large arrays element by element, which takes minutes. */
const sameIds = (a: Uint16Array, b: Uint16Array) => Buffer.compare(Buffer.from(a.buffer), Buffer.from(b.buffer)) === 0;

const joined = (ids: Uint16Array, first: number, second: number) =>
  Uint16Array.from(ids, label => (label === second ? first : label));

interface Coco {
  readonly images: readonly { id: number; file_name: string; width: number; height: number }[];
  readonly categories: readonly { id: number; name: string }[];
  readonly annotations: readonly { image_id: number; category_id: number; segmentation: { counts: string } }[];
}

describe.skipIf(dataMissing)(`the journey on real photos with a real network${dataMissing}`, () => {
  const pets = join(dataFolder, 'segmentation', 'pets');
  const [images, out] = [join(room, 'pets', 'images'), join(room, 'pets', 'result')];

  it('labels pets by a pretrained network, measured against their masks', async () => {
    mkdirSync(images, { recursive: true });
    const names = readdirSync(join(pets, 'images'));
    for (const name of names) copyFileSync(join(pets, 'images', name), join(images, name));
    const backbone = join(dataFolder, 'models', 'mobilenetv2-1.0-features.onnx');
    const command = ['run', images, '--out', out, '--masks', join(pets, 'masks'), '--backbone', backbone];
    const { metrics } = await doneJson<RunSummary>(...command, '--clusters', '4');
    await assertWholeResult(out, images, 4);
    expect(metrics!.images).toBe(names.length);
    expect(metrics!.foregroundIou).toBeGreaterThan(metrics!.baselines.allForeground.foregroundIou!);
    expect(await shareOfEqualPixels(out, images, names.slice(0, 2))).toBeGreaterThanOrEqual(0.9999);
    const predicted = join(room, 'pets', 'predicted');
    await done('predict', images, '--model', join(out, 'model'), '--out', predicted);
    expect(hashesBelow(join(predicted, 'labels'))).toEqual(hashesBelow(join(out, 'labels')));
    if (hasChromium) await assertReportOpens(out, room);
    expect((await selflabel('export', out, '--format', 'cvat', '--to', join(out, 'export', 'cvat'))).code).toBe(0);
  });
});
