/** Label quality on real photos beside the trivial baselines, and pictures of it. */

import type { Metrics } from '#core/metrics/finish';
import { dataFolder, median, requireData, runOn, three } from './data.ts';
import { drawGallery } from './gallery.ts';
import { segmentationSets } from './gallery-sets.ts';

const seeds = [0, 1, 2];

export async function quality(): Promise<void> {
  requireData();
  console.log(
    '| set | scales | foreground IoU | all fg | best ellipse | mIoU fg, pixel-matched, median of 3 seeds | pixel k-means | pixel accuracy |',
  );
  console.log('|---|---|---|---|---|---|---|---|');
  for (const set of segmentationSets) {
    for (const scales of [1, 2]) await measure(set, scales);
    await drawGallery(set, `.bench/quality/${set}-1`);
  }
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
