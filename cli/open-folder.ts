/** The folder of a finished run, opened for a command and closed after it. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { PermanentError } from '#core/errors';
import type { Ports } from '#pipeline/ports';

export interface OpenedFolder {
  readonly ports: Pick<Ports, 'store' | 'images' | 'digest' | 'log'>;
  close(): Promise<void>;
}

/** Plugs the adapters into a folder. */
export type OpenFolder = (folder: string) => Promise<OpenedFolder>;

/** Opens, works, closes, whatever happens. */
export async function withFolder<T>(
  open: OpenFolder,
  folder: string,
  work: (opened: OpenedFolder) => Promise<T>,
): Promise<T> {
  const opened = await open(folder);
  try {
    return await work(opened);
  } finally {
    await opened.close();
  }
}

/** Before anything is opened, so that a mistyped name leaves no folder behind. @throws PermanentError */
export function assertRunFolder(folder: string): void {
  if (existsSync(join(folder, 'receipt.json'))) return;
  throw new PermanentError(`${folder} holds no receipt.json; give the folder that selflabel run wrote (its --out)`);
}
