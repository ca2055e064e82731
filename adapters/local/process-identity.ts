/** Which process this is, told so exactly that another one can find out whether it still lives. */
import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks between boot and the start of the process: process ids are used again, these pairs are not. Undefined without /proc. */
  readonly started: string | undefined;
  readonly host: string;
  /** Host and process id space: only there does the pid mean anything (containers have their own). */
  readonly machine: string;
  /** Changes with every boot. Undefined without /proc. */
  readonly boot: string | undefined;
}

export type Life = 'alive' | 'dead' | 'unknown';

/** What lies in /proc, or undefined on systems without it. */
function fromProc<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** State and start time (proc(5), fields 3 and 22); the name before them may hold spaces and brackets. */
function procStat(pid: number): { state: string; started: string } | undefined {
  const text = fromProc(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields && { state: fields[0] ?? '', started: fields[19] ?? '' };
}

function identify(): ProcessIdentity {
  const host = hostname();
  const space = fromProc(() => readlinkSync('/proc/self/ns/pid')) ?? '';
  return {
    pid: process.pid,
    started: procStat(process.pid)?.started,
    host,
    machine: createHash('sha256').update(`${host}\0${space}`).digest('hex').slice(0, 8),
    boot: fromProc(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()),
  };
}

/** This process. */
export const ownIdentity: ProcessIdentity = identify();

/** Whether that process still runs; unknown for processes of other machines. A killed one that nobody has fetched yet counts as dead. */
export function lifeOf(other: Omit<ProcessIdentity, 'host'>): Life {
  if (other.machine !== ownIdentity.machine) return 'unknown';
  if (other.boot !== ownIdentity.boot) return 'dead';
  if (!pidExists(other.pid)) return 'dead';
  const stat = procStat(other.pid);
  if (stat === undefined) return 'alive';
  return stat.started === other.started && !'ZX'.includes(stat.state) ? 'alive' : 'dead';
}

function pidExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (failure) {
    return (failure as NodeJS.ErrnoException).code === 'EPERM';
  }
}
