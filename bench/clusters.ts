/** How well clusters agree with the folders of Caltech-101 photos, for each unit. */
import { dataFolder, median, requireData, runOn, three } from './data.ts';
import { evaluateClusters } from './evaluate-clusters.ts';

export async function clusters(): Promise<void> {
  requireData();
  console.log('| unit | NMI of clusters.csv and folders, by seed | median | accuracy, median |\n|---|---|---|---|');
  for (const [unit, seeds] of [
    ['image', [0, 1, 2]],
    ['segments', [0]],
  ] as const) {
    const figures = [];
    for (const seed of seeds) {
      const out = `.bench/clusters/${unit}`;
      await runOn(`${dataFolder}/images/caltech101-a`, out, { unit, clusters: 50, seed });
      figures.push(evaluateClusters(`${out}/clusters.csv`));
    }
    const nmi = figures.map(f => f.nmi);
    console.log(
      `| ${unit} | ${nmi.map(three).join(', ')} | ${three(median(nmi))} | ${three(median(figures.map(f => f.accuracy)))} |`,
    );
  }
  const {
    seconds,
    images,
    clusters: found,
  } = await runOn(`${dataFolder}/images/caltech101-a`, '.bench/clusters/segments', { clusters: 300 });
  console.log(
    `\n--clusters 300 after that, in the same folder: ${found} classes, ${images.labelled} labelled, ${seconds.total.toFixed(0)} s, embed reused: ${seconds.embed} s were spent before`,
  );
}
