/** What the image of the tasks installs, installed here by the lines of its Dockerfile: all but Docker and the GPU. */
import { exec, execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

// Some hundred megabytes are fetched and unpacked.
vi.setConfig({ hookTimeout: 300_000 });

const context = fileURLToPath(new URL('../../dist/gpu-task', import.meta.url));
const app = mkdtempSync(join(tmpdir(), 'selflabel-task-image-'));
const selfTest = (device: string) =>
  promisify(execFile)(process.execPath, [join(app, 'task.mjs'), '--self-test', device]);

describe.runIf(process.platform === 'linux' && process.arch === 'x64')('the packages of the image', () => {
  beforeAll(async () => {
    cpSync(context, app, { recursive: true });
    const [, stage] = readFileSync(join(app, 'Dockerfile'), 'utf8').split(/^FROM .* AS packages$/m);
    const [install, prune] = [...stage!.matchAll(/^RUN (.*)$/gm)].map(([, command]) => command!);
    await promisify(exec)(install!, { cwd: app });
    await promisify(exec)(prune!, { cwd: join(app, 'node_modules/onnxruntime-node') });
  });
  afterAll(() => rmSync(app, { recursive: true }));

  it('run every stage, with the version of ONNX Runtime that the image has', async () => {
    const file = join(app, 'node_modules/onnxruntime-node/package.json');
    const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string };
    expect(readFileSync(join(app, 'providers.txt'), 'utf8')).toContain(`onnxruntime-gpu==${version} `);
    const { stdout } = await selfTest('cpu');
    expect(JSON.parse(stdout)).toMatchObject({ device: 'cpu', pictures: 3 });
  });

  it('look for the provider among them, and refuse to work without it', async () => {
    const { stdout } = (await selfTest('cuda').catch(failure => failure)) as { stdout: string };
    expect(JSON.parse(stdout)).toEqual({ error: expect.stringMatching(/no working cuda device.*load shared library/) });
  });
});
