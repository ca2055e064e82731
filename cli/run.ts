/** `selflabel run`: a folder of photos in; label maps, a report and a model out. */
import { basename, dirname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { UsageError } from '#core/errors';
import { keys } from '#core/job/keys';
import { parseRequest } from '#core/job/request';
import { runLocally } from './local-runner.ts';
import { noteMisspelt, readNetwork } from './network-file.ts';
import { clustersOption, integer, nameOption, networkOr, oneOf, positive, thresholdOption } from './options.ts';
import { type RunSummary, summarise } from './run-summary.ts';
import { classesOption, ignoreOption, seedOption, threadsOption } from './shared-options.ts';
import { atWork, localJob, readIfThere, type Workplace } from './workplace.ts';

/** Options that go into the request as they are; the request's own defaults stand for what is missing. */
interface ShapingOptions {
  readonly clusters?: number | 'auto';
  readonly sample?: number;
  readonly restarts?: number;
  readonly threshold?: 'from-scores' | 'from-masks' | number;
  readonly classes?: number;
  readonly ignore?: number[];
  readonly method?: string;
  readonly gate?: string;
  readonly unit?: string;
  readonly refine?: string;
  readonly background?: string;
  readonly scales?: number;
  readonly seed?: number;
  readonly labelFormat?: string;
  readonly name?: string;
  /** Not on the command line: how many images attend looks at. */
  readonly attendSample?: number;
  readonly finetune?: string;
  readonly trainMinutes?: number;
  readonly trainEpochs?: number;
  readonly trainBatch?: number;
}

/** Options as commander gives them. */
export interface RunOptions extends ShapingOptions {
  readonly out: string;
  readonly backbone?: string;
  readonly masks?: string;
  readonly valImages?: string;
  readonly valMasks?: string;
  readonly attention?: string;
  readonly threads?: number;
  readonly json?: boolean;
}

/** What `--attention` knows without a file. */
const foregrounds = ['self-trained', 'pass', 'norm', 'border'];

export function registerRun(program: Command): void {
  program
    .command('run')
    .description('find classes in a folder of photos and label every pixel')
    .argument('<images>', 'folder of photos, searched with its subfolders')
    .requiredOption('--out <dir>', 'where the results go; the same command again resumes')
    .option(
      '--backbone <file>',
      'network from image to feature map or tokens (.onnx; doctor checks it), or the small built-in filter-bank',
      networkOr('filter-bank'),
      'filter-bank',
    )
    .option(
      '--clusters <k>',
      'how many classes to find, or auto: as many as come out alike in both halves of the photos (default: as many as the masks have, else a tenth of the images, 2 to 50)',
      clustersOption,
    )
    .option(
      '--sample <n>',
      'find the classes in so many of the photos, drawn by --seed, and label all (default: all)',
      integer(2, 2 ** 31 - 1),
    )
    .option('--restarts <n>', 'k-means runs, of which the best is kept (default: 10; pass: 30)', integer(1, 1000))
    .option(
      '--threshold <t>',
      'where foreground begins: from-scores (no labels needed), from-masks, or a number',
      thresholdOption,
      'from-scores',
    )
    .option('--masks <dir>', 'ground-truth masks, to measure the result (never to train)')
    .option(
      '--val-images <dir>',
      'validation images: the threshold from-masks and the matching of clusters to classes come from them (match.json)',
    )
    .option('--val-masks <dir>', 'their masks')
    .addOption(classesOption())
    .addOption(ignoreOption())
    .option('--method <name>', 'selflabel, or pass for the published method', oneOf('selflabel', 'pass'), 'selflabel')
    .option(
      '--attention <kind>',
      'what tells object from background: self-trained (default), pass (the learned gate), norm, border, or an attention.onnx',
      networkOr(...foregrounds),
    )
    .option(
      '--gate <form>',
      'of pass: projected (to 256 channels; default), or exact (over all channels; default with --method pass)',
      oneOf('exact', 'projected'),
    )
    .option(
      '--unit <unit>',
      'what is clustered: segments of the foreground (default), pixels, object (one label per photo), or image',
      oneOf('segments', 'pixels', 'object', 'image'),
    )
    .option(
      '--refine <how>',
      'guided: edges of the foreground follow the picture (default); none: they do not',
      oneOf('guided', 'none'),
    )
    .option(
      '--background <how>',
      'auto, or none: every pixel belongs to a class (street scenes)',
      oneOf('auto', 'none'),
      'auto',
    )
    .option('--scales <n>', '2 adds the doubled image: a little better, five times slower', integer(1, 2), 1)
    .option(
      '--finetune <what>',
      'train a model on the labels found: none, head (the last layer only), or all (the whole network)',
      oneOf('none', 'head', 'all'),
      'none',
    )
    .option('--train-minutes <m>', 'how long to train (default: by passes over the photos)', positive)
    .option(
      '--train-epochs <n>',
      'passes over the photos; with --finetune all N for the head, then N for the network (default: 10; --method pass and --attention pass: 20)',
      integer(1, 100_000),
    )
    .option('--train-batch <n>', 'photos per training step (default: 16)', integer(1, 4096))
    .addOption(seedOption())
    .addOption(threadsOption())
    .option(
      '--label-format <format>',
      'index: palette PNGs, or 16-bit above 255 classes; imagenet-s: RGB PNGs, id = R + 256·G',
      oneOf('index', 'imagenet-s'),
      'index',
    )
    .option('--name <name>', 'name of the model', nameOption, 'selflabel')
    .option('--json', 'print the result as one JSON line on stdout')
    .action(async (images: string, options: RunOptions) => {
      const summary = await run(images, options);
      process.stdout.write(options.json ? `${JSON.stringify(summary)}\n` : describeRun(summary));
    });
}

/** @throws UsageError for options that do not go together */
function assertTogether({ method, scales, threshold, masks, valImages, valMasks, ...training }: RunOptions): void {
  if ((valImages === undefined) !== (valMasks === undefined))
    throw new UsageError('--val-images and --val-masks belong together');
  if (method === 'pass' && scales === 2)
    throw new UsageError('--method pass works on one scale: leave out --scales 2, or use --method selflabel');
  if (training.attention && training.backbone && basename(training.attention) === basename(training.backbone))
    throw new UsageError(
      `--backbone and --attention are both called ${basename(training.attention)}: rename one of them`,
    );
  if (threshold === 'from-masks' && !masks && !valMasks)
    throw new UsageError('--threshold from-masks needs --masks DIR, or --val-images DIR and --val-masks DIR');
  if (training.trainMinutes && training.trainEpochs)
    throw new UsageError('--train-minutes and --train-epochs both say how long to train: give one of them');
  const learns = (training.attention ?? (method === 'pass' ? 'pass' : '')) === 'pass';
  if (training.gate && !learns) throw new UsageError('--gate needs --attention pass or --method pass');
  if (
    (training.finetune ?? 'none') === 'none' &&
    !learns &&
    (training.trainMinutes ?? training.trainEpochs ?? training.trainBatch)
  )
    throw new UsageError(
      '--train-minutes, --train-epochs and --train-batch need --finetune head or all, or --attention pass',
    );
}

export async function run(images: string, options: RunOptions): Promise<RunSummary> {
  const started = Date.now();
  const {
    out,
    backbone = 'filter-bank',
    masks,
    attention,
    threads: _threads,
    json: _json,
    valImages,
    valMasks,
    ...shaping
  } = options;
  assertTogether(options);
  const folders = [
    ['images', keys.images('local'), images, 'images'],
    ['masks', keys.masks('local'), masks, 'masks'],
    ['valImages', keys.images('validation'), valImages, 'validation images'],
    ['valMasks', keys.masks('validation'), valMasks, 'validation masks'],
  ] as const;
  const mounts = folders.flatMap(([, prefix, folder, what]) =>
    folder === undefined ? [] : [{ prefix, folder, what }],
  );
  const prefixes = folders.flatMap(([option, prefix, folder]) => (folder === undefined ? [] : [[option, prefix]]));
  return await atWork(out, localJob, mounts, options, async workplace => {
    if (masks) await installCategories(workplace, masks);
    if (valMasks) await installCategories(workplace, valMasks, 'validation');
    const request = parseRequest({
      kind: 'run',
      ...Object.fromEntries(prefixes),
      ...shaping,
      backbone: await install(workplace, backbone, 'filter-bank'),
      ...(attention && { attention: await install(workplace, attention, ...foregrounds) }),
    });
    const plan = await runLocally(workplace.ports, localJob, request);
    return await summarise(workplace.ports, plan, out, (Date.now() - started) / 1000);
  });
}

/** `categories.txt` lies beside the masks' folder, outside what is mounted. */
export async function installCategories(workplace: Workplace, masks: string, dataset = 'local'): Promise<void> {
  const key = keys.categories(keys.masks(dataset));
  const categories = readIfThere(join(dirname(resolve(masks)), 'categories.txt'));
  if (categories) await workplace.putIfChanged(key, categories);
  else await workplace.ports.store.delete(key);
}

/** Copies a network and its settings into the store; what has a built-in name stays as it is. */
export async function install(workplace: Workplace, file: string, ...builtIn: string[]): Promise<string> {
  if (builtIn.includes(file)) return file;
  const { store } = workplace.ports;
  const key = keys.backbone(basename(file));
  workplace.called(key, file);
  const { bytes, settings } = readNetwork(file, network => workplace.readUserFile(network, 'network'));
  noteMisspelt(settings);
  await workplace.putIfChanged(key, bytes);
  const settingsKey = key.replace(/\.onnx$/, '.json');
  if (settings) await workplace.putIfChanged(settingsKey, new TextEncoder().encode(JSON.stringify(settings.json)));
  else await store.delete(settingsKey);
  return key;
}

export function describeRun({ images, clusters, metrics, report, out, seconds, bound }: RunSummary): string {
  const lines = [
    `${images.total} inputs: ${images.labelled} labelled, ${images.empty} empty, ${images.duplicate} duplicate, ${images.rejected} rejected`,
    `${clusters} classes in ${seconds.total.toFixed(0)} s; label maps in ${join(out, 'labels')}`,
  ];
  if (bound) lines.push(describeBound(bound));
  if (metrics) lines.push(describeMetrics(metrics));
  return `${[...lines, `report: ${report}`].join('\n')}\n`;
}

const limits = { decode: 'decode-bound', model: 'model-bound', balanced: 'balanced' };

const describeBound = ({ by, decodeRate, modelRate }: NonNullable<RunSummary['bound']>): string =>
  `${limits[by]}: alone, decoding would do ${decodeRate.toFixed(1)} images/s and the model ${modelRate.toFixed(1)}`;

function describeMetrics({
  foregroundIou,
  pixelMatched,
  baselines,
  pseudo,
}: NonNullable<RunSummary['metrics']>): string {
  const say = (value: number | null | undefined) => (value === null || value === undefined ? '-' : value.toFixed(3));
  const before = pseudo && [
    `before fine-tuning: foreground IoU ${say(pseudo.foregroundIou)}, mIoU of classes, pixel-matched, ${say(pseudo.pixelMatched.miouForeground)}; after:`,
  ];
  return [
    ...(before ?? []),
    `foreground IoU ${say(foregroundIou)} (everything foreground ${say(baselines.allForeground.foregroundIou)}, best centred ellipse ${say(baselines.centredEllipse?.foregroundIou)})`,
    `mIoU of classes, pixel-matched, ${say(pixelMatched.miouForeground)} (plain pixel k-means ${say(baselines.pixelKmeans?.miouForeground)})`,
  ].join('\n');
}
