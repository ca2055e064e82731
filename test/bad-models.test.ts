/** Networks and models that are not what they should be: one line that names the file. */
import { copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, it, vi } from 'vitest';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { toModel } from '#core/graph/model';
import { globalAveragePool } from '#core/graph/ops';
import { input } from '#core/graph/tensor';
import { writeSceneFolder } from '../cli/scene-folder.ts';
import { done, refuses } from './command-line.ts';
import { scratchRoom } from './scratch-rooms.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const room = scratchRoom();
const images = join(room, 'scenes', 'images');
const base = join(room, 'base');

beforeAll(async () => {
  await writeSceneFolder(new SharpCodec(), join(room, 'scenes'), 4, 8);
  await done('run', images, '--out', base, '--clusters', '2', '--restarts', '1');
});

describe('wrong networks and models', () => {
  const flat = () => {
    const image = input('image', 'float32', ['N', 3, 'H', 'W']);
    return toModel({ name: 'flat', inputs: [image], outputs: { pooled: globalAveragePool(image) } });
  };

  it.each([
    ['missing.onnx', undefined, /missing\.onnx does not exist/],
    ['empty.onnx', new Uint8Array(0), /empty\.onnx: not a readable ONNX model: the file is empty/],
    ['text.onnx', 'a text called .onnx\n', /text\.onnx: not a readable ONNX model: .*; export or download it again/],
    ['cut.onnx', undefined, /cut\.onnx: not a readable ONNX model: the file is truncated .*again/],
    ['flat.onnx', flat(), /flat\.onnx: the model has no dense feature map .*; export it without its pooling/],
  ])('refuses the backbone %s', async (name, content, words) => {
    if (name === 'cut.onnx') {
      const whole = readFileSync(join(base, 'model', 'model.onnx'));
      writeFileSync(join(room, name), whole.subarray(0, whole.length / 2));
    } else if (content !== undefined) writeFileSync(join(room, name), content);
    await refuses(words, 'run', images, '--out', join(room, 'never networks'), '--backbone', join(room, name));
  });

  it('refuses a network whose settings are broken', async () => {
    const folder = join(room, 'settings');
    mkdirSync(folder);
    copyFileSync(join(base, 'model', 'model.onnx'), join(folder, 'n.onnx'));
    const run = ['run', images, '--out', base, '--backbone', join(folder, 'n.onnx')];
    writeFileSync(join(folder, 'n.json'), '{"input":');
    await refuses(/settings beside .*n\.onnx are no JSON/, ...run);
    writeFileSync(join(folder, 'n.json'), '[{"file":"m.onnx"}]');
    await refuses(/settings beside .*n\.onnx are a list without an entry/, ...run);
  });

  it('refuses a model folder that is not whole', async () => {
    const model = join(room, 'broken model');
    cpSync(join(base, 'model'), model, { recursive: true });
    const predict = ['predict', images, '--model', model, '--out', join(room, 'never predicted')];
    const card = readFileSync(join(model, 'card.json'));
    writeFileSync(join(model, 'card.json'), card.subarray(0, 40));
    await refuses(/broken model\/card\.json: not JSON/, ...predict);
    writeFileSync(join(model, 'card.json'), '{"version":1}');
    await refuses(/broken model\/card\.json: not a usable model card .*take the model's folder as it was/, ...predict);
    rmSync(join(model, 'card.json'));
    await refuses(/card\.json does not exist/, ...predict);
    writeFileSync(join(model, 'card.json'), card);
    writeFileSync(join(model, 'model.onnx'), 'nonsense');
    await refuses(/broken model\/model\.onnx: not a readable ONNX model/, ...predict);
    writeFileSync(join(model, 'model.onnx'), flat());
    await refuses(/broken model\/model\.onnx: not a model made by selflabel run/, ...predict);
    rmSync(join(model, 'model.onnx'));
    await refuses(/model\.onnx does not exist/, ...predict);
  });
});
