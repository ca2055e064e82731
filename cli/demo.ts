/** `selflabel demo`, which `npm start` runs: the main job on generated scenes, with nothing to download. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { sceneCategories } from '#core/scenes/categories';
import { describeRun, run } from './run.ts';
import { writeSceneFolder } from './scene-folder.ts';
import { threadsOption } from './shared-options.ts';

/** Enough for eight or more categories to show themselves, few enough for a minute. */
const sceneCount = 160;

/** Passes of the fine-tuning, for the same reason. */
const demoEpochs = 6;

export function registerDemo(program: Command): void {
  program
    .command('demo')
    .description('run the main job on generated scenes; no download, one to three minutes')
    .option('--out <dir>', 'where the scenes and results go', 'selflabel-demo')
    .addOption(threadsOption())
    .action(async (options: { out: string; threads?: number }) => {
      const scenes = join(options.out, 'scenes');
      process.stderr.write(
        `drawing ${sceneCount} scenes with ${sceneCategories.length} kinds of objects into ${scenes}\n`,
      );
      if (!existsSync(join(scenes, 'categories.txt'))) await writeSceneFolder(new SharpCodec(), scenes, sceneCount, 1);
      const summary = await run(join(scenes, 'images'), {
        out: join(options.out, 'result'),
        masks: join(scenes, 'masks'),
        name: 'demo',
        finetune: 'head',
        trainEpochs: demoEpochs,
        ...(options.threads && { threads: options.threads }),
      });
      process.stdout.write(describeRun(summary));
      process.stdout.write(
        'the masks were used to measure, never to train; the filter bank knows colours and textures only: bring a network for real photos (--backbone)\n',
      );
    });
}
