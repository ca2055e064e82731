/** What lies in a results folder, for comparing runs: "same bytes" in the sense of the interface. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';
import { decodeIndexPng, type IndexPng } from '#core/formats/png-index';
import type { Receipt } from '#core/job/receipt';

export const readJsonFile = <T>(...path: string[]): T => JSON.parse(readFileSync(join(...path), 'utf8')) as T;

export const readReceipt = (folder: string): Receipt => readJsonFile<Receipt>(folder, 'receipt.json');

/** Files below a folder, relative, sorted. */
export function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(name => statSync(join(folder, name)).isFile())
    .sort();
}

const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex');

/** SHA-256 of every file below a folder, by relative path. */
export const hashesBelow = (folder: string): Record<string, string> =>
  Object.fromEntries(filesBelow(folder).map(name => [name, sha256(readFileSync(join(folder, name)))]));

const without = (key: string, document: Record<string, unknown>) =>
  sha256(JSON.stringify({ ...document, [key]: undefined }));

/** What two runs of the same job must agree on: label maps, tables, classes, metrics without seconds, receipt without timing, model. */
export function resultBytes(folder: string): Record<string, string> {
  const labels = hashesBelow(join(folder, 'labels'));
  const whole = [
    'clusters.csv',
    'near-duplicates.csv',
    'merges.json',
    'classes.json',
    'model/model.onnx',
    'model/classes.json',
  ];
  const there = new Set(filesBelow(folder));
  return {
    ...Object.fromEntries(Object.entries(labels).map(([name, hash]) => [`labels/${name}`, hash])),
    ...Object.fromEntries(
      whole.filter(name => there.has(name)).map(name => [name, sha256(readFileSync(join(folder, name)))]),
    ),
    ...(there.has('metrics.json') && { 'metrics.json': without('seconds', readJsonFile(folder, 'metrics.json')) }),
    'receipt.json': without('timing', readJsonFile(folder, 'receipt.json')),
  };
}

/** A label map or mask. */
export const readIds = (...path: string[]): Promise<IndexPng> =>
  decodeIndexPng(readFileSync(join(...path)), async (bytes, limit) => inflateSync(bytes, { maxOutputLength: limit }));
