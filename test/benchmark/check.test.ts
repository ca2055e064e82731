import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FolderStore } from '#adapters/local/folder-store';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { type BenchmarkCheck, checkBenchmark } from '#pipeline/check-benchmark';
import { grey8, rgb, row } from '../pipeline/id-pngs.ts';
import { wnids, writeSmallImageNetS } from './small-imagenet-s.ts';

const folder = mkdtempSync(join(tmpdir(), 'selflabel-check-'));
beforeAll(async () => void (await writeSmallImageNetS(folder)));
afterAll(() => rmSync(folder, { recursive: true }));

async function check(): Promise<BenchmarkCheck> {
  const log = { progress: () => undefined, note: () => undefined };
  return checkBenchmark({ store: await FolderStore.open(folder), images: new SharpCodec(), log, threads: 2 });
}

describe('benchmark check', () => {
  it('finds a whole folder in order', async () => {
    const { problems, notes, ...rest } = await check();
    expect(problems).toEqual([]);
    expect(notes).toEqual(['3 classes: not 50, 300 or 919, so no counts to compare with']);
    expect(rest).toMatchObject({ classes: 3, subset: null, categories: { 1: wnids[0], 2: wnids[1], 3: wnids[2] } });
    expect(rest.splits).toContainEqual({ split: 'validation', images: 6, masks: 6 });
  });

  it('names everything that is wrong', async () => {
    const masks = join(folder, 'validation-segmentation', wnids[0]!);
    const [first, second] = [0, 1].map(i => join(masks, `ILSVRC2012_validation_00000000${i}.png`)) as [string, string];
    renameSync(second, join(masks, 'other.png'));
    writeFileSync(first, rgb(row(0, 4, 1000)));
    writeFileSync(join(folder, 'validation-segmentation', wnids[1]!, 'ILSVRC2012_validation_000000010.png'), 'no png');
    writeFileSync(
      join(folder, 'validation-segmentation', wnids[1]!, 'ILSVRC2012_validation_000000011.png'),
      grey8(row(2)),
    );
    mkdirSync(join(folder, 'train/n04356056'));
    writeFileSync(join(folder, 'train/n04356056/x.JPEG'), '');
    rmSync(join(folder, 'test', wnids[2]!), { recursive: true });
    const problems = (await check()).problems.join('\n');
    for (const line of [
      'train/n04356056: it is no class of this subset',
      `test/${wnids[2]} is missing`,
      `validation-segmentation/${wnids[0]}/ILSVRC2012_validation_000000001.png is missing`,
      `validation-segmentation/${wnids[0]}/other.png has no image in validation/`,
      '000000000.png: holds id 4, above 3',
      '000000010.png: the mask is not a PNG file',
      '000000011.png: not RGB; ImageNet-S stores id = R + 256·G',
      "masks hold their folder's class",
    ]) {
      expect(problems).toContain(line);
    }
  });
});
