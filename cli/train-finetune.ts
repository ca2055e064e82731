/** `selflabel train finetune`: a segmentation model from photos and a few masks. */
import { join } from 'node:path';
import type { Command } from 'commander';
import { UsageError } from '#core/errors';
import { keys } from '#core/job/keys';
import { toJson } from '#pipeline/documents';
import { finetuneOnMasks, type MaskTrained } from '#pipeline/finetune-on-masks';
import { integer, nameOption, networkOr, oneOf, positive } from './options.ts';
import { install, installCategories } from './run.ts';
import { classesOption, ignoreOption, seedOption, threadsOption } from './shared-options.ts';
import { atWork, trainJob } from './workplace.ts';

interface TrainOptions {
  readonly backbone: string;
  readonly labels: string;
  readonly out: string;
  readonly finetune: 'head' | 'all';
  readonly classes?: number;
  readonly ignore?: number[];
  readonly trainMinutes?: number;
  readonly trainEpochs?: number;
  readonly trainBatch?: number;
  readonly seed: number;
  readonly name: string;
  readonly threads?: number;
  readonly json?: boolean;
}

export function registerTrainFinetune(train: Command): void {
  train
    .command('finetune')
    .description('train a segmentation model on photos with masks (the semi-supervised recipe)')
    .argument('<images>', 'folder of photos; those without a mask are left out')
    .requiredOption('--backbone <file>', 'network to begin with (.onnx), or filter-bank', networkOr('filter-bank'))
    .requiredOption('--labels <dir>', 'masks of the photos, <same path>.png with class ids; 0 is background')
    .requiredOption('--out <dir>', 'where the model goes; the same command again resumes')
    .option('--finetune <what>', 'all: the whole network; head: the last layer only', oneOf('all', 'head'), 'all')
    .addOption(classesOption())
    .addOption(ignoreOption())
    .option('--train-minutes <m>', 'how long to train (default: by passes over the photos)', positive)
    .option('--train-epochs <n>', 'passes over the photos (default: 100)', integer(1, 100_000))
    .option('--train-batch <n>', 'photos per training step (default: 16)', integer(1, 4096))
    .addOption(seedOption())
    .option('--name <name>', 'name of the model', nameOption, 'selflabel')
    .addOption(threadsOption())
    .option('--json', 'print the result as one JSON line')
    .action(async (images: string, options: TrainOptions) => {
      const trained = await trainFinetune(images, options);
      const told = { out: options.out, model: join(options.out, 'model'), ...trained };
      process.stdout.write(options.json ? `${JSON.stringify(told)}\n` : describe(trained, options.out));
    });
}

async function trainFinetune(images: string, options: TrainOptions): Promise<MaskTrained> {
  const { trainMinutes: minutes, trainEpochs: epochs } = options;
  if (minutes && epochs)
    throw new UsageError('--train-minutes and --train-epochs both say how long to train: give one of them');
  const [photos, masks] = [keys.images('local'), keys.masks('local')];
  const mounts = [
    { prefix: photos, folder: images, what: 'images' },
    { prefix: masks, folder: options.labels, what: 'masks' },
  ];
  return atWork(options.out, trainJob, mounts, options, async workplace => {
    await installCategories(workplace, options.labels);
    const training = {
      images: photos,
      masks,
      backbone: await install(workplace, options.backbone, 'filter-bank'),
      scope: options.finetune,
      classes: options.classes,
      ignore: options.ignore,
      budget: { minutes, epochs },
      batch: options.trainBatch,
      seed: options.seed,
      name: options.name,
    };
    await workplace.ports.store.put(keys.request(trainJob), toJson({ kind: 'train-finetune', ...training }));
    return finetuneOnMasks(workplace.ports, training);
  });
}

function describe(
  { pictures, unlabelled, rejected, classes, steps, firstLoss, lastLoss }: MaskTrained,
  out: string,
): string {
  const left = [
    ...(unlabelled ? [`${unlabelled} without a mask left out`] : []),
    ...(rejected.length ? [`${rejected.length} no usable photos (${rejected[0]!.name}: ${rejected[0]!.reason})`] : []),
  ];
  return `${[
    `${pictures} photos with masks, ${classes} classes${left.length ? `; ${left.join(', ')}` : ''}`,
    `${steps} steps, loss ${firstLoss.toFixed(3)} at first, ${lastLoss.toFixed(3)} at last`,
    `model: ${join(out, 'model')}; label photos with selflabel predict PHOTOS --model ${join(out, 'model')} --out DIR`,
  ].join('\n')}\n`;
}
