import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { nodeSnippet, pythonSnippet } from '#core/pages/onnx-snippet';

/**
 * scores = 2 × 2 average of the image's channels, foreground = their mean / 255. Made with the onnx package for Python:
 * AveragePool(image) → scores; ReduceMean(scores, axes=[1]) → mean; Mul(mean, 1/255) → foreground; opset 13, IR 8.
 */
const quadrants =
  'CAg6/wEKRQoFaW1hZ2USBnNjb3JlcyILQXZlcmFnZVBvb2wqFQoMa2VybmVsX3NoYXBlQAJAAqABByoQCgdzdHJpZGVzQAJAAqABBwo4CgZzY29yZXMSBG1lYW4iClJlZHVjZU1lYW4q' +
  'CwoEYXhlc0ABoAEHKg8KCGtlZXBkaW1zGAGgAQIKGgoEbWVhbgoBaxIKZm9yZWdyb3VuZCIDTXVsEglxdWFkcmFudHMqDQgBEAEiBIGAgDtCAWtaIgoFaW1hZ2USGQoXCAESEwoDEgFu' +
  'CgIIAwoDEgFoCgMSAXdiDgoGc2NvcmVzEgQKAggBYhIKCmZvcmVncm91bmQSBAoCCAFCBAoAEA0=';

const model = {
  file: 'model.onnx',
  decision: { kind: 'threshold', threshold: 0.1, upsample: 'bilinear', refine: null },
  input: { shorterSide: 8, stride: 4 },
} as const;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'snippet-'));
  await writeFile(join(folder, 'model.onnx'), Buffer.from(quadrants, 'base64'));
  const photo = new Uint8Array(16 * 16 * 3);
  for (let at = 0; at < 256; at++) {
    const quadrant = (at >= 128 ? 2 : 0) + (at % 16 >= 8 ? 1 : 0);
    if (quadrant < 3) photo[at * 3 + quadrant] = 255;
  }
  await sharp(photo, { raw: { width: 16, height: 16, channels: 3 } })
    .png()
    .toFile(join(folder, 'photo.jpg'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs a snippet as a file of its own, with the packages of this project and names of files made absolute. */
async function labelsOf(snippet: string): Promise<number[]> {
  const require = createRequire(import.meta.url);
  const text = snippet
    .replace(/from '([^']+)'/g, (_, name: string) => `from '${pathToFileURL(require.resolve(name))}'`)
    .replace("'photo.jpg'", JSON.stringify(join(folder, 'photo.jpg')))
    .replace('"model.onnx"', JSON.stringify(join(folder, 'model.onnx')));
  const file = join(folder, `${(await readdir(folder)).length}.mjs`);
  await writeFile(file, `${text}\nexport { labels };`);
  const { labels } = (await import(/* @vite-ignore */ pathToFileURL(file).href)) as { labels: Uint16Array };
  return [...labels];
}

describe('the example for Node runs as it is printed', () => {
  test('threshold: red 1, green 2, blue 3, black background', async () => {
    const rows = await labelsOf(nodeSnippet(model));
    expect(rows).toEqual([1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 0, 0, 3, 3, 0, 0]);
  });

  test('argmax: the channel itself', async () => {
    const rows = await labelsOf(nodeSnippet({ ...model, decision: { kind: 'argmax' } }));
    expect(rows.slice(0, 10)).toEqual([0, 0, 1, 1, 0, 0, 1, 1, 2, 2]);
  });
});

describe('the example for Python', () => {
  test('carries the rule of the model', () => {
    expect(pythonSnippet(model)).toContain('labels[up(foreground[0, 0]) < 0.1] = 0');
    expect(pythonSnippet({ ...model, decision: { ...model.decision, upsample: 'nearest' } })).toContain(
      'up(plane, Image.NEAREST)',
    );
    const argmax = pythonSnippet({ ...model, decision: { kind: 'argmax' }, input: { shorterSide: null, stride: 32 } });
    expect(argmax).toContain('scores, = model.run(["scores"]');
    expect(argmax).toContain('scale = 1\n');
    expect(argmax).not.toContain('foreground');
  });
});
