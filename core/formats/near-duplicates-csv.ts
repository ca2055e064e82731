/**
 * `near-duplicates.csv`: images that look almost the same, in groups.
 *
 *   group,image,like,cosine
 *   1,a/001.jpg,a/002.jpg,0.997
 */
import { PermanentError } from '../errors.ts';
import { csvLine, parseCsv } from './csv.ts';

export interface NearDuplicate {
  /** 1, 2, …; the largest group first. */
  readonly group: number;
  readonly image: string;
  /** The image of the group that it resembles most. */
  readonly like: string;
  /** Of their embeddings. */
  readonly cosine: number;
}

const columns = ['group', 'image', 'like', 'cosine'] as const;

/** Text of the file; only the header where there are none. */
export const writeNearDuplicatesCsv = (rows: Iterable<NearDuplicate>): string =>
  [csvLine(columns), ...Array.from(rows, row => csvLine(columns.map(column => row[column])))].join('');

/** Rows of the file as it was written. @throws PermanentError */
export function parseNearDuplicatesCsv(text: string, name = 'near-duplicates.csv'): NearDuplicate[] {
  const [header = [], ...rows] = parseCsv(text, name);
  if (header.join() !== columns.join())
    throw new PermanentError(`${name}: the first line must read ${columns.join(',')}, it reads ${header.join(',')}`);
  return rows.map(([group, image, like, cosine]) => ({
    group: Number(group),
    image: image!,
    like: like!,
    cosine: Number(cosine),
  }));
}
