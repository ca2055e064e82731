/** The built `selflabel serve` as a process of its own, which tells how late its event loop was and how much memory it holds. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request as ask } from 'node:http';

/** Answers each message: the hundredth-slowest delay of the event loop since the last one, in milliseconds, and resident bytes. */
const probe = `
  import { monitorEventLoopDelay } from 'node:perf_hooks';
  // Its threads read this too, and have no channel.
  if (process.channel) {
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    process.on('message', () => {
      process.send({ delay: delay.percentile(99) / 1e6, rss: process.memoryUsage().rss });
      delay.reset();
    });
    process.channel.unref();
  }`;

const probing = ['--import', `data:text/javascript,${encodeURIComponent(probe)}`];

export interface Vitals {
  /** p99 of the event loop's delay since the last question, in milliseconds. */
  readonly delay: number;
  /** Resident memory, bytes. */
  readonly rss: number;
}

export interface Watched {
  vitals(): Promise<Vitals>;
  stop(): Promise<void>;
}

export interface ServeProcess extends Watched {
  readonly port: number;
}

const agent = new Agent({ keepAlive: true });

/** Needs `npm run build`. @param watched false: nothing but the program, and no `vitals` */
export async function startServe(model: string, watched = true): Promise<ServeProcess> {
  const watching = watched ? probing : [];
  const words = [...watching, 'dist/selflabel.mjs', 'serve', model, '--port', '0', '--quiet'];
  const child = spawn(process.execPath, words, {
    stdio: ['ignore', 'ignore', 'pipe', ...(watched ? ['ipc' as const] : [])],
  });
  return { port: await portOf(child), ...watchedProcess(child) };
}

/** A process that does nothing: its event loop is late only because of what else runs on the machine. */
export function startIdle(): Watched {
  const words = [...probing, '--eval', 'setInterval(() => undefined, 1e6)'];
  return watchedProcess(spawn(process.execPath, words, { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] }));
}

function watchedProcess(child: ChildProcess): Watched {
  return {
    async vitals() {
      child.send({});
      const [vitals] = await once(child, 'message');
      return vitals as Vitals;
    },
    async stop() {
      const ended = once(child, 'exit');
      child.kill();
      await ended;
    },
  };
}

function portOf({ stderr }: ChildProcess): Promise<number> {
  let said = '';
  return new Promise((resolve, reject) => {
    stderr!.on('data', text => {
      said += text;
      const [, port] = /serving .* on http:\S+:(\d+)/.exec(said) ?? [];
      if (port) resolve(Number(port));
    });
    stderr!.on('end', () => reject(new Error(said)));
  });
}

/** One request over a connection that is kept. @returns the status; the answer is read to its end */
export function post(port: number, path: string, type: string, body: Uint8Array): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': type, 'content-length': body.length };
    const request = ask({ agent, port, host: '127.0.0.1', path, method: 'POST', headers }, answer => {
      answer.resume().on('end', () => resolve(answer.statusCode!));
    });
    request.on('error', reject).end(body);
  });
}
