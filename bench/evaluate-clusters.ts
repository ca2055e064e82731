/** NMI and accuracy of a clusters.csv against the first folder of each path. */
import { readFileSync } from 'node:fs';
import { parseClustersCsv } from '#core/formats/clusters-csv';
import { clusterAccuracy, contingency, normalisedMutualInformation } from '#core/metrics/mutual-information';

export function evaluateClusters(file: string): { nmi: number; accuracy: number } {
  const rows = parseClustersCsv(readFileSync(file, 'utf8'));
  const table = contingency(rows.map(({ image, cluster }) => [cluster, image.slice(0, image.indexOf('/'))] as const));
  return { nmi: normalisedMutualInformation(table), accuracy: clusterAccuracy(table) };
}
