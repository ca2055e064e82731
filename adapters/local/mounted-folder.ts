/** A folder of the user's, read and never written: its files appear in the store under a prefix. */
import type { Stats } from 'node:fs';
import { lstat, realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { PermanentError, RejectedInput } from '#core/errors';
import type { StoredObject } from '#pipeline/ports';
import { errorCode, readError } from './file-errors.ts';
import type { FilePath } from './folder-walk.ts';
import { mayOpen, walkFolder } from './folder-walk.ts';
import { undecodedPath } from './key-path.ts';
import { readWholeFile, versionOf } from './whole-file.ts';

export interface Mount {
  /** Ends with a slash: "datasets/x/images/". */
  readonly prefix: string;
  /** As the user typed it: messages name it so. */
  readonly folder: string;
}

/** No photo is larger; a file is read as a whole. */
const largestFile = 1 << 30;

export class MountedFolder {
  readonly prefix: string;
  readonly #place: string;
  readonly #without: string;
  /** Folders inside that are reached without a link. */
  readonly #folders = new Set<string>();

  private constructor(prefix: string, place: string, without: string) {
    this.prefix = prefix;
    this.#place = place;
    this.#without = without;
  }

  /**
   * @param without a folder whose files are never shown, should it lie inside: the store's own
   * @throws PermanentError if there is no such folder
   */
  static async open({ prefix, folder }: Mount, without: string): Promise<MountedFolder> {
    const place = await realpath(folder).catch(failure => {
      throw new PermanentError(`there is no folder ${folder}`, { cause: failure });
    });
    if (!(await stat(place)).isDirectory()) throw new PermanentError(`${folder} is a file; a folder is needed`);
    if (place === without) {
      throw new PermanentError(`${folder} cannot be both read from and written to; choose two folders`);
    }
    return new MountedFolder(prefix, place, without);
  }

  /** The file's bytes and version, or undefined if there is none or it is hidden. @throws RejectedInput if it cannot be read */
  async read(key: string): Promise<{ bytes: Uint8Array; etag: string } | undefined> {
    try {
      const ordinary = await this.#ordinary(key);
      if (ordinary) return await bytesOf(ordinary);
      const path = (await this.#find(key))?.path;
      if (path === undefined) return undefined;
      await this.#assertInside(path);
      assertReadable(await stat(path), await isLink(path));
      return await bytesOf(path);
    } catch (failure) {
      if (errorCode(failure) === 'ENOENT') return undefined; // vanished just now
      throw readError(failure);
    }
  }

  async head(key: string): Promise<StoredObject | undefined> {
    const found = await this.#find(key);
    return found && stored(key, found.stats);
  }

  /** Every file that is not hidden, readable or not: an input is never lost silently. */
  async *list(wanted: string): AsyncGenerator<StoredObject> {
    const skips = (key: string, path: FilePath) => hidden.test(key.slice(this.prefix.length)) || path === this.#without;
    for await (const { key, stats } of walkFolder(this.#place, this.prefix, wanted, { links: 'show', skips })) {
      yield stored(key, stats);
    }
  }

  async *keys(wanted: string): AsyncGenerator<string> {
    for await (const { key } of this.list(wanted)) yield key;
  }

  /** The way of nearly every photo, with the fewest questions to the system: a file, not large, no links on the way. */
  async #ordinary(key: string): Promise<string | undefined> {
    const relative = key.slice(this.prefix.length);
    if (hidden.test(relative)) return undefined;
    const path = `${this.#place}/${relative}`;
    const stats = await lstat(path).catch(() => undefined);
    if (!stats?.isFile() || stats.size > largestFile) return undefined;
    const folder = dirname(path);
    if (!this.#folders.has(folder)) {
      if ((await realpath(folder)) !== folder) return undefined;
      this.#folders.add(folder);
    }
    return path;
  }

  /** What a key names; undefined for folders, hidden files and nothing at all. */
  async #find(key: string): Promise<{ path: FilePath; stats: Stats } | undefined> {
    const relative = key.slice(this.prefix.length);
    if (hidden.test(relative)) return undefined;
    const path = `${this.#place}/${relative}`;
    for (const candidate of [path, undecodedPath(path)]) {
      const stats = candidate && (await statOf(candidate));
      if (!stats || !candidate) continue;
      return stats.isDirectory() && (await mayOpen(candidate)) && !(await isLink(candidate))
        ? undefined
        : { path: candidate, stats };
    }
    return undefined;
  }

  async #assertInside(path: FilePath): Promise<void> {
    const real = await realpath(path).catch(async failure => {
      const dangling = errorCode(failure) === 'ENOENT' && (await isLink(path));
      throw dangling ? new RejectedInput('a link to nothing', { cause: failure }) : failure;
    });
    if (!`${real}/`.startsWith(`${this.#place}/`)) throw new RejectedInput('a link that leaves the folder');
  }
}

/** A name that begins with a dot, anywhere in the path. */
const hidden = /(^|\/)\./;

/** Of what the path leads to, or of the link itself if it leads nowhere. */
const statOf = (path: FilePath): Promise<Stats | undefined> =>
  stat(path).catch(() => lstat(path).catch(() => undefined));

const isLink = async (path: FilePath): Promise<boolean> => (await lstat(path)).isSymbolicLink();

async function bytesOf(path: FilePath): Promise<{ bytes: Uint8Array; etag: string }> {
  const { bytes, stats } = await readWholeFile(path);
  return { bytes, etag: versionOf(stats) };
}

const stored = (key: string, stats: Stats): StoredObject => ({
  key,
  size: stats.isFile() ? stats.size : 0,
  etag: versionOf(stats),
});

function assertReadable(stats: Stats, link: boolean): void {
  if (stats.isDirectory() && link) throw new RejectedInput('a link to a folder; its files count where they lie');
  if (stats.isDirectory()) throw new RejectedInput('a folder that may not be opened (no permission)');
  if (!stats.isFile()) throw new RejectedInput('not a file but a pipe or device');
  if (stats.size > largestFile) throw new RejectedInput(`too large: more than ${largestFile / 2 ** 30} GiB`);
}
