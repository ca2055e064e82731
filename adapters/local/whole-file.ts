/** Reading a file as a whole, together with what the system knew of it at that moment. */
import type { Stats } from 'node:fs';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
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
    const bytes = await file.readFile();
    return { bytes: new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length), stats };
  } finally {
    await file.close();
  }
}

/** A version from the directory entry alone: changes when the file is written or replaced. */
export const versionOf = ({ size, ino, mtimeMs }: Stats): string => `${size}-${ino}-${mtimeMs}`;
