/** How many images the foreground head needs: foreground IoU by the size of attend's sample. */
import { dataFolder, requireData, runOn, three } from './data.ts';
import { foregroundIou } from './masks.ts';

const sizes = { coco128: [12, 25, 50, 100, 128], ccp: [25, 100, 300] };

export async function sample(): Promise<void> {
  requireData();
  console.log('| set | images in the sample | foreground IoU |\n|---|---|---|');
  for (const [set, wanted] of Object.entries(sizes)) {
    const folder = `${dataFolder}/segmentation/${set}`;
    for (const attendSample of wanted) {
      const out = `.bench/sample/${set}`;
      await runOn(`${folder}/images`, out, { clusters: 2, restarts: 1, attendSample });
      console.log(`| ${set} | ${attendSample} | ${three(await foregroundIou(`${out}/labels`, `${folder}/masks`))} |`);
    }
  }
}
