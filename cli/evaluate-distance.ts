/** `selflabel evaluate distance`: what a backbone's features are worth without any training. */
import { mkdirSync, statSync } from 'node:fs';
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
import { PermanentError, UsageError } from '#core/errors';
import { encodeIndexPng } from '#core/formats/png-index';
import { importModel } from '#core/graph/import';
import type { LabelMap } from '#core/labels/label-map';
import type { Metrics } from '#core/metrics/finish';
import { evaluateDistance, labelByDistance } from '#pipeline/distance';
import { readNetwork } from './network-file.ts';
import { networkOr } from './options.ts';
import { classesOption, ignoreOption, threadsOption } from './shared-options.ts';
import { openTruth } from './truth-folder.ts';

interface DistanceOptions {
  readonly backbone: string;
  readonly referenceImages: string;
  readonly referenceMasks: string;
  readonly images: string;
  readonly masks?: string;
  readonly saveLabels?: string;
  readonly continue?: boolean;
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
    .option('--masks <dir>', 'their masks; may be left out with --save-labels, where they are withheld')
    .option('--save-labels <dir>', 'write the label maps, for a submission')
    .option('--continue', 'leave out files with something wrong, and say which')
    .addOption(classesOption())
    .addOption(ignoreOption())
    .addOption(threadsOption())
    .option('--json [file]', 'print the metrics as one JSON line, or write them to a file')
    .action(async (_: unknown, command: Command) => {
      // Options of the same name belong to the command above when they stand before the word `distance`.
      const options = command.optsWithGlobals<DistanceOptions>();
      const found = await distance(options);
      if ('matching' in found) show(found, options.json);
      else process.stdout.write(`${options.json === true ? JSON.stringify(found) : describe(found)}\n`);
    });
}

type Labelled = Awaited<ReturnType<typeof labelByDistance>>;

const describe = ({ images, skipped }: Labelled): string =>
  [`${images} labelled`, ...(skipped.length ? [`${skipped.length} skipped, first: ${skipped[0]!.reason}`] : [])].join(
    '; ',
  );

async function distance(options: DistanceOptions): Promise<Metrics | Labelled> {
  const { masks, saveLabels } = options;
  if (!masks && !saveLabels) throw new UsageError('evaluate distance needs --masks DIR, or --save-labels DIR, or both');
  const models = new OnnxRuntime();
  const log = new TerminalLog();
  const threads = options.threads ?? availableParallelism();
  const ports = { models, images: new SharpCodec(), clock: systemClock, log, threads };
  try {
    const backbone = openNetwork(options.backbone);
    const reference = {
      images: await openImages(options.referenceImages, '--reference-images'),
      ...(await openMasks(options.referenceMasks, '--reference-masks', options)),
    };
    const images = await openImages(options.images, '--images');
    const keep = saveLabels ? await keeper(saveLabels, ports.images) : undefined;
    const how = { continue: options.continue ?? false, keep };
    if (!masks) return await labelByDistance(ports, backbone, reference, images, { ...how, keep: keep! });
    const test = { images, ...(await openMasks(masks, '--masks', options)) };
    return await evaluateDistance(ports, backbone, reference, test, how);
  } finally {
    log.close();
    await models.close();
  }
}

function openImages(folder: string | undefined, option: string): Promise<FolderStore> {
  if (folder && statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return FolderStore.open(folder);
  throw new PermanentError(`${option} ${folder ?? ''} is not there; give a folder`);
}

async function openMasks(path: string, option: string, { classes, ignore }: DistanceOptions) {
  const truth = await openTruth(path, option, new SharpCodec(), folder => FolderStore.open(folder));
  return { truth: truth.store, rules: { masks: truth.masks, classes, ignore, background: 'auto' as const } };
}

/** Writes label maps into a folder: palette PNGs, 16-bit ones where classes are more than 255. */
async function keeper(folder: string, images: SharpCodec) {
  mkdirSync(folder, { recursive: true });
  const store = await FolderStore.open(folder);
  const deflate = (bytes: Uint8Array, runs: boolean) => images.deflate(bytes, runs);
  return async (name: string, map: LabelMap, highest: number) =>
    void (await store.put(name, await encodeIndexPng(map, { highest, deflate })));
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
