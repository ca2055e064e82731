/** Worth of fine-tuning: the pseudo labels beside the model trained on them, on coco128 and generated scenes, over seeds. */
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import type { Metrics } from '#core/metrics/finish';
import type { RunOptions } from '../cli/run.ts';
import { writeSceneFolder } from '../cli/scene-folder.ts';
import { dataFolder, requireData, runOn, three } from './data.ts';

/** How many runs a row stands on; `BENCH_SEEDS=1` for a quick look. */
const seeds = Number(process.env.BENCH_SEEDS ?? 5);
const scopes = (process.env.BENCH_SCOPES ?? 'head,all').split(',');
/** With `BENCH_SCOPES=head` minutes; the whole network takes a few seconds per step on two cores. */
const minutes = process.env.BENCH_MINUTES ? { trainMinutes: Number(process.env.BENCH_MINUTES) } : {};

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

const mean = (results: readonly Metrics[], of: (m: Metrics) => number | null): number =>
  results.reduce((sum, one) => sum + (of(one) ?? 0), 0) / results.length;

const foreground = (m: Metrics) => m.foregroundIou;
const classes = (m: Metrics) => m.pixelMatched.miouForeground;

/** `npm run bench -- finetune`. */
export async function finetune(): Promise<void> {
  requireData();
  const coco = `${dataFolder}/segmentation/coco128`;
  console.log(
    '| photos | trained | seeds | foreground IoU, pseudo → final | paired difference | mIoU of classes, pseudo → final | paired difference | seconds of training |\n|---|---|---|---|---|---|---|---|',
  );
  for (const scope of scopes) {
    await measure('coco128, MobileNetV2', scope, async () => ({
      images: `${coco}/images`,
      options: { masks: `${coco}/masks` },
    }));
    await measure('scenes, filter bank', scope, async seed => {
      const folder = `.bench/finetune/scenes-${seed}`;
      await writeSceneFolder(new SharpCodec(), folder, 160, 1 + seed);
      return { images: `${folder}/images`, options: { masks: `${folder}/masks`, backbone: 'filter-bank' } };
    });
  }
}

type Prepare = (seed: number) => Promise<{ images: string; options: Partial<RunOptions> }>;

async function measure(name: string, scope: string, prepare: Prepare): Promise<void> {
  const finals: Metrics[] = [];
  let seconds = 0;
  for (let seed = 0; seed < seeds; seed++) {
    const { images, options } = await prepare(seed);
    const out = `.bench/finetune/${name.replace(/\W+/g, '-')}-${seed}`;
    const summary = await runOn(images, out, { ...options, ...minutes, finetune: scope, seed });
    finals.push(summary.metrics!);
    seconds += summary.seconds.finetune ?? 0;
  }
  const pseudos = finals.map(({ pseudo }) => pseudo!);
  const row = (of: (m: Metrics) => number | null) => {
    const differences = finals.map((final, i) => (of(final) ?? 0) - (of(pseudos[i]!) ?? 0));
    return `${three(mean(pseudos, of))} → ${three(mean(finals, of))} | ${interval(differences)}`;
  };
  console.log(
    `| ${name} | ${scope} | ${seeds} | ${row(foreground)} | ${row(classes)} | ${(seconds / seeds).toFixed(0)} |`,
  );
}
