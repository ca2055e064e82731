/** The built command on several threads gives what one gives. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Random } from '#core/random';
import { doneJson, selflabel } from '../command-line.ts';
import { scratchFolder } from '../contracts/scratch-folder.ts';
import { randomMap, range } from '../core/metrics/scenes.ts';
import { grey8 } from '../pipeline/id-pngs.ts';
import { rawZip } from './hostile-zips.ts';

it('evaluate does not depend on threads, nor on folder or zip, and names the first wrong file', {
  timeout: 120_000,
}, async () => {
  const folder = scratchFolder();
  const random = new Random(5);
  for (const part of ['masks', 'labels']) mkdirSync(join(folder, part));
  const maps = range(100, 199).map(i => {
    const bytes = grey8(randomMap(random, 14, 11, range(0, 8)));
    writeFileSync(join(folder, 'labels', `${i}.png`), bytes);
    writeFileSync(join(folder, 'masks', `${i}.png`), grey8(randomMap(random, 14, 11, [0, 1, 2, 3, 4, 255])));
    return { name: `${i}.png`, bytes };
  });
  writeFileSync(join(folder, 'labels.zip'), rawZip(maps));
  const words = (labels: string) => [
    'evaluate',
    '--predictions',
    join(folder, labels),
    '--masks',
    join(folder, 'masks'),
  ];
  const run = async (labels: string, threads: string) => {
    const { seconds, ...metrics } = await doneJson<{ seconds: number }>(...words(labels), '--threads', threads);
    expect(seconds).toBeGreaterThanOrEqual(0);
    return metrics;
  };
  const alone = await run('labels', '1');
  expect(await run('labels', '3')).toEqual(alone);
  expect(await run('labels.zip', '2')).toEqual(alone);
  writeFileSync(join(folder, 'labels/150.png'), 'broken');
  writeFileSync(join(folder, 'labels/190.png'), 'broken');
  const { code, err } = await selflabel(...words('labels'), '--threads', '3');
  expect([code, err.trim().split('\n').at(-1)]).toEqual([1, expect.stringContaining('label map 150.png is not a PNG')]);
});
