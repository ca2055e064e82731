/** Worth of fine-tuning: the pseudo labels beside the model trained on them, on coco128 and generated scenes, over seeds; with pictures. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import type { Metrics } from '#core/metrics/finish';
import type { RunOptions } from '../cli/run.ts';
import { writeSceneFolder } from '../cli/scene-folder.ts';
import { remember } from './cells.ts';
import { dataFolder, requireData, runOn, three } from './data.ts';
import { drawMaps } from './gallery.ts';

/** Which runs a row stands on; `BENCH_SEEDS=0` for a quick look. */
const seeds = (process.env.BENCH_SEEDS ?? '0,1,2,3,4').split(',').map(Number);
const sets = (process.env.BENCH_SETS ?? 'coco128,scenes').split(',');
const scopes = (process.env.BENCH_SCOPES ?? 'head,all').split(',');
/** Passes over the photos, of each part where the head comes first; the recipe's own where it is not given. */
const epochs = process.env.BENCH_EPOCHS ? { trainEpochs: Number(process.env.BENCH_EPOCHS) } : {};

/** Two-sided 95 % points of Student's t by degrees of freedom, 1 … 9. */
const studentT = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262];

/** Mean and half the width of its 95 % interval. */
function interval(values: readonly number[]): string {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  if (values.length < 2) return signed(mean);
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
  const half = studentT[Math.min(values.length - 2, studentT.length - 1)]! * Math.sqrt(variance / values.length);
  return `${signed(mean)} ± ${three(half)}`;
}

const signed = (value: number): string => `${value < 0 ? '−' : '+'}${three(Math.abs(value))}`;

/** Before and after, of one run. */
interface Result {
  readonly foreground: readonly [number, number];
  readonly classes: readonly [number, number];
  readonly steps: number;
  readonly seconds: number;
}

const measures = ['foreground', 'classes'] as const;

/** `npm run bench -- finetune`. */
export async function finetune(): Promise<void> {
  requireData();
  console.log(
    '| photos | trained | seeds | steps | foreground IoU, pseudo → final | paired difference | mIoU of classes, pseudo → final | paired difference | seconds of training |\n|---|---|---|---|---|---|---|---|---|',
  );
  for (const scope of scopes)
    for (const set of sets) {
      const results: Result[] = [];
      for (const seed of seeds) {
        const cell = ['finetune', set, scope, seed, epochs.trainEpochs ?? 'recipe'].join(' ');
        results.push(await remember(cell, () => measure(set, scope, seed)));
      }
      report(set, scope, results);
    }
}

function report(set: string, scope: string, results: readonly Result[]): void {
  const mean = (of: (one: Result) => number) => results.reduce((sum, one) => sum + of(one), 0) / results.length;
  const columns = measures.map(of => {
    const [before, after] = [mean(one => one[of][0]), mean(one => one[of][1])];
    return `${three(before)} → ${three(after)} | ${interval(results.map(one => one[of][1] - one[of][0]))}`;
  });
  const seconds = mean(one => one.seconds).toFixed(0);
  console.log(`| ${set} | ${scope} | ${results.length} | ${results[0]!.steps} | ${columns.join(' | ')} | ${seconds} |`);
}

async function prepare(set: string, seed: number): Promise<{ images: string; options: Partial<RunOptions> }> {
  if (set !== 'scenes') {
    const folder = `${dataFolder}/segmentation/${set}`;
    return { images: `${folder}/images`, options: { masks: `${folder}/masks` } };
  }
  const folder = `.bench/finetune/scenes-${seed}`;
  await writeSceneFolder(new SharpCodec(), folder, 96, 1 + seed);
  return { images: `${folder}/images`, options: { masks: `${folder}/masks`, backbone: 'filter-bank' } };
}

async function measure(set: string, scope: string, seed: number): Promise<Result> {
  const { images, options } = await prepare(set, seed);
  const out = `.bench/finetune/${set}-result-${seed}`;
  const { metrics, seconds } = await runOn(images, out, { ...options, ...epochs, finetune: scope, seed });
  const final = metrics!;
  if (seed === 0)
    await drawMaps(images, [options.masks!, `${out}/pseudo-labels`, `${out}/labels`], `${out}-${scope}.png`);
  const { finetune } = JSON.parse(readFileSync(join(out, 'model/card.json'), 'utf8'));
  const both = (of: (m: Metrics) => number | null) => [of(final.pseudo!) ?? 0, of(final) ?? 0] as const;
  return {
    foreground: both(m => m.foregroundIou),
    classes: both(m => m.pixelMatched.miouForeground),
    steps: finetune.steps,
    seconds: seconds.finetune ?? 0,
  };
}
