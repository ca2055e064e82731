/**
 * The store's own folder, which behaves like a bucket for any number of processes on one machine.
 * What makes it safe: bytes first go to a hidden temporary file and to the disk; then one system call gives them their name. So an object
 * that exists is complete, whenever a process is killed or the power fails. A hard link never replaces a file: that is `putNew`.
 * A rename does: that is `put`. Whatever replaces or removes an object holds that object's lock.
 */
import { link, rename, rmdir, stat, unlink } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { PermanentError } from '#core/errors';
import type { ObjectStore, StoredObject } from '#pipeline/ports';
import { errorCode, folderError, systemError, unlinkIfThere } from './file-errors.ts';
import { type FoundFile, walkFolder } from './folder-walk.ts';
import { assertKey } from './key-path.ts';
import { makeFolder } from './make-folder.ts';
import { nodeDigest } from './node-digest.ts';
import { ObjectLocks } from './object-locks.ts';
import type { WholeFile } from './whole-file.ts';
import { readWholeFile, versionOf } from './whole-file.ts';
import { hiddenFolder, Workspace } from './workspace.ts';

/** Objects up to here have their content's hash as etag. Larger ones are never swapped, and listing must not read them. */
export const hashedBytes = 1 << 20;

/** So often a folder is made again when another process has just removed it as empty. */
const attempts = 20;

/** Codes that mean: no such object. */
const absent: readonly string[] = ['ENOENT', 'ENOTDIR', 'EISDIR', 'ENAMETOOLONG'];

export class OwnFolder implements ObjectStore {
  readonly #typed: string;
  readonly #root: string;
  readonly #workspace: Workspace;
  readonly #locks: ObjectLocks;

  /** @param folder as the user typed it: messages name it so @param hardLinks false: do without; undefined: find out */
  constructor(folder: string, hardLinks?: boolean) {
    this.#typed = folder;
    this.#root = resolve(folder);
    this.#workspace = new Workspace(this.#root, hardLinks);
    this.#locks = new ObjectLocks(this.#workspace);
  }

  /** Clears away what killed processes left half written. */
  clean(): Promise<void> {
    return this.#explained(hiddenFolder, () => this.#workspace.clean());
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    return (await this.#read(key))?.bytes;
  }

  async getTagged(key: string): Promise<{ bytes: Uint8Array; etag: string } | undefined> {
    const file = await this.#read(key);
    return file && { bytes: file.bytes, etag: etagOf(file) };
  }

  async head(key: string): Promise<StoredObject | undefined> {
    const path = this.#pathOf(key);
    const stats = await this.#unlessAbsent(() => stat(path));
    if (!stats?.isFile()) return undefined;
    if (stats.size > hashedBytes) return { key, size: stats.size, etag: versionOf(stats) };
    const file = await this.#read(key);
    return file && { key, size: file.bytes.length, etag: etagOf(file) };
  }

  async putNew(key: string, bytes: Uint8Array): Promise<boolean> {
    return (await this.#create(key, bytes)) !== undefined;
  }

  swap(key: string, bytes: Uint8Array, etag: string | undefined): Promise<string | undefined> {
    if (etag === undefined) return this.#create(key, bytes);
    return this.#explained(key, () =>
      this.#locks.run(key, async () => {
        const current = await this.head(key);
        return current?.etag === etag ? this.#replace(key, bytes) : undefined;
      }),
    );
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    const path = this.#pathOf(key);
    await this.#explained(key, async () => {
      const { tempPrefix } = await this.#workspace.prepare();
      await this.#withFile(bytes, async temp => {
        // Nothing there yet is the common case, and needs no lock.
        if (tempPrefix && (await linked(temp, path))) return;
        await this.#locks.run(key, () => inFolderOf(path, () => rename(temp, path)));
      });
    });
  }

  delete(key: string): Promise<void> {
    const path = this.#pathOf(key);
    return this.#explained(key, () =>
      this.#locks.run(key, async () => {
        await this.#unlessAbsent(() => unlink(path));
        await this.#removeEmptyFolders(dirname(path));
      }),
    );
  }

  /** @param skips keys (of files or whole folders) to leave out */
  async *list(
    prefix: string,
    _after?: string,
    skips: (key: string) => boolean = () => false,
  ): AsyncGenerator<StoredObject> {
    for await (const { key, stats } of this.#walk(prefix, skips)) {
      const found = stats.size > hashedBytes ? { key, size: stats.size, etag: versionOf(stats) } : await this.head(key);
      if (found) yield found;
    }
  }

  /** As `list`, without reading the objects. */
  async *keys(prefix: string, skips: (key: string) => boolean = () => false): AsyncGenerator<string> {
    for await (const { key, stats } of this.#walk(prefix, skips)) if (stats.isFile()) yield key;
  }

  async *#walk(prefix: string, skips: (key: string) => boolean): AsyncGenerator<FoundFile> {
    const rules = { links: 'follow', skips: (key: string) => key === hiddenFolder || skips(key) } as const;
    try {
      yield* walkFolder(this.#root, '', prefix, rules);
    } catch (failure) {
      throw folderError(failure, this.#typed, prefix);
    }
  }

  /** @throws PermanentError for keys that no file can have */
  #pathOf(key: string): string {
    assertKey(key);
    if (key === hiddenFolder || key.startsWith(`${hiddenFolder}/`)) {
      throw new PermanentError(`${key} cannot be stored: names in ${hiddenFolder} are kept for the program itself`);
    }
    return `${this.#root}/${key}`;
  }

  #read(key: string): Promise<WholeFile | undefined> {
    const path = this.#pathOf(key);
    return this.#explained(key, () => this.#unlessAbsent(() => readWholeFile(path)));
  }

  async #unlessAbsent<T>(act: () => Promise<T>): Promise<T | undefined> {
    try {
      return await act();
    } catch (failure) {
      if (absent.includes(errorCode(failure))) return undefined;
      throw failure;
    }
  }

  async #explained<T>(key: string, act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (failure) {
      throw folderError(failure, this.#typed, key);
    }
  }

  /** The new object's etag, or undefined if the key is taken. */
  #create(key: string, bytes: Uint8Array): Promise<string | undefined> {
    const path = this.#pathOf(key);
    return this.#explained(key, async () => {
      const { tempPrefix } = await this.#workspace.prepare();
      return this.#withFile(bytes, async temp => {
        const etag = await etagOfFile(temp, bytes);
        const first = tempPrefix ? await this.#linkNew(temp, path) : await this.#renameNew(temp, path, key);
        return first ? etag : undefined;
      });
    });
  }

  /** The object's new etag. To be called with the object's lock. */
  #replace(key: string, bytes: Uint8Array): Promise<string> {
    const path = this.#pathOf(key);
    return this.#withFile(bytes, async temp => {
      const etag = await etagOfFile(temp, bytes);
      await inFolderOf(path, () => rename(temp, path));
      return etag;
    });
  }

  /** Hands the bytes over as a temporary file; it is gone afterwards one way or the other. */
  async #withFile<T>(bytes: Uint8Array, use: (temp: string) => Promise<T>): Promise<T> {
    const temp = await this.#workspace.write(bytes);
    try {
      return await use(temp);
    } finally {
      await unlinkIfThere(temp);
    }
  }

  async #linkNew(temp: string, path: string): Promise<boolean> {
    if (await linked(temp, path)) return true;
    // The name was taken a moment ago.
    if (await this.#isFree(path)) throw systemError('EEXIST');
    return false;
  }

  #renameNew(temp: string, path: string, key: string): Promise<boolean> {
    return this.#locks.run(key, async () => {
      if (!(await this.#isFree(path))) return false;
      await inFolderOf(path, () => rename(temp, path));
      return true;
    });
  }

  /** @throws an error with code EISDIR if a folder has the name */
  async #isFree(path: string): Promise<boolean> {
    const stats = await this.#unlessAbsent(() => stat(path));
    if (stats?.isDirectory()) throw systemError('EISDIR');
    return stats === undefined;
  }

  /** Buckets have no empty folders. */
  async #removeEmptyFolders(folder: string): Promise<void> {
    for (let empty = folder; empty.length > this.#root.length; empty = dirname(empty)) {
      try {
        await rmdir(empty);
      } catch {
        return; // not empty, or already gone
      }
    }
  }
}

const contentTag = (bytes: Uint8Array): string => nodeDigest.sha256(bytes).slice(0, 32);

export const etagOf = ({ bytes, stats }: WholeFile): string =>
  bytes.length > hashedBytes ? versionOf(stats) : contentTag(bytes);

/** The etag that the bytes in this file have under any name. */
const etagOfFile = async (path: string, bytes: Uint8Array): Promise<string> =>
  etagOf({ bytes, stats: await stat(path) });

/** Gives the file the name, too, unless something has it. */
async function linked(temp: string, path: string): Promise<boolean> {
  try {
    await inFolderOf(path, () => link(temp, path));
    return true;
  } catch (failure) {
    if (errorCode(failure) !== 'EEXIST') throw failure;
    return false;
  }
}

/** Acts, and where the folder is missing makes it first; again and again while others remove it as empty in between. */
async function inFolderOf(path: string, act: () => Promise<void>): Promise<void> {
  for (let left = attempts; ; left--) {
    try {
      if (left < attempts) await makeFolder(dirname(path));
      return await act();
    } catch (failure) {
      if (errorCode(failure) !== 'ENOENT' || left === 0) throw failure;
    }
  }
}
