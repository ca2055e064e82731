/** `selflabel predict`: a published model applied to other images. */
import { join } from 'node:path';
import type { Command } from 'commander';
import { keys } from '#core/job/keys';
import type { Receipt } from '#core/job/receipt';
import { parseRequest } from '#core/job/request';
import { readJson } from '#pipeline/documents';
import { runLocally } from './local-runner.ts';
import { assertModelFolder } from './model-folder.ts';
import { oneOf } from './options.ts';
import { threadsOption } from './shared-options.ts';
import { atWork, predictJob } from './workplace.ts';

interface PredictOptions {
  readonly model: string;
  readonly out: string;
  readonly labelFormat: string;
  readonly threads?: number;
  readonly json?: boolean;
}

/** Where the given model lies in the store. */
const modelPrefix = 'models/given/current/';

export function registerPredict(program: Command): void {
  program
    .command('predict')
    .description('apply a model to other images')
    .argument('<images>', 'folder of photos, searched with its subfolders')
    .requiredOption('--model <dir>', 'folder with model.onnx and card.json (DIR/model after a run)')
    .requiredOption('--out <dir>', 'where the label maps go; the same command again resumes')
    .option(
      '--label-format <format>',
      'index: palette PNGs, or 16-bit above 255 classes; imagenet-s: RGB PNGs, id = R + 256·G',
      oneOf('index', 'imagenet-s'),
      'index',
    )
    .addOption(threadsOption())
    .option('--json', 'print the result as one JSON line')
    .action(async (images: string, options: PredictOptions) => {
      const { counts, seconds } = await predict(images, options);
      const summary = { out: options.out, images: counts, seconds: { total: seconds } };
      process.stdout.write(
        options.json
          ? `${JSON.stringify(summary)}\n`
          : `${counts.labelled} labelled, ${counts.empty} empty, ${counts.duplicate} duplicate, ${counts.rejected} rejected; label maps in ${join(options.out, 'labels')}\n`,
      );
    });
}

export async function predict(
  images: string,
  options: PredictOptions,
): Promise<{ counts: Receipt['counts']; seconds: number }> {
  const started = Date.now();
  assertModelFolder(options.model);
  const mounts = [{ prefix: keys.images('local'), folder: images, what: 'images' }];
  return atWork(options.out, predictJob, mounts, options, async workplace => {
    workplace.called(modelPrefix, join(options.model, '/'));
    for (const file of ['model.onnx', 'card.json']) {
      await workplace.putIfChanged(modelPrefix + file, workplace.readUserFile(join(options.model, file), 'model'));
    }
    const names = workplace.readIfThere(join(options.model, 'classes.json'));
    if (names) await workplace.putIfChanged(`${modelPrefix}classes.json`, names);
    else await workplace.ports.store.delete(`${modelPrefix}classes.json`);
    const request = parseRequest({
      kind: 'predict',
      images: keys.images('local'),
      model: modelPrefix,
      labelFormat: options.labelFormat,
    });
    await runLocally(workplace.ports, predictJob, request);
    const { counts } = await readJson<Receipt>(workplace.ports.store, 'receipt.json');
    return { counts, seconds: (Date.now() - started) / 1000 };
  });
}
