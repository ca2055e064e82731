/** Label quality on real photos beside the trivial baselines, and pictures of it. */

import type { Metrics } from '#core/metrics/finish';
import { dataFolder, median, requireData, runOn, three } from './data.ts';
import { drawGallery } from './gallery.ts';
import { segmentationSets } from './gallery-sets.ts';

const seeds = [0, 1, 2];

const header =
  '| set | scales | foreground IoU | all fg | best ellipse | mIoU fg, pixel-matched, median of the seeds | pixel k-means | pixel accuracy |\n|---|---|---|---|---|---|---|---|';

export async function quality(): Promise<void> {
  requireData();
  console.log(header);
  for (const set of segmentationSets) {
    await measure(set, 1);
    await drawGallery(set, `.bench/quality/${set}-1`);
  }
}

/** The doubled image, one seed. */
export async function scales(): Promise<void> {
  requireData();
  console.log(header);
  for (const set of segmentationSets) await measure(set, 2);
}

async function measure(set: string, scales: number): Promise<void> {
  const folder = `${dataFolder}/segmentation/${set}`;
  const results: Metrics[] = [];
  for (const seed of scales === 1 ? seeds : seeds.slice(0, 1)) {
    const { metrics } = await runOn(`${folder}/images`, `.bench/quality/${set}-${scales}`, {
      masks: `${folder}/masks`,
      scales,
      seed,
    });
    results.push(metrics!);
  }
  const of = (pick: (m: Metrics) => number | null | undefined) =>
    three(median(results.map(m => pick(m) ?? Number.NaN)));
  console.log(
    `| ${set} | ${scales} | ${of(m => m.foregroundIou)} | ${of(m => m.baselines.allForeground.foregroundIou)} | ${of(m => m.baselines.centredEllipse?.foregroundIou)} | ${of(m => m.pixelMatched.miouForeground)} | ${of(m => m.baselines.pixelKmeans?.miouForeground)} | ${of(m => m.pixelMatched.pixelAccuracy)} |`,
  );
}
