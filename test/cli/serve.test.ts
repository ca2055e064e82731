/** `selflabel serve` as people start and stop it. */
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { defaultClasses, formatClassMap, withClasses } from '#core/labels/class-map';
import { playgroundPage } from '#core/pages/playground';
import { programVersion } from '#pipeline/version';
import { refuses, selflabel, start } from '../command-line.ts';
import { png } from '../pipeline/serve/api-world.ts';
import { painting, smallModelFiles } from '../pipeline/serve/small-model.ts';
import { scratchRoom } from '../scratch-rooms.ts';
import { whileServing } from '../served.ts';

vi.setConfig({ testTimeout: 120_000 });

const room = scratchRoom();
const picture = png(painting(['rg', 'b.'], 32));

function modelFolder(name: string): string {
  const folder = join(room, name);
  const { onnx, card, classes } = smallModelFiles();
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'model.onnx'), onnx);
  writeFileSync(join(folder, 'card.json'), card);
  writeFileSync(join(folder, 'classes.json'), classes);
  return folder;
}

const segment = async (url: string) => {
  const headers = { 'content-type': 'image/png' };
  const response = await fetch(`${url}/v1/segment`, {
    method: 'POST',
    body: picture as Uint8Array<ArrayBuffer>,
    headers,
  });
  return (await response.json()) as { classes: { name: string }[] };
};

describe('serve', () => {
  it('serves a folder, takes up new names, logs, and ends well', async () => {
    const folder = modelFolder('model');
    const { code, out, err } = await whileServing([folder], async url => {
      expect((await segment(url)).classes.map(({ name }) => name)).toEqual(['class 1', 'class 2', 'class 3']);
      const [first, ...others] = defaultClasses(3).classes;
      const renamed = withClasses(2, [{ ...first!, name: 'sky' }, ...others]);
      writeFileSync(join(folder, 'classes.json'), formatClassMap(renamed));
      await pause(2100);
      expect((await segment(url)).classes[0]!.name).toBe('sky');
      expect((await fetch(`${url}/readyz`)).status).toBe(200);
      expect(await (await fetch(url)).text()).toBe(playgroundPage({ version: programVersion }));
    });
    expect([code, out]).toEqual([0, '']);
    const lines = err
      .split('\n')
      .filter(line => line.startsWith('{'))
      .map(line => JSON.parse(line) as { path: string; status: number });
    expect(lines.filter(({ path }) => path === '/v1/segment').map(({ status }) => status)).toEqual([200, 200]);
    expect(err).toContain('stopping');
  });

  it('ends at once when it is told to right after its first answer', async () => {
    const before = Date.now();
    const started = await whileServing([modelFolder('brief'), '--quiet'], async (url, pid) => {
      expect((await segment(url)).classes).toHaveLength(3);
      // Where the runtime may report to its makers, it begins with this file; others may have left one of an equal process id.
      const file = statSync(join(tmpdir(), `mat-debug-${pid}.log`), { throwIfNoEntry: false });
      expect(file?.mtimeMs ?? 0).toBeLessThan(before);
    });
    expect([started.code, started.err]).toEqual([0, expect.stringContaining('stopping')]);
  });

  it.each([120, 180, 240, 300, 360])('interrupted after %i ms of its start, it ends in order', async wait => {
    const { child, outcome } = start(['serve', modelFolder('early'), '--port', '0', '--quiet']);
    await pause(wait);
    child.kill('SIGINT');
    const { code, signal, err } = await outcome;
    expect(signal ?? code).toBe(err.includes('stopping') ? 0 : 'SIGINT');
    expect(err).not.toContain('terminate');
  });

  it('says what is wrong with a folder', async () => {
    await refuses(/does not exist; give the folder of a model/, 'serve', join(room, 'nowhere'), '--quiet');
    const run = join(room, 'run');
    modelFolder('run/model');
    await refuses(/is the folder of a run; give its model/, 'serve', run);
    const broken = modelFolder('broken');
    writeFileSync(join(broken, 'model.onnx'), 'no model');
    await refuses(/SHA-256 differs/, 'serve', broken, '--port', '0', '--quiet');
  });

  it('says that the port is taken, and what options lack', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise(resolve => other.once('listening', resolve));
    const { port } = other.address() as AddressInfo;
    await refuses(/port \d+ is taken/, 'serve', modelFolder('second'), '--port', String(port), '--quiet');
    other.close();
    const half = await selflabel('serve', modelFolder('third'), '--jwt-issuer', 'x');
    expect([half.code, half.err]).toEqual([2, expect.stringMatching(/belong together/)]);
  });
});
