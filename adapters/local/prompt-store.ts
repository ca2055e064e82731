/** A folder's store as a program needs it that can do nothing else yet: every way to a thread and back would only delay it. */
import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import type { ObjectStore } from '#pipeline/ports';
import { assertKey } from './key-path.ts';
import { etagOf, hashedBytes } from './own-folder.ts';
import { versionOf, type WholeFile } from './whole-file.ts';

export type ReadableStore = Pick<ObjectStore, 'get' | 'getTagged' | 'head'>;

/**
 * @param store of the folder: what is absent or in trouble is left to it
 * @param isPrompt false: others may be waiting for this thread, and files are read as the store reads them
 */
export function promptStore(folder: string, store: ReadableStore, isPrompt: () => boolean): ReadableStore {
  const found = (key: string, largest = Number.POSITIVE_INFINITY): Found | undefined => {
    assertKey(key);
    return isPrompt() ? readAtOnce(join(folder, key), largest) : undefined;
  };
  const tagged = (key: string) => whole(found(key));
  return {
    get: async key => tagged(key)?.bytes ?? store.get(key),
    getTagged: async key => tagged(key) ?? store.getTagged(key),
    async head(key) {
      const file = found(key, hashedBytes);
      if (!file) return store.head(key);
      const { size } = file.stats;
      return { key, size, etag: whole(file)?.etag ?? versionOf(file.stats) };
    },
  };
}

/** Without bytes where they were not wanted. */
type Found = Omit<WholeFile, 'bytes'> & Partial<Pick<WholeFile, 'bytes'>>;

const whole = (file: Found | undefined) =>
  file?.bytes && { bytes: file.bytes, etag: etagOf({ bytes: file.bytes, stats: file.stats }) };

/** @param largest size whose bytes are wanted @returns undefined where there is no file, or trouble */
function readAtOnce(path: string, largest: number): Found | undefined {
  let file: number | undefined;
  try {
    // Not waiting for a writer, should the path turn out to be a pipe.
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = fstatSync(file);
    if (!stats.isFile()) return undefined;
    return stats.size > largest ? { stats } : readAll(file, stats);
  } catch {
    return undefined;
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** Undefined if it was cut meanwhile. */
function readAll(file: number, stats: Stats): WholeFile | undefined {
  const bytes = new Uint8Array(stats.size);
  return readSync(file, bytes, 0, bytes.length, 0) === bytes.length ? { bytes, stats } : undefined;
}
