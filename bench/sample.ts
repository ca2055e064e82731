/** How many images the foreground head needs: foreground IoU by the size of attend's sample. */
import { dataFolder, median, requireData, runOn, three } from './data.ts';

const sizes = [12, 25, 50, 100, 200, 400];
const seeds = [0, 1, 2];

export async function sample(): Promise<void> {
  requireData();
  console.log(
    `| set | ${sizes.map(size => `${size} images`).join(' | ')} |\n|---|${sizes.map(() => '---').join('|')}|`,
  );
  for (const set of ['coco128', 'ccp']) {
    const folder = `${dataFolder}/segmentation/${set}`;
    const row = [];
    for (const attendSample of sizes) {
      const figures = [];
      for (const seed of seeds) {
        const options = { masks: `${folder}/masks`, attendSample, seed, restarts: 1 };
        const { metrics } = await runOn(`${folder}/images`, `.bench/sample/${set}`, options);
        figures.push(metrics!.foregroundIou!);
      }
      row.push(`${three(median(figures))} (${three(Math.min(...figures))} to ${three(Math.max(...figures))})`);
    }
    console.log(`| ${set} | ${row.join(' | ')} |`);
  }
}
