/** The built command line as people use it: a process of its own, what it said and how it ended. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';

const program = fileURLToPath(new URL('../dist/selflabel.mjs', import.meta.url));

export interface Outcome {
  /** Exit code; null for a process that a signal ended. */
  readonly code: number | null;
  /** The signal that ended it. */
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}

export interface Running {
  readonly child: ChildProcess;
  readonly outcome: Promise<Outcome>;
}

/** @param cwd where the person stands; default: here */
export function start(words: readonly string[], cwd?: string): Running {
  const child = spawn(process.execPath, [program, ...words], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  const said = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', text => {
    said.out += text;
  });
  child.stderr.setEncoding('utf8').on('data', text => {
    said.err += text;
  });
  return { child, outcome: once(child, 'close').then(([code, signal]) => ({ code, signal, ...said })) };
}

export const selflabel = (...words: string[]): Promise<Outcome> => start(words).outcome;

/** The words of a run that is soon over. */
export const smallRun = (images: string, out: string, ...more: string[]): string[] => [
  ...['run', images, '--out', out, '--clusters', '3', '--restarts', '2'],
  ...more,
];

/** A command that must succeed. @returns what it printed on stdout */
export async function done(...words: string[]): Promise<string> {
  const { code, out, err } = await selflabel(...words);
  if (code !== 0) throw new Error(`selflabel ${words.join(' ')} ended with ${code}:\n${err}`);
  return out;
}

/** The last line of stdout of a command with `--json`, which must be all there is. */
export async function doneJson<T>(...words: string[]): Promise<T> {
  const out = await done(...words, '--json');
  if (out.indexOf('\n') !== out.length - 1) throw new Error(`more than one line of JSON:\n${out}`);
  return JSON.parse(out) as T;
}

/** A command that must end with 1 and one line that matches; nothing but progress stands before it, and no stack trace. */
export async function refuses(words: RegExp, ...command: string[]): Promise<void> {
  const { code, out, err } = await selflabel(...command);
  const said = err.split('\n').filter(line => line && !/^(attend|embed|label|finetune|evaluate) /.test(line));
  expect(said.join('\n')).toMatch(words);
  expect(said).toHaveLength(1);
  expect(said[0]).toMatch(/^selflabel: /);
  expect([code, out]).toEqual([1, '']);
}
