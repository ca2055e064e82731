/** Making a folder with all above it. */
import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorCode, systemError } from './file-errors.ts';

/**
 * Like `mkdir` with `recursive`, which on a read-only disk reports ENOENT instead of what is wrong.
 * @throws the system's error; ENOTDIR if a file is in the way; ENOENT if others remove the folders while they are made
 */
export async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder);
  } catch (failure) {
    const code = errorCode(failure);
    if (code === 'EEXIST') return assertFolder(folder);
    if (code !== 'ENOENT' || dirname(folder) === folder) throw failure;
    await makeFolder(dirname(folder));
    await mkdir(folder).catch(ignoreExisting);
  }
}

async function assertFolder(folder: string): Promise<void> {
  if (!(await stat(folder)).isDirectory()) throw systemError('ENOTDIR');
}

function ignoreExisting(failure: unknown): void {
  if (errorCode(failure) !== 'EEXIST') throw failure;
}
