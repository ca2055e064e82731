/** What the image of the tasks is made of, as it is copied, without Docker. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const bundle = fileURLToPath(new URL('../../dist/gpu-task/', import.meta.url));
const read = (file: string) => readFileSync(bundle + file, 'utf8');
const lockOf = (file: string) =>
  (JSON.parse(readFileSync(file, 'utf8')) as { packages: Record<string, { version: string; integrity?: string }> })
    .packages;
const task = (args: string[], env: Record<string, string> = {}) =>
  promisify(execFile)(process.execPath, [`${bundle}task.mjs`, ...args], { env: { PATH: process.env.PATH, ...env } });

describe('the bundle of the tasks', () => {
  it('runs every stage on the device asked for, and says which and how fast', async () => {
    const { stdout } = await task(['--self-test', 'cpu']);
    const said = JSON.parse(stdout) as { seconds: object };
    expect(said).toMatchObject({ device: 'cpu', pictures: 3, imagesPerSecond: expect.any(Number) });
    expect(Object.keys(said.seconds)).toEqual(['attend', 'embed', 'cluster', 'label', 'evaluate']);
  });

  it('refuses a device that is not there instead of taking another', async () => {
    const { stdout, code } = (await task(['--self-test', 'abacus']).catch(failure => failure)) as {
      stdout: string;
      code: number;
    };
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toEqual({ error: expect.stringContaining('"abacus"') });
  });

  it('names the variable it misses', async () => {
    const { stdout } = (await task([]).catch(failure => failure)) as { stdout: string };
    expect(stdout).toContain('SELFLABEL_TASK');
  });

  it('holds what the Dockerfile copies', () => {
    const copied = [...read('Dockerfile').matchAll(/^COPY (?!--from)(.*) \S+$/gm)];
    const files = copied.flatMap(([, names]) => names!.split(' '));
    expect(files).toContain('task.mjs');
    for (const file of files) expect(readFileSync(bundle + file).length).toBeGreaterThan(0);
  });

  it('takes the CUDA provider of the runtime it runs on, known by its digests, on a base of CUDA 12', () => {
    const version = lockOf(`${bundle}package-lock.json`)['node_modules/onnxruntime-node']!.version;
    const provider = new RegExp(`^onnxruntime-gpu==${version} --hash=sha256:[0-9a-f]{64}$`, 'm');
    expect(read('providers.txt')).toMatch(provider);
    const digests = read('providers.sha256').trimEnd().split('\n');
    expect(digests.map(line => /^[0-9a-f]{64} {2}(\S+)$/.exec(line)?.[1])).toEqual([
      'libonnxruntime_providers_cuda.so',
      'libonnxruntime_providers_shared.so',
    ]);
    const bases = [...read('Dockerfile').matchAll(/^FROM (\S+)/gm)].map(([, base]) => base);
    expect(bases.at(-1)).toMatch(/^nvidia\/cuda:12\..*-cudnn-runtime-/);
  });

  it('installs the packages of the command line, byte for byte, but for the runtime of models', () => {
    const ours = lockOf(fileURLToPath(new URL('../../package-lock.json', import.meta.url)));
    const other = Object.entries(lockOf(`${bundle}package-lock.json`)).filter(
      ([name, { version, integrity }]) =>
        name !== '' && (ours[name]?.version !== version || !integrity || ours[name].integrity !== integrity),
    );
    // The last is for a script of the runtime that is not run.
    expect(other.map(([name]) => name.replace('node_modules/', '')).sort()).toEqual([
      'adm-zip',
      'onnxruntime-common',
      'onnxruntime-node',
    ]);
  });

  it('has every package that the bundle asks for, and no other', () => {
    const { dependencies } = JSON.parse(read('package.json')) as { dependencies: Record<string, string> };
    const programs = ['task.mjs', 'session-worker.mjs', 'pixel-worker.mjs'].map(read).join('\n');
    const asked = programs.matchAll(/(?:^(?:import|\}).* from "|^import "|\bimport\("|\)\(")([@a-z][^":]*)"/gm);
    // Of `zod/mini` the package is `zod`, of `@a/b/c` it is `@a/b`.
    const packages = [...asked].map(([, name]) => /^(?:@[^/]+\/)?[^/]+/.exec(name!)![0]);
    expect([...new Set(packages)].sort()).toEqual(Object.keys(dependencies).sort());
  });
});
