/** `selflabel evaluate`: label maps against ground-truth masks, and clusters against folders. */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename } from 'node:path';
import { type Command, Option } from 'commander';
import { PermanentError, UsageError } from '#core/errors';
import { parseClustersCsv } from '#core/formats/clusters-csv';
import { folderAgreement } from '#core/metrics/folder-agreement';
import type { Matching, MatchingKind } from '#core/metrics/matching';
import { readMatching, writeMatching } from '#core/metrics/saved-matching';
import type { BackgroundRule } from '#core/metrics/tally';
import { type Evaluation, type EvaluationPorts, evaluateFolders } from '#pipeline/evaluate-folders';
import type { ImageCodec, ObjectStore } from '#pipeline/ports';
import { registerDistance } from './evaluate-distance.ts';
import { openPlaces } from './evaluation-places.ts';
import { startThreads } from './evaluation-threads.ts';
import { metricsTable } from './metrics-table.ts';
import { classesOption, ignoreOption, threadsOption } from './shared-options.ts';

/** The adapters this command works with. */
export interface EvaluationWorld extends Pick<EvaluationPorts, 'clock' | 'log'> {
  readonly images: Pick<ImageCodec, 'inflate' | 'deflate'>;
  /** A folder, for reading only. */
  openFolder(folder: string): Promise<Pick<ObjectStore, 'get' | 'keys'>>;
}

interface EvaluateOptions {
  readonly predictions?: string;
  readonly masks?: string;
  readonly classes?: number;
  readonly matching: string;
  readonly saveMatching?: string;
  readonly ignore?: number[];
  readonly background: BackgroundRule;
  readonly thresholdSweep?: string;
  readonly hierarchy?: string;
  readonly continue?: boolean;
  readonly json?: boolean | string;
  readonly threads?: number;
}

export function registerEvaluate(program: Command, world: () => EvaluationWorld): void {
  const evaluate = program
    .command('evaluate')
    .description('measure label maps against ground-truth masks')
    .option('--predictions <dir|zip>', 'label maps: index or R + 256·G PNGs, in a folder or a zip')
    .option('--masks <dir>', 'ground-truth masks of the same relative paths; or a COCO .json, or a VOC folder')
    .addOption(classesOption())
    .option('--matching <kind>', 'image, pixel, none, or a file written by --save-matching', 'image')
    .option('--save-matching <file>', 'write the matching, to use it on another set')
    .addOption(ignoreOption())
    .addOption(backgroundOption())
    .option('--threshold-sweep <dir>', 'foreground scores (<path>.npy): finds the best of 81 thresholds and uses it')
    .option('--hierarchy <file>', 'parent map {"class": "parent", …}: results at coarser levels too')
    .option('--continue', 'leave out files with something wrong, and say which')
    .addOption(threadsOption())
    .option('--json [file]', 'print the metrics as one JSON line, or write them to a file')
    .action(async (options: EvaluateOptions) => {
      const metrics = await evaluateOptions(world(), options);
      show(metrics, options.json, metricsTable);
    });
  evaluate
    .command('clusters')
    .description('agreement of clusters.csv with the folders the images lie in')
    .requiredOption('--clusters <file>', 'clusters.csv of a run')
    .option('--json [file]', 'print the result as one JSON line, or write it to a file')
    .action((options: { clusters: string; json?: boolean | string }, command: Command) => {
      // `--json` before the word `clusters` belongs to the command above.
      show(evaluateClusters(options.clusters), options.json ?? command.parent?.opts().json, agreementTable);
    });
  registerDistance(evaluate, (metrics, json) => show(metrics, json, metricsTable));
}

const backgroundOption = () =>
  new Option('--background <how>', 'auto: 0 is background; none: 0 is a class like any other')
    .choices(['auto', 'none'])
    .default('auto');

async function evaluateOptions(world: EvaluationWorld, options: EvaluateOptions): Promise<Evaluation> {
  const { predictions, masks, thresholdSweep: scores, hierarchy } = options;
  if (!predictions || !masks) throw new UsageError('evaluate needs --predictions DIR and --masks DIR');
  if (options.background === 'none' && (scores ?? hierarchy) !== undefined) {
    throw new UsageError('--threshold-sweep and --hierarchy need a background: leave out --background none');
  }
  const places = { predictions, masks, scores };
  const { truth, ...opened } = await openPlaces(places, world.images, world.openFolder);
  const cores = options.threads ?? availableParallelism();
  const matching = matchingOf(options.matching, options.background);
  const parents = hierarchy ? { text: readText(hierarchy, '--hierarchy is a file'), file: hierarchy } : undefined;
  const threads = startThreads(places, cores);
  try {
    const metrics = await evaluateFolders(
      { ...world, ...opened, truth: truth.store, threads: cores, countBatch: threads?.countBatch },
      {
        predictions: '',
        masks: truth.masks,
        classes: options.classes,
        ignore: options.ignore,
        background: options.background,
        matching,
        continue: options.continue ?? false,
        sweep: scores !== undefined,
        hierarchy: parents,
      },
    );
    if (options.saveMatching) writeFileSync(options.saveMatching, writeMatching(metrics.matching, metrics.unmatched));
    return metrics;
  } finally {
    await threads?.close();
  }
}

function matchingOf(text: string, background: BackgroundRule): MatchingKind | Matching {
  if (text === 'image' || text === 'pixel' || text === 'none') return text;
  return readMatching(readText(text, '--matching is image, pixel, none or a file'), basename(text), background);
}

function evaluateClusters(file: string) {
  const agreement = folderAgreement(parseClustersCsv(readText(file, '--clusters is a file'), file));
  if (agreement) return agreement;
  throw new PermanentError(`${file}: the images do not lie in two or more folders, one per class`);
}

type Agreement = ReturnType<typeof evaluateClusters>;

const agreementTable = ({ images, clusters, classes, nmi, clusterAccuracy }: Agreement): string =>
  `${images} images, ${clusters} clusters, ${classes} folders\n  NMI               ${nmi.toFixed(4)}\n  cluster accuracy  ${clusterAccuracy.toFixed(4)}\n`;

/** One JSON line on stdout, or JSON in a file and the table on stdout, or the table alone. */
function show<T>(result: T, json: boolean | string | undefined, table: (result: T) => string): void {
  if (json === true) {
    process.stdout.write(`${JSON.stringify(result)}\n`);
    return;
  }
  if (json) writeFileSync(json, `${JSON.stringify(result, null, 2)}\n`);
  process.stdout.write(table(result));
}

function readText(file: string, expected: string): string {
  if (!statSync(file, { throwIfNoEntry: false })?.isFile()) {
    throw new PermanentError(`${file} is no file; ${expected}`);
  }
  return readFileSync(file, 'utf8');
}
