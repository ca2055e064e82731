/** The files below a folder, one after the other in the order of their keys. */
import type { Dirent, Stats } from 'node:fs';
import { lstat, opendir, readdir, realpath, stat } from 'node:fs/promises';
import { errorCode } from './file-errors.ts';
import { nameOf } from './key-path.ts';

/** A path as the system has it: a Buffer where the name is no UTF-8. */
export type FilePath = string | Buffer;

export interface FoundFile {
  readonly key: string;
  readonly path: FilePath;
  readonly stats: Stats;
}

export interface WalkRules {
  /** Leaves out whole files and folders. */
  skips(key: string, path: FilePath): boolean;
  /**
   * `follow`: links count as what they point to (the store's own folder).
   * `show`: links to files and links that cannot be followed are listed, links to folders are never entered, so no loop and no file twice.
   */
  readonly links: 'follow' | 'show';
}

interface Entry {
  /** Ends with `/` for a folder: so a folder sorts among its neighbours as the keys inside it do. */
  readonly key: string;
  readonly bytes: Buffer;
  readonly path: FilePath;
}

/** So many files are looked at together; the system answers one by one rather slowly. */
const together = 128;

/**
 * Every file below `folder` whose key (`prefix` + relative path) begins with `wanted`, in the order of UTF-8 bytes of the keys.
 * Memory: one directory's names at a time, along one path down.
 */
export async function* walkFolder(
  folder: FilePath,
  prefix: string,
  wanted: string,
  rules: WalkRules,
): AsyncGenerator<FoundFile> {
  yield* walk(folder, prefix, wanted, rules, new Set());
}

async function* walk(
  folder: FilePath,
  prefix: string,
  wanted: string,
  rules: WalkRules,
  above: ReadonlySet<string>,
): AsyncGenerator<FoundFile> {
  if (rules.links === 'follow') {
    const place = (await realpath(folder, 'latin1').catch(ignoreMissing)) ?? '';
    if (above.has(place)) return;
    above = new Set(above).add(place);
  }
  const entries = await sortedEntries(folder, prefix, wanted, rules);
  for (let start = 0; start < entries.length; start += together) {
    const block = entries.slice(start, start + together);
    const files = await Promise.all(block.map(entry => (isFolder(entry) ? undefined : fileOf(entry, rules))));
    for (const [i, entry] of block.entries()) {
      if (isFolder(entry)) yield* walk(entry.path, entry.key, wanted, rules, above);
      else if (files[i]) yield files[i];
    }
  }
}

const isFolder = (entry: Entry): boolean => entry.key.endsWith('/');

async function sortedEntries(folder: FilePath, prefix: string, wanted: string, rules: WalkRules): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (const dirent of await direntsOf(folder)) {
    const key = prefix + nameOf(dirent.name);
    const path = joined(folder, dirent.name);
    if (rules.skips(key, path)) continue;
    const entry = await entryOf(dirent, key, path, rules);
    if (entry.key.startsWith(wanted) || (isFolder(entry) && wanted.startsWith(entry.key))) entries.push(entry);
  }
  return entries.sort((a, b) => Buffer.compare(a.bytes, b.bytes));
}

/** A folder that vanished meanwhile has no entries; one that may not be opened was listed as a file already. */
async function direntsOf(folder: FilePath): Promise<Dirent<Buffer>[]> {
  return (await readdir(folder, { withFileTypes: true, encoding: 'buffer' }).catch(ignoreMissing)) ?? [];
}

function ignoreMissing(failure: unknown): undefined {
  if (!['ENOENT', 'ENOTDIR'].includes(errorCode(failure))) throw failure;
}

/** Strings as long as the name allows it: an undecodable name makes everything below it a Buffer. */
function joined(folder: FilePath, name: Buffer): FilePath {
  const text = nameOf(name);
  if (typeof folder === 'string' && Buffer.from(text).equals(name)) return `${folder}/${text}`;
  return Buffer.concat([Buffer.from(folder), Buffer.from('/'), name]);
}

async function entryOf(dirent: Dirent<Buffer>, key: string, path: FilePath, { links }: WalkRules): Promise<Entry> {
  const link = dirent.isSymbolicLink();
  const folder = link ? links === 'follow' && (await leadsToFolder(path)) : dirent.isDirectory();
  const entered = folder && (links === 'follow' || (await mayOpen(path)));
  const full = entered ? `${key}/` : key;
  return { key: full, bytes: Buffer.from(full), path };
}

const leadsToFolder = (path: FilePath): Promise<boolean> =>
  stat(path).then(
    stats => stats.isDirectory(),
    () => false,
  );

/** Whether this process may list the folder and look at what is in it. */
export async function mayOpen(folder: FilePath): Promise<boolean> {
  try {
    await (await opendir(folder)).close();
    await stat(joined(folder, Buffer.from('.')));
    return true;
  } catch {
    return false;
  }
}

/** Undefined for what vanished meanwhile and, where links are followed, for links that lead nowhere. */
async function fileOf({ key, path }: Entry, { links }: WalkRules): Promise<FoundFile | undefined> {
  const stats = await stat(path).catch(() => lstat(path).catch(ignoreMissing));
  return stats && !(links === 'follow' && stats.isSymbolicLink()) ? { key, path, stats } : undefined;
}
