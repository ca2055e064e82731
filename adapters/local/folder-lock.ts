/** One living process per folder: a second one on the same folder would do the same work twice. */
import { resolve } from 'node:path';
import { PermanentError } from '#core/errors';
import { folderError } from './file-errors.ts';
import type { HeldLock, Holder } from './lock-file.ts';
import { tryLock } from './lock-file.ts';
import { ownIdentity } from './process-identity.ts';
import { hiddenFolder, Workspace } from './workspace.ts';

const refreshSeconds = 20;
/** Several missed refreshes: the other machine is gone, or asleep. */
const abandonedAfterSeconds = 120;

export class FolderLock {
  readonly #lock: HeldLock;
  readonly #refreshing: NodeJS.Timeout;

  private constructor(lock: HeldLock) {
    this.#lock = lock;
    // A lock that somebody deleted by hand cannot be refreshed; the work itself is safe without it.
    this.#refreshing = setInterval(() => void lock.refresh().catch(() => undefined), refreshSeconds * 1000);
    this.#refreshing.unref();
  }

  /**
   * Takes the folder for this process until `release`. The lock of a process that died is taken over.
   * @param folder as the user typed it: messages name it so
   * @throws PermanentError naming the process that has the folder, or saying why the folder cannot be used
   */
  static async acquire(folder: string): Promise<FolderLock> {
    const root = resolve(folder);
    try {
      const workspace = new Workspace(root);
      const rules = { ...(await workspace.prepare()), abandonedAfterSeconds };
      const attempt = await tryLock(`${root}/${hiddenFolder}/lock`, rules);
      if ('holder' in attempt) throw new PermanentError(refusal(folder, attempt.holder));
      return new FolderLock(attempt.lock);
    } catch (failure) {
      throw folderError(failure, folder, hiddenFolder);
    }
  }

  async release(): Promise<void> {
    clearInterval(this.#refreshing);
    await this.#lock.release();
  }
}

function refusal(folder: string, { pid, host, machine, since }: Holder): string {
  const started = new Date(since).toISOString();
  if (machine === ownIdentity.machine) {
    return `${folder} is in use by process ${pid} (since ${started}); wait until it ends, or stop it`;
  }
  return (
    `${folder} is in use by process ${pid} on ${host} (since ${started}); wait until it ends, ` +
    `or, if it is gone, try again in ${abandonedAfterSeconds} seconds`
  );
}
