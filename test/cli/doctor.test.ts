/** `selflabel doctor` as people use it, and `run` with the same networks: what one refuses the other does, in the same words. */
import { copyFileSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { readModel, type TensorProto, writeModel } from '#core/graph/onnx';
import { writeSceneFolder } from '../../cli/scene-folder.ts';
import { done, doneJson, refuses, selflabel } from '../command-line.ts';
import { dataFolder, dataMissing } from '../contracts/test-data.ts';
import { takenApart } from '../external-weights.ts';
import { NetworkWriter, resnet, valueInfo, vit } from '../networks.ts';
import { scratchRoom } from '../scratch-rooms.ts';
import { assertWholeResult } from '../whole-result.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const room = scratchRoom();
const images = join(room, 'scenes', 'images');

beforeAll(async () => {
  await writeSceneFolder(new SharpCodec(), join(room, 'scenes'), 4, 8);
});

/** A file of its own folder. */
function file(name: string, content: Uint8Array | string): string {
  const folder = join(room, name.replace(/\W/g, '-'));
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

interface Findings {
  readonly features: { readonly name: string; readonly channels: number; readonly stride: number };
  readonly fine: { readonly name: string } | null;
  readonly input: { readonly fixed: unknown; readonly batch: number | null };
  readonly written: string | null;
  readonly settings: string | null;
  readonly picture: string;
  readonly reason: string;
  readonly opset: number;
  readonly millisecondsPerImage: number;
}

const labelsWith = async (network: string, out: string) => {
  await done('run', images, '--out', out, '--backbone', network, '--clusters', '2', '--restarts', '1');
  await assertWholeResult(out, images, 2);
};

describe('a network that can be used', () => {
  it('is described, drawn and given settings, which are not written over', async () => {
    const network = file('good.onnx', vit({ height: 'H', width: 'W', batch: 'N', registers: 4 }));
    const first = await doneJson<Findings>('doctor', network);
    expect(first).toMatchObject({ features: { channels: 16, stride: 8, prefix: 5 }, fine: null, opset: 17 });
    expect(first.millisecondsPerImage).toBeGreaterThanOrEqual(0);
    const settings = network.replace('.onnx', '.json');
    expect(first.written).toBe(settings);
    const { width, height, channels } = await sharp(first.picture).metadata();
    expect([width, height, channels]).toEqual([3 * 352 + 16, 256, 3]);
    writeFileSync(settings, JSON.stringify({ input: { channel_order: 'BGR' } }));
    const second = await doneJson<Findings>('doctor', network);
    expect([second.written, second.settings]).toEqual([null, settings]);
    expect(JSON.parse(readFileSync(settings, 'utf8'))).toEqual({ input: { channel_order: 'BGR' } });
  });

  it('is described for people, with what to do next', async () => {
    const text = await done('doctor', file('people.onnx', vit({ height: 64, width: 96, irVersion: 14 })));
    for (const words of [
      /only 64 × 96 \(height × width\), one image at a time/,
      /without the one that is no patch/,
      /chosen: the deepest dense output that the file declares/,
      /settings {2}written to .*people\.json/,
      /note: the file's format \(IR 14\) is newer than what ONNX Runtime opens \(13\)/,
      /note: every image is resized to 64 × 96 inside the graph/,
      /ready: selflabel run PHOTOS --out RESULT --backbone .*people\.onnx/,
    ])
      expect(text).toMatch(words);
  });

  it('looks at the photo given, and writes where told', async () => {
    const network = file('elsewhere.onnx', resnet());
    const out = join(room, 'findings', 'deep');
    const photo = join(images, '0001.jpg');
    const { picture, written } = await doneJson<Findings>('doctor', network, '--image', photo, '--out', out);
    expect([picture, written]).toEqual([join(out, 'elsewhere.features.png'), join(out, 'elsewhere.json')]);
    expect(existsSync(network.replace('.onnx', '.json'))).toBe(false);
    await refuses(/0009\.jpg does not exist; give a photo/, 'doctor', network, '--image', join(images, '0009.jpg'));
    await refuses(/elsewhere\.onnx: .*; give another photo/, 'doctor', network, '--image', network);
  });

  it.each([
    ['a ViT of one size', 'fixed', vit({ height: 64, width: 96, registers: 2 })],
    ['a ViT of any size in float16', 'free', vit({ height: 'H', width: 'W', batch: 'N', half: true })],
    ['a ViT that takes bytes, channels last', 'bytes', vit({ height: 64, width: 64, type: 'uint8', layout: 'NHWC' })],
    ['a ResNet', 'resnet', resnet()],
  ])('labels photos: %s', async (_name, name, bytes) => {
    const out = join(room, `labels ${name}`);
    await labelsWith(file(`${name}.onnx`, bytes), out);
    const card = JSON.parse(readFileSync(join(out, 'model', 'card.json'), 'utf8')) as { inputs: object };
    if (name === 'fixed')
      expect(card.inputs).toMatchObject({
        backboneSize: { height: 64, width: 96 },
        batch: 1,
        exception: expect.stringContaining('64 × 96'),
      });
    else expect(card.inputs).not.toHaveProperty(name === 'bytes' ? 'nothing' : 'backboneSize');
    if (name === 'bytes' || name === 'resnet') return;
    const again = join(room, `again ${name}`);
    await done('predict', images, '--model', join(out, 'model'), '--out', again);
    for (const label of ['0000.png', '0003.png'])
      expect(readFileSync(join(again, 'labels', label))).toEqual(readFileSync(join(out, 'labels', label)));
  });
});

describe('weights in a file beside the model', () => {
  const { model, files } = takenApart(vit({ height: 64, width: 64 }), () => 'weights.bin');
  const data = files.get('weights.bin')!;

  it('are read, by doctor and by run', async () => {
    const network = file('beside.onnx', model);
    writeFileSync(join(network, '..', 'weights.bin'), data);
    const { features } = await doneJson<Findings>('doctor', network);
    expect(features.channels).toBe(16);
    await labelsWith(network, join(room, 'labels beside'));
  });

  it('must be there, whole, and inside the folder', async () => {
    const network = file('without.onnx', model);
    const missing =
      /without\.onnx keeps its weights in weights\.bin, which is not beside it; copy both into one folder/;
    await bothRefuse(network, missing);
    writeFileSync(join(room, 'outside.bin'), data);
    symlinkSync(join(room, 'outside.bin'), join(network, '..', 'weights.bin'));
    await bothRefuse(network, /weights\.bin, a link out of its folder; copy both into one folder/);
    const short = file('short.onnx', model);
    writeFileSync(join(short, '..', 'weights.bin'), data.subarray(0, 100));
    await bothRefuse(short, /short\.onnx: weights\.bin ends after 100 bytes/);
    await bothRefuse(
      file('up.onnx', takenApart(vit(), () => '../up.bin').model),
      /up\.onnx: .*outside the model's folder/,
    );
  });

  it('may be linked together with the model, as caches do', async () => {
    const store = join(room, 'blobs');
    const links = join(room, 'snapshot');
    for (const folder of [store, links]) mkdirSync(folder);
    writeFileSync(join(store, 'aaa'), model);
    writeFileSync(join(store, 'bbb'), data);
    symlinkSync('../blobs/aaa', join(links, 'linked.onnx'));
    symlinkSync('../blobs/bbb', join(links, 'weights.bin'));
    const { features } = await doneJson<Findings>('doctor', join(links, 'linked.onnx'));
    expect(features.channels).toBe(16);
  });
});

/** One line that names the file, the same from both commands. */
async function bothRefuse(network: string, words: RegExp): Promise<void> {
  const commands = [
    ['doctor', network],
    ['run', images, '--out', join(room, 'never'), '--backbone', network, '--clusters', '2'],
  ];
  const outcomes = await Promise.all(commands.map(command => selflabel(...command)));
  const said = outcomes.map(({ err }) => err.split('\n').filter(line => line !== ''));
  expect(said[0]!.join('\n')).toMatch(words);
  expect(said[0]).toEqual([expect.stringContaining(network)]);
  expect(said[1]).toEqual(said[0]);
  expect(outcomes.map(({ code, out }) => [code, out])).toEqual([
    [1, ''],
    [1, ''],
  ]);
}

/** The model with every float weight replaced. */
function withWeights(
  bytes: Uint8Array,
  value: number,
  which: (tensor: TensorProto) => boolean = () => true,
): Uint8Array {
  const model = readModel(bytes);
  const initializer = model.graph!.initializer!.map(tensor =>
    tensor.dataType === 1 && which(tensor)
      ? { ...tensor, rawData: new Uint8Array(new Float32Array(tensor.rawData!.length / 4).fill(value).buffer) }
      : tensor,
  );
  return writeModel({ ...model, graph: { ...model.graph!, initializer } });
}

/** A convolution, then a node of an operator that may not exist. */
function withOperator(opType: string, domain: string, opset: number): Uint8Array {
  const net = new NetworkWriter(opset);
  const map = net.node('Conv', ['image', net.random(8, 3, 4, 4)], { name: 'strides', type: 7, ints: [4n, 4n] });
  net.nodes.push({ opType, domain, name: 'the strange one', input: [map], output: ['y'] });
  const last = net.node('Conv', ['y', net.random(8, 8, 1, 1)]);
  const info = [valueInfo(last, [1, 8, 'h', 'w'])];
  const model = readModel(net.model([valueInfo('image', [1, 3, 'H', 'W'])], info));
  return writeModel({ ...model, opsetImport: [...model.opsetImport!, ...(domain ? [{ domain, version: 1 }] : [])] });
}

/** Gives its bias everywhere. */
function flat(): Uint8Array {
  const net = new NetworkWriter(17);
  const strides = { name: 'strides', type: 7, ints: [4n, 4n] };
  const zero = net.node('Conv', ['image', net.filled(0, 8, 3, 4, 4), net.random(8)], strides);
  const last = net.node('Conv', [zero, net.random(8, 8, 1, 1)]);
  return net.model([valueInfo('image', [1, 3, 'H', 'W'])], [valueInfo(last, [1, 8, 'h', 'w'])]);
}

function detector(): Uint8Array {
  const net = new NetworkWriter(17);
  const small = { name: 'strides', type: 7, ints: [4n, 4n] };
  const pooled = net.node('GlobalAveragePool', [net.node('Conv', ['image', net.random(8, 3, 4, 4)], small)]);
  let boxes = net.node('Reshape', [net.linear(net.node('Flatten', [pooled]), 8, 400), net.integers(-1, 100, 4)]);
  for (let i = 0; i < 30; i++) boxes = net.node('Sigmoid', [boxes]);
  return net.model([valueInfo('image', [1, 3, 64, 64])], [valueInfo(boxes, [1, 100, 4])]);
}

describe('doctor and run refuse in the same words', () => {
  const good = vit({ height: 64, width: 64 });

  it.each([
    [
      'cut.onnx',
      good.subarray(0, good.length / 2),
      /cut\.onnx: not a readable ONNX model: the file is truncated .*again/,
    ],
    ['text.onnx', 'a text called .onnx\n', /text\.onnx: not a readable ONNX model: .*; export or download it again/],
    ['empty.onnx', '', /empty\.onnx: not a readable ONNX model: the file is empty/],
    [
      'newer.onnx',
      vit({ opset: 27 }),
      /newer\.onnx: the model uses opset 27, .* up to 26; export it again with opset 18/,
    ],
    [
      'boxes.onnx',
      detector(),
      /boxes\.onnx: the model's deepest dense feature map is .*, right after its input .*; export the last map/,
    ],
    ['nan.onnx', withWeights(good, Number.NaN), /nan\.onnx: the weights "w\d+" hold NaN; export the model again/],
    ['zero.onnx', withWeights(resnet(), 0), /zero\.onnx: all values of ".*" are zero/],
    ['flat.onnx', flat(), /flat\.onnx: "Conv_1" is the same at every place of the image; name another tensor/],
    ['huge.onnx', withWeights(good, 1e30), /huge\.onnx: \d+ of \d+ values of ".*" are not finite/],
    [
      'unknown.onnx',
      withOperator('Magic', '', 17),
      /unknown\.onnx: the node "the strange one" \(Magic of opset 17\) .*the ONNX standard has no such operator/,
    ],
    [
      'strange.onnx',
      withOperator('Magic', '', 21),
      /strange\.onnx: the model needs the operator "Magic" \(node "the strange one"\), which ONNX Runtime does not have/,
    ],
    [
      'foreign.onnx',
      withOperator('Magic', 'com.nobody', 17),
      /foreign\.onnx: the model needs the operator "Magic" of com\.nobody/,
    ],
  ])('%s', async (name, content, words) => {
    await bothRefuse(file(name, content), words);
  });

  it.each([
    ['no JSON', '{"input":', /settings beside .*\.onnx are no JSON: .*; correct .*\.json or remove it/],
    [
      'a wrong value',
      '{"input":{"channel_order":"GBR"}}',
      /settings beside the model are wrong at input\.channel_order/,
    ],
    ['a wrong kind', '["RGB"]', /settings beside .*\.onnx are a list without an entry .*\.json, or remove it/],
    ['a tensor it does not have', '{"outputs":[{"name":"no"}]}', /name the tensor "no", which the model does not have/],
    ['another type', '{"input":{"type":"float16"}}', /has type float16, but the model has float32/],
  ])('settings with %s', async (what, json, words) => {
    const network = file(`settings ${what}.onnx`, good);
    writeFileSync(network.replace('.onnx', '.json'), json);
    await bothRefuse(network, words);
  });

  it('a file that is not there, and a folder', async () => {
    await refuses(/none\.onnx does not exist; give the file of the network/, 'doctor', join(room, 'none.onnx'));
    await refuses(/is a folder; give the \.onnx file in it/, 'doctor', room);
  });
});

describe.skipIf(dataMissing)(`the networks of the test data${dataMissing}`, () => {
  const models = join(dataFolder, 'models');
  const photo = join(dataFolder, 'segmentation', 'pets', 'images', 'Bengal_185.jpg');

  it.each([
    ['mobilenetv2-1.0-features.onnx', 'features_s32', 1280, 32, 'features_s16'],
    ['squeezenet1.1.onnx', 'features', 512, 16, 'fire5'],
    ['squeezenet1.1-fp16.onnx', 'fire9/concat_1', 512, 16, 'fire5/concat_1'],
  ])('%s: by its settings, and by name only', async (name, deep, channels, stride, fine) => {
    const out = join(room, 'real');
    const told = await doneJson<Findings>('doctor', join(models, name), '--image', photo, '--out', out);
    expect(told).toMatchObject({ features: { name: deep, channels, stride }, fine: { name: fine }, written: null });
    expect(told.settings).toBe(join(models, 'models.json'));
    const alone = join(room, `alone ${name}`);
    mkdirSync(alone);
    copyFileSync(join(models, name), join(alone, name));
    const found = await doneJson<Findings>('doctor', join(alone, name));
    expect(found).toMatchObject({ features: { name: deep, channels, stride }, fine: { name: fine } });
    expect(found.written).toBe(join(alone, name.replace('.onnx', '.json')));
    if (/fp16/.test(name)) await labelsWith(join(alone, name), join(room, `labels ${name}`));
  });
});
