/** `selflabel train attend`: the pixel attention of the method, trained on photos by itself. */
import { join } from 'node:path';
import type { Command } from 'commander';
import { UsageError } from '#core/errors';
import { keys } from '#core/job/keys';
import { parseRequest } from '#core/job/request';
import { type AttendedAlone, attendAlone } from '#pipeline/attend-alone';
import { toJson } from '#pipeline/documents';
import { integer, networkOr, oneOf, positive } from './options.ts';
import { install } from './run.ts';
import { seedOption, threadsOption } from './shared-options.ts';
import { attendJob, atWork } from './workplace.ts';

interface AttendOptions {
  readonly backbone: string;
  readonly out: string;
  readonly gate: string;
  readonly trainMinutes?: number;
  readonly trainEpochs?: number;
  readonly trainBatch?: number;
  readonly seed: number;
  readonly threads?: number;
  readonly json?: boolean;
}

export function registerTrainAttend(train: Command): void {
  train
    .command('attend')
    .description('train the pixel attention on photos, without labels, for run --attention FILE')
    .argument('<images>', 'folder of photos')
    .requiredOption('--backbone <file>', 'network it is trained for (.onnx), or filter-bank', networkOr('filter-bank'))
    .requiredOption('--out <dir>', 'where attention.onnx goes; the same command again resumes')
    .option(
      '--gate <form>',
      'exact: over all channels; projected: behind a projection to 256, many times faster',
      oneOf('exact', 'projected'),
      'exact',
    )
    .option('--train-minutes <m>', 'how long to train (default: by passes over the photos)', positive)
    .option('--train-epochs <n>', 'passes over the photos (default: 20)', integer(1, 100_000))
    .option('--train-batch <n>', 'photos per training step (default: by the channels, at most 32)', integer(1, 4096))
    .addOption(seedOption())
    .addOption(threadsOption())
    .option('--json', 'print the result as one JSON line')
    .action(async (images: string, options: AttendOptions) => {
      const attended = await trainAttend(images, options);
      const told = { out: options.out, attention: join(options.out, 'attention.onnx'), ...attended };
      process.stdout.write(options.json ? `${JSON.stringify(told)}\n` : describe(attended, options));
    });
}

async function trainAttend(images: string, options: AttendOptions): Promise<AttendedAlone> {
  const { trainMinutes, trainEpochs, trainBatch, gate, seed } = options;
  if (trainMinutes && trainEpochs)
    throw new UsageError('--train-minutes and --train-epochs both say how long to train: give one of them');
  const mounts = [{ prefix: keys.images('local'), folder: images, what: 'images' }];
  return atWork(options.out, attendJob, mounts, options, async workplace => {
    const request = parseRequest({
      kind: 'run',
      images: keys.images('local'),
      backbone: await install(workplace, options.backbone, 'filter-bank'),
      method: 'pass',
      gate,
      seed,
      ...(trainMinutes && { trainMinutes }),
      ...(trainEpochs && { trainEpochs }),
      ...(trainBatch && { trainBatch }),
    });
    await workplace.ports.store.put(keys.request(attendJob), toJson(request));
    return attendAlone(workplace.ports, attendJob);
  });
}

function describe({ report, backbone }: AttendedAlone, options: AttendOptions): string {
  const { pictures, steps, firstLoss, lastLoss } = report.gate!;
  const network = backbone ? join(options.out, 'backbone.onnx') : options.backbone;
  const moved = backbone ? ['training moved running statistics of the backbone: use the one written beside it'] : [];
  const file = join(options.out, 'attention.onnx');
  return `${[
    `${pictures} photos, ${steps} steps, loss ${firstLoss.toFixed(3)} at first, ${lastLoss.toFixed(3)} at last; threshold ${report.threshold.toFixed(3)}`,
    ...moved,
    `use it: selflabel run PHOTOS --out DIR --method pass --backbone ${network} --attention ${file}`,
  ].join('\n')}\n`;
}
