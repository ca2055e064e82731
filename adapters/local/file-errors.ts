/** The system's error codes, turned into what a person can do about them. */
import { unlink } from 'node:fs/promises';
import { PermanentError, RejectedInput } from '#core/errors';

/** The system's code ("ENOENT", …), or empty for other errors. */
export const errorCode = (failure: unknown): string => (failure as NodeJS.ErrnoException | undefined)?.code ?? '';

/** An error as the system would report it. */
export const systemError = (code: string): NodeJS.ErrnoException => Object.assign(new Error(code), { code });

export async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (failure) {
    if (errorCode(failure) !== 'ENOENT') throw failure;
  }
}

/** What went wrong in the store's own folder, by code; `folder` is written as the user typed it. */
const folderRemedies: Readonly<Record<string, (folder: string, key: string) => string>> = {
  ENOSPC: folder => `the disk that holds ${folder} is full; free some space and start again, finished work is kept`,
  EDQUOT: folder => `your disk quota for ${folder} is used up; free some space and start again, finished work is kept`,
  EROFS: folder => `${folder} lies on a read-only disk; choose another folder to write to`,
  EACCES: folder => `${folder} may not be used (no permission); change its permissions or choose another folder`,
  EPERM: folder => `${folder} may not be used (no permission); change its permissions or choose another folder`,
  EXDEV: folder => `${folder} contains a link to another disk; it must lie on one disk as a whole`,
  ENAMETOOLONG: (folder, key) =>
    `the name ${key} is too long for the disk that holds ${folder}; shorten the image's name`,
  EISDIR: (folder, key) => `${key} cannot be written to ${folder}: a folder of that name is in the way`,
  ENOTDIR: (folder, key) => `${key} cannot be written to ${folder}: a file is in the way of one of its folders`,
};

/** A PermanentError with the remedy where trying again cannot help; anything else unchanged. */
export function folderError(failure: unknown, folder: string, key: string): unknown {
  const remedy = folderRemedies[errorCode(failure)];
  return remedy ? new PermanentError(remedy(folder, key), { cause: failure }) : failure;
}

/** Why one file of the user's cannot be read. No path: the receipt names the image itself. */
const readReasons: Readonly<Record<string, string>> = {
  EACCES: 'it may not be read (no permission)',
  EPERM: 'it may not be read (no permission)',
  ELOOP: 'a link that leads in a circle',
  EIO: 'the disk cannot read it',
  ENAMETOOLONG: 'its name is too long',
};

/** A RejectedInput where only this input is at fault; anything else unchanged. */
export function readError(failure: unknown): unknown {
  const reason = readReasons[errorCode(failure)];
  return reason ? new RejectedInput(reason, { cause: failure }) : failure;
}
