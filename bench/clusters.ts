/** How well clusters agree with the folders of Caltech-101 photos, for each unit. */
import { dataFolder, median, requireData, runOn, three } from './data.ts';
import { evaluateClusters } from './evaluate-clusters.ts';

export async function clusters(): Promise<void> {
  requireData();
  console.log('| unit | NMI of clusters.csv and folders, three seeds | median | accuracy, median |\n|---|---|---|---|');
  for (const unit of ['image', 'segments', 'object']) {
    const figures = [];
    for (const seed of [0, 1, 2]) {
      const out = `.bench/clusters/${unit}`;
      await runOn(`${dataFolder}/images/caltech101-a`, out, { unit, clusters: 50, seed });
      figures.push(evaluateClusters(`${out}/clusters.csv`));
    }
    const nmi = figures.map(f => f.nmi);
    console.log(
      `| ${unit} | ${nmi.map(three).join(', ')} | ${three(median(nmi))} | ${three(median(figures.map(f => f.accuracy)))} |`,
    );
  }
}
