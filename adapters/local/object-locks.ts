/** One writer at a time per object: within this process by a queue, between processes by a lock file. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { HeldLock } from './lock-file.ts';
import { tryLock } from './lock-file.ts';
import { nodeDigest } from './node-digest.ts';
import type { Workspace } from './workspace.ts';

const patienceSeconds = 60;
const longestPauseMilliseconds = 50;

export class ObjectLocks {
  readonly #workspace: Workspace;
  /** The last job of each key in line; entries vanish with their last job. */
  readonly #lines = new Map<string, Promise<unknown>>();

  constructor(workspace: Workspace) {
    this.#workspace = workspace;
  }

  /** Runs the job while nobody else has the lock of this key. @throws Error if another process keeps it too long */
  async run<T>(key: string, job: () => Promise<T>): Promise<T> {
    const before = this.#lines.get(key);
    const mine = (before ?? Promise.resolve()).then(() => this.#locked(key, job));
    const settled = mine.catch(() => undefined);
    this.#lines.set(key, settled);
    try {
      return await mine;
    } finally {
      if (this.#lines.get(key) === settled) this.#lines.delete(key);
    }
  }

  async #locked<T>(key: string, job: () => Promise<T>): Promise<T> {
    const lock = await this.#wait(key);
    try {
      return await job();
    } finally {
      await lock.release();
    }
  }

  async #wait(key: string): Promise<HeldLock> {
    const rules = await this.#workspace.prepare();
    const path = `${this.#workspace.locks}/${nodeDigest.sha256(new TextEncoder().encode(key)).slice(0, 32)}`;
    const deadline = Date.now() + patienceSeconds * 1000;
    for (let pause = 1; ; pause = Math.min(pause * 2, longestPauseMilliseconds)) {
      const attempt = await tryLock(path, rules);
      if ('lock' in attempt) return attempt.lock;
      const { pid, host } = attempt.holder;
      if (Date.now() > deadline) throw new Error(`${key} has been locked by process ${pid} on ${host} for too long`);
      // Uneven pauses, so that waiting processes do not stay in step.
      await sleep(pause * (0.5 + Math.random()));
    }
  }
}
