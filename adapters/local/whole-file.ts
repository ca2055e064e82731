/** Reading a file as a whole, together with what the system knew of it at that moment. */
import type { Stats } from 'node:fs';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { FilePath } from './folder-walk.ts';

export interface WholeFile {
  readonly bytes: Uint8Array;
  readonly stats: Stats;
}

export async function readWholeFile(path: FilePath): Promise<WholeFile> {
  // Not waiting for a writer, should the path turn out to be a pipe.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = await file.stat();
    return { bytes: stats.isFile() ? await readAll(file, stats.size) : new Uint8Array(await file.readFile()), stats };
  } finally {
    await file.close();
  }
}

/** As many bytes as the file had when it was opened, or fewer if it was cut meanwhile. */
async function readAll(file: FileHandle, size: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(size);
  let filled = 0;
  while (filled < size) {
    const { bytesRead } = await file.read(bytes, filled, size - filled);
    if (bytesRead === 0) return bytes.slice(0, filled);
    filled += bytesRead;
  }
  return bytes;
}

/** A version from the directory entry alone: changes when the file is written or replaced. */
export const versionOf = ({ size, ino, mtimeMs }: Stats): string => `${size}-${ino}-${mtimeMs}`;
