/** What every finished run must hold, whatever was in the folder. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { parseClustersCsv } from '#core/formats/clusters-csv';
import { labelPaths } from '#core/labels/label-path';
import { filesBelow, readIds, readReceipt } from './result-folder.ts';

const codec = new SharpCodec();

/** Files and links below a folder that are not hidden, relative, sorted. */
function inputsBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => !entry.isDirectory())
    .map(entry => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .filter(name => !/(^|\/)\./.test(name))
    .sort();
}

/** The receipt balances, every table and folder is complete, every label map has its image's size and only ids that exist. */
export async function assertWholeResult(out: string, images: string, clusters: number): Promise<void> {
  const { counts, labelled, empty, duplicate, rejected } = readReceipt(out);
  const inputs = inputsBelow(images);
  const accounted = [...labelled, ...empty, ...duplicate.map(one => one.image), ...rejected.map(one => one.image)];
  expect(accounted.sort()).toEqual(inputs);
  expect(counts.total).toBe(inputs.length);
  expect(counts.labelled + counts.empty + counts.duplicate + counts.rejected).toBe(counts.total);

  const readable = inputs.filter(name => !rejected.some(one => one.image === name));
  const rows = parseClustersCsv(readFileSync(join(out, 'clusters.csv'), 'utf8'));
  expect(rows.map(row => row.image).sort()).toEqual(readable);
  expect(rows.every(row => row.cluster >= 0 && row.cluster < clusters)).toBe(true);

  const paths = labelPaths(readable);
  expect(filesBelow(join(out, 'labels'))).toEqual(readable.map(name => paths.of(name)).sort());
  for (const name of readable) {
    const { width, height } = await codec.decode(readFileSync(join(images, name)));
    const map = await readIds(out, 'labels', paths.of(name));
    expect([map.width, map.height], name).toEqual([width, height]);
    expect(Math.max(...new Set(map.ids)), name).toBeLessThanOrEqual(clusters);
    expect(map.ids.some(id => id > 0)).toBe(labelled.includes(name) || duplicate.some(one => one.image === name));
  }
}
