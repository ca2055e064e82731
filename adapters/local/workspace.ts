/** The hidden corner of a store's folder: files being written, and locks. */
import { randomUUID } from 'node:crypto';
import { open, readdir, stat } from 'node:fs/promises';
import { errorCode, unlinkIfThere } from './file-errors.ts';
import type { LockRules } from './lock-file.ts';
import { knowsHardLinks } from './lock-file.ts';
import { makeFolder } from './make-folder.ts';
import { lifeOf, ownIdentity } from './process-identity.ts';

/** No object lies below this name. */
export const hiddenFolder = '.selflabel';

/** Temporary files of unknown processes (other machines) are left alone for so long. */
const foreignLeftoverHours = 24;
/** Object locks are held for milliseconds. */
const abandonedAfterSeconds = 60;

export class Workspace {
  readonly locks: string;
  readonly #temp: string;
  readonly #tempPrefix: string;
  #hardLinks: boolean | undefined;
  #prepared: Promise<LockRules> | undefined;

  /** @param hardLinks false: do without them; undefined: find out whether the disk knows them */
  constructor(root: string, hardLinks?: boolean) {
    this.locks = `${root}/${hiddenFolder}/locks`;
    this.#temp = `${root}/${hiddenFolder}/temp`;
    this.#tempPrefix = `${this.#temp}/${ownName}.`;
    this.#hardLinks = hardLinks;
  }

  /** Makes the folders on first use. A failure is forgotten, so that the next call tries again. */
  prepare(): Promise<LockRules> {
    this.#prepared ??= this.#make().catch(failure => {
      this.#prepared = undefined;
      throw failure;
    });
    return this.#prepared;
  }

  async #make(): Promise<LockRules> {
    await makeFolder(this.#temp);
    await makeFolder(this.locks);
    this.#hardLinks ??= await knowsHardLinks(this.#tempPrefix);
    return { tempPrefix: this.#hardLinks ? this.#tempPrefix : undefined, abandonedAfterSeconds };
  }

  /** A new file with these bytes, safely on the disk, that nobody else sees. @returns its path; the caller renames or removes it */
  async write(bytes: Uint8Array): Promise<string> {
    const path = `${this.#tempPrefix}${randomUUID()}`;
    const file = await open(path, 'wx');
    try {
      await file.writeFile(bytes);
      // Everything named before is on the disk before this returns (journals keep order), so a marker never survives what it marks.
      await file.datasync();
    } catch (failure) {
      await unlinkIfThere(path);
      throw failure;
    } finally {
      await file.close();
    }
    return path;
  }

  /** Removes what killed processes left half written. Files of living processes stay. */
  async clean(): Promise<void> {
    const names = await readdir(this.#temp).catch(failure => {
      if (errorCode(failure) === 'ENOENT') return [];
      throw failure;
    });
    for (const name of names) {
      if (await isLeftover(`${this.#temp}/${name}`, name)) await unlinkIfThere(`${this.#temp}/${name}`);
    }
  }
}

/** Begins the name of every temporary file of this process. */
const ownName = [ownIdentity.machine, ownIdentity.boot ?? '', ownIdentity.pid, ownIdentity.started ?? ''].join('.');

async function isLeftover(path: string, name: string): Promise<boolean> {
  const [machine = '', boot, pid, started] = name.split('.');
  const life = lifeOf({ machine, boot: boot || undefined, pid: Number(pid), started: started || undefined });
  if (life !== 'unknown') return life === 'dead';
  const stats = await stat(path).catch(() => undefined);
  return stats !== undefined && Date.now() - stats.mtimeMs > foreignLeftoverHours * 3_600_000;
}
