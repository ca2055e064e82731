/**
 * `clusters.csv`: which cluster each image belongs to.
 *
 *   image,cluster,distance,confidence
 *   a/b.jpg,3,0.482,0.91
 */
import { PermanentError } from '../errors.ts';
import type { ClusterId } from '../labels/label-id.ts';
import { csvLine, csvRows } from './csv.ts';

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

/** The first line of the file, with its end. */
export const clustersHeader = csvLine(columns);

/** A line of the file, with its end. Numbers are written so that they read back the same. @throws RangeError if a number is not finite */
export function clusterLine({ image, cluster, distance, confidence }: ClusterRow): string {
  if (![distance, confidence].every(Number.isFinite))
    throw new RangeError(`clusters.csv: ${image} has no finite numbers`);
  return csvLine([image, cluster, distance, confidence]);
}

/** Text of the file. */
export const writeClustersCsv = (rows: Iterable<ClusterRow>): string =>
  [clustersHeader, ...Array.from(rows, clusterLine)].join('');

/** All rows of the file at once. */
export const parseClustersCsv = (text: string, name?: string): ClusterRow[] => [...clustersCsvRows(text, name)];

/**
 * Rows of the file, one after the other. Further columns are allowed; `distance` and `confidence` may be missing and are
 * NaN then. @throws PermanentError
 */
export function* clustersCsvRows(text: string, name = 'clusters.csv'): Generator<ClusterRow> {
  const rows = csvRows(text, name);
  const header = rows.next().value ?? [];
  const column = Object.fromEntries(columns.map(key => [key, header.indexOf(key)])) as Record<
    (typeof columns)[number],
    number
  >;
  if (column.image < 0 || column.cluster < 0) {
    throw new PermanentError(
      `${name}: the first line must name the columns ${columns.join(',')}, it reads ${header.join(',')}`,
    );
  }
  let line = 1;
  for (const row of rows) {
    line++;
    const number = (key: (typeof columns)[number]) =>
      column[key] < 0 ? Number.NaN : Number(row[column[key]] || 'NaN');
    const [image, cluster] = [row[column.image], number('cluster')];
    if (!image || !Number.isInteger(cluster) || cluster < 0) {
      throw new PermanentError(`${name}: line ${line} has no image or no cluster id: ${row.join(',')}`);
    }
    yield { image, cluster: cluster as ClusterId, distance: number('distance'), confidence: number('confidence') };
  }
}
