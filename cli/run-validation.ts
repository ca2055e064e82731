/** `run --val-images --val-masks`: the model on validation images, and the matching of its clusters found there, kept for other sets. */
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { FolderStore } from '#adapters/local/folder-store';
import { systemClock } from '#adapters/local/system-clock';
import { TerminalLog } from '#adapters/local/terminal-log';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import type { Metrics } from '#core/metrics/finish';
import { completeMatching, writeMatching } from '#core/metrics/saved-matching';
import { evaluateFolders } from '#pipeline/evaluate-folders';
import { predict } from './predict.ts';
import { openTruth } from './truth-folder.ts';

export interface ValidationOptions {
  readonly valImages: string;
  readonly valMasks: string;
  readonly classes?: number;
  readonly ignore?: number[];
  readonly background?: string;
  readonly threads?: number;
}

/** Writes `match.json` and `validation/metrics.json` below `out`. */
export async function validate(out: string, options: ValidationOptions): Promise<Metrics> {
  const folder = join(out, 'validation');
  const threads = options.threads ?? availableParallelism();
  await predict(options.valImages, { model: join(out, 'model'), out: folder, labelFormat: 'index', threads });
  const images = new SharpCodec();
  const log = new TerminalLog();
  const truth = await openTruth(options.valMasks, '--val-masks', images, path => FolderStore.open(path));
  const metrics = await evaluateFolders(
    {
      predictions: await FolderStore.open(join(folder, 'labels')),
      truth: truth.store,
      images,
      clock: systemClock,
      log,
      threads,
    },
    {
      predictions: '',
      masks: truth.masks,
      classes: options.classes,
      ignore: options.ignore,
      background: options.background === 'none' ? 'none' : 'auto',
      matching: 'image',
      continue: false,
    },
  );
  log.close();
  const { matching, unmatched } = completeMatching(metrics.matching, clustersOf(out), classesOf(metrics));
  writeFileSync(join(out, 'match.json'), writeMatching(matching, unmatched));
  writeFileSync(join(folder, 'metrics.json'), `${JSON.stringify(metrics, null, 2)}\n`);
  return metrics;
}

/** K, of the model. */
const clustersOf = (out: string): number =>
  (JSON.parse(readFileSync(join(out, 'model/card.json'), 'utf8')) as { clusters: number }).clusters;

/** Ids of all classes, without background where there is one. */
const classesOf = ({ perClass, classes }: Metrics): number[] => perClass.slice(-classes).map(({ id }) => id);
