/** `selflabel evaluate distance`: what a backbone's features are worth without any training. */
import { statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import type { Command } from 'commander';
import { FolderStore } from '#adapters/local/folder-store';
import { systemClock } from '#adapters/local/system-clock';
import { TerminalLog } from '#adapters/local/terminal-log';
import { OnnxRuntime } from '#adapters/onnxruntime/onnx-runtime';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import type { Backbone } from '#core/attention/segmentation-model';
import { filterBank, filterBankEntry } from '#core/backbone/filter-bank';
import { backboneSettings } from '#core/backbone/settings';
import { PermanentError } from '#core/errors';
import { importModel } from '#core/graph/import';
import type { Metrics } from '#core/metrics/finish';
import { evaluateDistance, type MaskedImages } from '#pipeline/distance';
import { readNetwork } from './network-file.ts';
import { networkOr } from './options.ts';
import { classesOption, ignoreOption, threadsOption } from './shared-options.ts';
import { openTruth } from './truth-folder.ts';

interface DistanceOptions {
  readonly backbone: string;
  readonly referenceImages: string;
  readonly referenceMasks: string;
  readonly images: string;
  readonly masks: string;
  readonly classes?: number;
  readonly ignore?: number[];
  readonly threads?: number;
  readonly json?: boolean | string;
}

export function registerDistance(
  evaluate: Command,
  show: (metrics: Metrics, json: boolean | string | undefined) => void,
) {
  evaluate
    .command('distance')
    .description('classes by the nearest of a few masked reference images (cosine, k = 10), without training')
    .requiredOption('--backbone <file>', 'network (.onnx), or filter-bank', networkOr('filter-bank'))
    .requiredOption('--reference-images <dir>', 'images whose masks are given to the method')
    .requiredOption('--reference-masks <dir>', 'their masks')
    .option('--images <dir>', 'images to measure on')
    .option('--masks <dir>', 'their masks')
    .addOption(classesOption())
    .addOption(ignoreOption())
    .addOption(threadsOption())
    .option('--json [file]', 'print the metrics as one JSON line, or write them to a file')
    .action(async (_: unknown, command: Command) => {
      // Options of the same name belong to the command above when they stand before the word `distance`.
      const options = command.optsWithGlobals<DistanceOptions>();
      show(await distance(options), options.json);
    });
}

async function distance(options: DistanceOptions): Promise<Metrics> {
  const models = new OnnxRuntime();
  const log = new TerminalLog();
  const ports = {
    models,
    images: new SharpCodec(),
    clock: systemClock,
    log,
    threads: options.threads ?? availableParallelism(),
  };
  try {
    const open = (images: string, masks: string, what: string) => maskedImages(images, masks, what, options);
    const reference = await open(options.referenceImages, options.referenceMasks, '--reference-');
    const test = await open(options.images, options.masks, '--');
    return await evaluateDistance(ports, openNetwork(options.backbone), reference, test);
  } finally {
    log.close();
    await models.close();
  }
}

async function maskedImages(
  images: string | undefined,
  masks: string | undefined,
  what: string,
  { classes, ignore }: DistanceOptions,
): Promise<MaskedImages> {
  for (const [folder, option] of [
    [images, `${what}images`],
    [masks, `${what}masks`],
  ] as const) {
    if (!folder || !statSync(folder, { throwIfNoEntry: false }))
      throw new PermanentError(`${option} ${folder ?? ''} is not there; give a folder`);
  }
  const truth = await openTruth(masks!, `${what}masks`, new SharpCodec(), folder => FolderStore.open(folder));
  const rules = { masks: truth.masks, classes, ignore, background: 'auto' } as const;
  return { images: await FolderStore.open(images!), truth: truth.store, rules };
}

function openNetwork(file: string): Backbone {
  if (file === 'filter-bank') {
    const model = importModel(filterBank());
    return { model, settings: backboneSettings(model, filterBankEntry), scales: 1 };
  }
  const { bytes, settings } = readNetwork(file);
  const model = importModel(bytes);
  return { name: file, model, settings: backboneSettings(model, settings?.json), scales: 1 };
}
