/** An S3 and SQS server as a child process: moto, in a Python environment of the project's own that is made when missing. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Where the server listens: "http://127.0.0.1:…". */
    awsEndpoint: string;
  }
}

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const environment = join(root, '.venv-aws');
const requirements = join(root, 'test/aws/requirements.txt');
const python = join(environment, process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python');

/** vitest's global setup. */
export default async function startServer(project: TestProject): Promise<() => Promise<void>> {
  await makeEnvironment();
  const server = spawn(python, [join(root, 'test/aws/server.py')], { stdio: ['pipe', 'ignore', 'pipe'] });
  project.provide('awsEndpoint', await endpointOf(server));
  return async () => {
    server.stdin.end();
    if (server.exitCode === null) await new Promise(resolve => server.once('exit', resolve));
  };
}

/** The port is the system's choice; the server says which. */
function endpointOf(server: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = '';
    server.stderr!.on('data', (text: Buffer) => {
      if (said.length > 10_000) return;
      said += text.toString();
      const [address] = said.match(/http:\/\/127\.0\.0\.1:\d+/) ?? [];
      if (address) resolve(address);
    });
    setTimeout(() => reject(new Error(`the S3 and SQS server does not start:\n${said}`)), 60_000).unref();
    server.once('exit', code => reject(new Error(`the S3 and SQS server ended at its start (${code}):\n${said}`)));
  });
}

/** Made once, and again when the requirements change: a copy of them is written into it last. */
async function makeEnvironment(): Promise<void> {
  const wanted = await readFile(requirements, 'utf8');
  const stamp = join(environment, 'requirements.txt');
  if ((await readFile(stamp, 'utf8').catch(() => '')) === wanted) return;
  console.log('making .venv-aws, once; this takes a few minutes');
  await rm(environment, { recursive: true, force: true });
  await run('python3', ['-m', 'venv', environment]).catch(explain);
  await run(python, ['-m', 'pip', 'install', '--quiet', '-r', requirements], { maxBuffer: 2 ** 26 });
  await writeFile(stamp, wanted);
}

function explain(failure: NodeJS.ErrnoException): never {
  const missing = failure.code === 'ENOENT' ? 'python3 is not installed' : 'python3 cannot make environments';
  throw new Error(
    `${missing}: the tests against an S3 and SQS server need python3 with venv (Debian: apt-get install python3-venv); npm test does without`,
    { cause: failure },
  );
}
