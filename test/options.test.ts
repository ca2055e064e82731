/** Every option of `run` in the same folder, one after another: valid results, and a model that gives the same labels. */
import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import type { RunSummary } from '../cli/run-summary.ts';
import { writeSceneFolder } from '../cli/scene-folder.ts';
import { done, doneJson, smallRun } from './command-line.ts';
import { filesBelow, readIds } from './result-folder.ts';
import { scratchRoom } from './scratch-rooms.ts';
import { assertWholeResult } from './whole-result.ts';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const room = scratchRoom();
const world = join(room, 'scenes');
const [images, masks, few] = [join(world, 'images'), join(world, 'masks'), join(room, 'few')];
/** What does not depend on an option is not computed again. */
const base = join(room, 'base');
const baseCommand = (...more: string[]) => smallRun(images, base, ...more);

beforeAll(async () => {
  await writeSceneFolder(new SharpCodec(), world, 12, 8);
  mkdirSync(few);
  for (const name of ['0001.jpg', '0006.jpg']) copyFileSync(join(images, name), join(few, name));
});

describe('every option gives valid results', () => {
  it.each([
    ['--label-format', 'imagenet-s'],
    ['--threshold', '0.1'],
    ['--threshold', 'from-masks'],
    ['--unit', 'pixels'],
    ['--unit', 'object'],
    ['--unit', 'image'],
    ['--background', 'none'],
    ['--attention', 'norm'],
    ['--attention', 'border'],
    ['--refine', 'none'],
    ['--seed', '5'],
    ['--scales', '2'],
    ['--method', 'pass'],
    ['--sample', '8'],
    ['--clusters', 'auto'],
  ])('%s %s', async (option, value) => {
    const more = option === '--threshold' ? ['--masks', masks] : [];
    if (value === 'pass') more.push('--train-epochs', '1', '--train-batch', '4');
    const { clusters } = await doneJson<RunSummary>(...baseCommand(option, value, ...more));
    // A fifth of twelve photos: nothing but 2 can be tried.
    expect(clusters).toBe(value === 'auto' ? 2 : 3);
    await assertWholeResult(base, images, clusters);
    const { ids, kind } = await readIds(base, 'labels', '0001.png');
    expect(kind).toBe(value === 'imagenet-s' ? 'rgb' : 'index8');
    if (value === 'none' && option === '--background') expect(ids.every(id => id > 0)).toBe(true);
    const predicted = join(room, `predicted ${option} ${value}`);
    await done('predict', few, '--model', join(base, 'model'), '--out', predicted);
    for (const name of filesBelow(join(predicted, 'labels'))) {
      const [first, second] = [await readIds(base, 'labels', name), await readIds(predicted, 'labels', name)];
      expect(Buffer.compare(Buffer.from(first.ids.buffer), Buffer.from(second.ids.buffer)), name).toBe(0);
    }
  });
});

describe('--val-images and --val-masks', () => {
  const metricsOf = (...path: string[]) => JSON.parse(readFileSync(join(base, ...path, 'metrics.json'), 'utf8'));

  it('say where the threshold and the matching come from, and leave nothing behind without them', async () => {
    const fromMasks = ['--threshold', 'from-masks', '--masks', masks];
    const own = await doneJson<RunSummary>(...baseCommand(...fromMasks));
    expect(metricsOf().matchingKind).toBe('image');
    const validation = ['--val-images', few, '--val-masks', masks];
    const { threshold } = await doneJson<RunSummary>(...baseCommand(...fromMasks, ...validation));
    expect(threshold).not.toBe(own.threshold);
    expect(metricsOf('validation')).toMatchObject({ images: 2, matchingKind: 'image', threshold });
    const saved = JSON.parse(readFileSync(join(base, 'match.json'), 'utf8'));
    expect(saved).toMatchObject(metricsOf('validation').matching);
    const { matching, miou } = metricsOf();
    expect(matching).toEqual(saved);
    const measured = ['--masks', masks, '--matching', join(base, 'match.json')];
    expect(await doneJson('evaluate', '--predictions', join(base, 'labels'), ...measured)).toMatchObject({
      matchingKind: 'match.json',
      matching,
      miou,
    });
    expect(filesBelow(join(base, 'validation', 'labels'))).toEqual(['0001.png', '0006.png']);
    expect(await readIds(base, 'labels', '0006.png')).toEqual(await readIds(base, 'validation/labels', '0006.png'));

    const alone = await doneJson<RunSummary>(...baseCommand('--threshold', 'from-masks', ...validation));
    expect(alone).toMatchObject({ threshold, metrics: null });
    expect(readFileSync(join(base, 'report', 'index.html'), 'utf8')).toContain('2 images of the validation set');
    await done(...baseCommand());
    expect(['match.json', 'validation', 'metrics.json'].filter(name => existsSync(join(base, name)))).toEqual([]);
  });
});
