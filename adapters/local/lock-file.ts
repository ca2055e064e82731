/**
 * Locks between processes: a file that only one can create, holding who it was.
 * A lock whose holder is dead is taken over. That is the delicate part: two processes may see the same dead lock, and the slower one must
 * not remove the fresh lock of the faster one. So removing the lock of holder T needs the lock "break T", taken by these same rules;
 * whoever has it looks again, and only then removes. Since T is dead, nobody else can remove T's lock meanwhile.
 */
import { randomUUID } from 'node:crypto';
import { link, open, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { errorCode, unlinkIfThere } from './file-errors.ts';
import type { ProcessIdentity } from './process-identity.ts';
import { lifeOf, ownIdentity } from './process-identity.ts';

/** Who has a lock, as far as the file tells. */
export interface Holder extends ProcessIdentity {
  readonly token: string;
  /** Milliseconds since 1970. */
  readonly since: number;
}

export interface LockRules {
  /** Path prefix for short-lived files on the same disk, or undefined where the disk knows no hard links. */
  readonly tempPrefix: string | undefined;
  /** A lock of another machine counts as abandoned when it was not refreshed for so long. */
  readonly abandonedAfterSeconds: number;
}

export interface HeldLock {
  /** Tells other machines that the holder lives. */
  refresh(): Promise<void>;
  release(): Promise<void>;
}

/** The lock, or its living holder. */
export type LockAttempt = { readonly lock: HeldLock } | { readonly holder: Holder };

/** Tries to take the lock at `path`, once, taking it over from the dead. */
export async function tryLock(path: string, rules: LockRules): Promise<LockAttempt> {
  for (;;) {
    const token = randomUUID();
    if (await createLock(path, { ...ownIdentity, token, since: Date.now() }, rules)) return { lock: held(path, token) };
    const found = await readHolder(path, rules);
    if (found === undefined) continue;
    if (found.life !== 'dead') return { holder: found.holder };
    const breaking = await tryLock(`${path}.${found.holder.token}`, rules);
    if ('holder' in breaking) return breaking;
    try {
      const again = await readHolder(path, rules);
      if (again?.holder.token === found.holder.token) await unlinkIfThere(path);
    } finally {
      await breaking.lock.release();
    }
  }
}

/** False if the file exists already. By a hard link the file appears with its content; without, there is a moment in which it is empty. */
async function createLock(path: string, holder: Holder, { tempPrefix }: LockRules): Promise<boolean> {
  const content = JSON.stringify(holder);
  const temp = tempPrefix && `${tempPrefix}${holder.token}`;
  try {
    if (temp === undefined) await writeFile(path, content, { flag: 'wx' });
    else {
      await writeFile(temp, content, { flag: 'wx' });
      await link(temp, path);
    }
    return true;
  } catch (failure) {
    if (errorCode(failure) === 'EEXIST') return false;
    throw failure;
  } finally {
    if (temp !== undefined) await unlinkIfThere(temp);
  }
}

/** The holder and whether it lives; undefined if the lock is gone. */
async function readHolder(
  path: string,
  rules: LockRules,
): Promise<{ holder: Holder; life: 'alive' | 'dead' } | undefined> {
  try {
    const [text, { mtimeMs, ino }] = [await readFile(path, 'utf8'), await stat(path)];
    const abandoned = Date.now() - mtimeMs > rules.abandonedAfterSeconds * 1000;
    const holder = parseHolder(text) ?? unreadable(`${ino}-${mtimeMs}`, mtimeMs);
    const life = lifeOf(holder);
    return { holder, life: life === 'unknown' ? (abandoned ? 'dead' : 'alive') : life };
  } catch (failure) {
    if (errorCode(failure) === 'ENOENT') return undefined;
    throw failure;
  }
}

function parseHolder(text: string): Holder | undefined {
  try {
    const holder = JSON.parse(text) as Partial<Holder> | null;
    const whole = typeof holder?.token === 'string' && /^[\w-]+$/.test(holder.token) && typeof holder.pid === 'number';
    return whole ? (holder as Holder) : undefined;
  } catch {
    return undefined;
  }
}

/** A lock being written, or cut off by a power failure: judged by its age, like one of another machine. */
const unreadable = (token: string, since: number): Holder => ({
  pid: 0,
  started: undefined,
  host: 'unknown',
  machine: 'unknown',
  boot: undefined,
  token,
  since,
});

function held(path: string, token: string): HeldLock {
  return {
    async refresh() {
      const now = new Date();
      await utimes(path, now, now);
    },
    async release() {
      const text = await readFile(path, 'utf8').catch(() => '');
      // After a long sleep of this machine another one may have taken over: then the file is no longer ours.
      if (parseHolder(text)?.token === token) await unlinkIfThere(path);
    },
  };
}

/** Whether files in this folder can have a second name. FAT, some network and FUSE disks know only one. */
export async function knowsHardLinks(tempPrefix: string): Promise<boolean> {
  const [first, second] = [`${tempPrefix}${randomUUID()}`, `${tempPrefix}${randomUUID()}`];
  const file = await open(first, 'wx');
  await file.close();
  try {
    await link(first, second);
    return true;
  } catch (failure) {
    if (['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(errorCode(failure))) return false;
    throw failure;
  } finally {
    await unlinkIfThere(second);
    await unlinkIfThere(first);
  }
}
