/**
 * `clusters.csv`: which cluster each image belongs to.
 *
 *   image,cluster,distance,confidence
 *   a/b.jpg,3,0.482,0.91
 */
import { PermanentError } from '../errors.ts';
import type { ClusterId } from '../labels/label-id.ts';
import { csvLine, parseCsv } from './csv.ts';

export interface ClusterRow {
  /** Path relative to the images' folder. */
  readonly image: string;
  readonly cluster: ClusterId;
  /** From the image's embedding to its centroid. */
  readonly distance: number;
  /** 0 … 1. */
  readonly confidence: number;
}

const columns = ['image', 'cluster', 'distance', 'confidence'] as const;

/** Text of the file. Numbers are written so that they read back the same. @throws RangeError if a number is not finite */
export function writeClustersCsv(rows: Iterable<ClusterRow>): string {
  const lines = [csvLine(columns)];
  for (const { image, cluster, distance, confidence } of rows) {
    if (![distance, confidence].every(Number.isFinite))
      throw new RangeError(`clusters.csv: ${image} has no finite numbers`);
    lines.push(csvLine([image, cluster, distance, confidence]));
  }
  return lines.join('');
}

/** Rows of the file. Further columns are allowed; `distance` and `confidence` may be missing and are NaN then. @throws PermanentError */
export function parseClustersCsv(text: string, name = 'clusters.csv'): ClusterRow[] {
  const [header = [], ...rows] = parseCsv(text, name);
  const column = Object.fromEntries(columns.map(key => [key, header.indexOf(key)])) as Record<
    (typeof columns)[number],
    number
  >;
  if (column.image < 0 || column.cluster < 0) {
    throw new PermanentError(
      `${name}: the first line must name the columns ${columns.join(',')}, it reads ${header.join(',')}`,
    );
  }
  return rows.map((row, i) => {
    const number = (key: (typeof columns)[number]) =>
      column[key] < 0 ? Number.NaN : Number(row[column[key]] || 'NaN');
    const [image, cluster] = [row[column.image], number('cluster')];
    if (!image || !Number.isInteger(cluster) || cluster < 0) {
      throw new PermanentError(`${name}: line ${i + 2} has no image or no cluster id: ${row.join(',')}`);
    }
    return { image, cluster: cluster as ClusterId, distance: number('distance'), confidence: number('confidence') };
  });
}
