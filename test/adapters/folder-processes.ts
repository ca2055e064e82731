/** Starts other processes on a folder and talks with them. */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const projectRoot = fileURLToPath(new URL('../..', import.meta.url));
const script = fileURLToPath(new URL('folder-process.ts', import.meta.url));

export interface OtherProcess {
  readonly child: ChildProcess;
  readonly pid: number;
  go(): void;
  /** The next thing it says, parsed. */
  answer(): Promise<unknown>;
  /** kill -9, and waits until it is gone. */
  kill(): Promise<void>;
}

/** Returns when the process is ready to go. */
export async function startProcess(role: string, folder: string, name: string): Promise<OtherProcess> {
  const child = spawn(process.execPath, ['--import', 'tsx', script, role, folder, name], {
    cwd: projectRoot,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  await lines.next();
  return {
    child,
    pid: child.pid!,
    go: () => void child.stdin!.write('go\n'),
    answer: async () => JSON.parse((await lines.next()).value as string),
    kill: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
  };
}

export const startProcesses = (count: number, role: string, folder: string): Promise<OtherProcess[]> =>
  Promise.all(Array.from({ length: count }, (_, i) => startProcess(role, folder, `process ${i}`)));
