/** What the API's function is made of: small enough, complete, and able to run a model and read a picture by itself. */
import { execFile } from 'node:child_process';
import { createWriteStream, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { finished } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ZipFile } from 'yazl';
import { toModel } from '#core/graph/model';
import { relu } from '#core/graph/ops';
import { input } from '#core/graph/tensor';
import { stageApi } from '../../infra/api-bundle.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const place = mkdtempSync(join(tmpdir(), 'selflabel-api-'));
const bundle = join(place, 'api');
const runsHere = process.platform === 'linux' && process.arch === 'x64';

beforeAll(() => stageApi(root, bundle));
afterAll(() => rmSync(place, { recursive: true, force: true }));

const files = () =>
  readdirSync(bundle, { withFileTypes: true, recursive: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name));

describe("the API's bundle", () => {
  it('is at most 28 MB when zipped, without a model', async () => {
    const zip = new ZipFile();
    for (const file of files()) zip.addFile(file, relative(bundle, file), { compressionLevel: 6 });
    zip.end();
    const target = join(place, 'api.zip');
    await finished(zip.outputStream.pipe(createWriteStream(target)));
    expect(statSync(target).size).toBeLessThan(28_000_000);
    expect(statSync(target).size).toBeGreaterThan(20_000_000);
  });

  it('holds one kind of machine only', () => {
    const native = files().filter(file => /\.(node|so[.\d]*|dll|dylib)$/.test(file));
    expect(native.length).toBeGreaterThanOrEqual(3);
    for (const file of native) expect(relative(bundle, file)).toMatch(/linux.*x64/);
  });

  it.runIf(runsHere)('runs a model and reads a picture with nothing beside it', async () => {
    const x = input('x', 'float32', [2]);
    writeFileSync(join(place, 'model.onnx'), toModel({ name: 'm', inputs: [x], outputs: { y: relu(x) } }));
    const program = `
      import { InferenceSession, Tensor } from 'onnxruntime-node';
      import sharp from 'sharp';
      const session = await InferenceSession.create('../model.onnx');
      const { y } = await session.run({ x: new Tensor('float32', [-1, 2], [2]) });
      const { data } = await sharp({ create: { width: 2, height: 1, channels: 3, background: '#010203' } })
        .png().toBuffer().then(png => sharp(png).raw().toBuffer({ resolveWithObject: true }));
      console.log(JSON.stringify([...y.data, ...data]));`;
    writeFileSync(join(bundle, 'try.mjs'), program);
    const { stdout } = await promisify(execFile)(process.execPath, ['try.mjs'], { cwd: bundle });
    rmSync(join(bundle, 'try.mjs'));
    expect(JSON.parse(stdout)).toEqual([0, 2, 1, 2, 3, 1, 2, 3]);
  });
});
