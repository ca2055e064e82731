/** Networks as exporters write them: what the features of an image are must be what the file itself gives for it. */
import ort from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import { applyBackbone } from '#core/backbone/apply-backbone';
import { type BackboneSettings, backboneSettings } from '#core/backbone/settings';
import { settingsJson } from '#core/backbone/settings-json';
import { PermanentError } from '#core/errors';
import { denseTensors } from '#core/graph/dense-tensors';
import { importModel } from '#core/graph/import';
import { toModel } from '#core/graph/model';
import { readModel, writeModel } from '#core/graph/onnx';
import { input } from '#core/graph/tensor';
import { Random } from '#core/random';
import { resnet, valueInfo, vit, vitChannels, vitPatch } from '../../networks.ts';
import { runModel } from '../graph/runtime.ts';

type Floats = { readonly dims: readonly number[]; readonly data: Float32Array };

/** Bytes 0 … 255 as floats, [n, 3, height, width]. */
function photo(n: number, height: number, width: number): ort.Tensor {
  const random = new Random(3);
  const data = Float32Array.from({ length: n * 3 * height * width }, () => random.integer(256));
  return new ort.Tensor('float32', data, [n, 3, height, width]);
}

/** What the file's own graph makes of an image normalised here, by ImageNet's numbers. */
async function original(bytes: Uint8Array, image: ort.Tensor, tensor: string): Promise<Floats> {
  const [n, , height, width] = image.dims as [number, number, number, number];
  const [mean, deviation] = [
    [0.485, 0.456, 0.406],
    [0.229, 0.224, 0.225],
  ];
  const plane = height * width;
  const data = Float32Array.from(image.data as Float32Array, (value, i) => {
    const channel = Math.floor(i / plane) % 3;
    return (value / 255 - mean[channel]!) / deviation[channel]!;
  });
  const model = readModel(bytes);
  const output = [valueInfo(tensor), ...model.graph!.output!.filter(({ name }) => name !== tensor)];
  const asked = writeModel({ ...model, graph: { ...model.graph!, output } });
  const name = model.graph!.input![0]!.name!;
  const results = await runModel(asked, { [name]: new ort.Tensor('float32', data, [n, 3, height, width]) });
  return results[tensor] as unknown as Floats;
}

/** Through the settings and the composed graph. */
async function composed(bytes: Uint8Array, image: ort.Tensor, json?: unknown) {
  const model = importModel(bytes);
  const settings = backboneSettings(model, json);
  const x = input('image', 'float32', [settings.batch ?? 'N', 3, 'H', 'W']);
  const { deep, fine } = applyBackbone(model, settings, x);
  const graph = toModel({ name: 'm', inputs: [x], outputs: { deep, ...(fine && { fine }) } });
  const results = await runModel(graph, { image });
  return { settings, deep: results.deep as unknown as Floats, fine: results.fine as unknown as Floats | undefined };
}

/** Tokens [n, T, C] without the first ones, as a map [n, C, h, w]. */
function foldedByHand({ dims, data }: Floats, prefix: number, h: number, w: number): number[] {
  const [n, count, channels] = dims as [number, number, number];
  const map: number[] = [];
  for (let image = 0; image < n; image++)
    for (let c = 0; c < channels; c++)
      for (let p = 0; p < h * w; p++) map.push(data[(image * count + prefix + p) * channels + c]!);
  return map;
}

function worst(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  let largest = 0;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i]! - b[i]!));
  return largest;
}

/** The model with its sizes declared by names, although it takes one size only. */
function hidden(bytes: Uint8Array): Uint8Array {
  const model = readModel(bytes);
  const renamed = [valueInfo('pixels', ['batch', 3, 'height', 'width'])];
  return writeModel({ ...model, graph: { ...model.graph!, input: renamed } });
}

const opsets = Array.from({ length: 16 }, (_, i) => 11 + i);

describe('ViTs', () => {
  test.each(opsets)('of one size, written in opset %i', async opset => {
    const bytes = vit({ opset, registers: 4, irVersion: opset > 20 ? 10 : 8 });
    const image = photo(1, 32, 48);
    const { settings, deep } = await composed(bytes, image);
    expect(settings).toMatchObject({ fixed: { height: 32, width: 48 }, batch: 1, fine: undefined });
    expect(settings.deep).toMatchObject({ layout: 'NTC', prefix: 5, channels: vitChannels, stride: vitPatch });
    const tokens = await original(bytes, image, settings.deep.name);
    expect(deep.dims).toEqual([1, vitChannels, 4, 6]);
    expect(worst(deep.data, foldedByHand(tokens, 5, 4, 6))).toBeLessThan(1e-4);
  });

  test.each(opsets)('of any size, written in opset %i', async opset => {
    const bytes = vit({ opset, height: 'height', width: 'width', batch: 'batch', irVersion: opset > 20 ? 10 : 8 });
    const image = photo(2, 40, 24);
    const { settings, deep } = await composed(bytes, image);
    expect(settings).toMatchObject({ fixed: undefined, batch: undefined });
    const tokens = await original(bytes, image, settings.deep.name);
    expect(deep.dims).toEqual([2, vitChannels, 5, 3]);
    expect(worst(deep.data, foldedByHand(tokens, 1, 5, 3))).toBeLessThan(1e-4);
  });

  test.each([0, 1, 4, 8])('with %i registers', async registers => {
    const fixed = backboneSettings(importModel(vit({ registers })), undefined);
    const free = backboneSettings(importModel(vit({ registers, height: 'H', width: 'W', batch: 'N' })), undefined);
    expect([fixed.deep.prefix, free.deep.prefix]).toEqual([1 + registers, 1 + registers]);
  });

  test('take images of any size, in whole patches or resized to theirs', async () => {
    for (const [height, width] of [
      [37, 61],
      [5, 200],
      [3, 3],
    ] as const) {
      const image = photo(1, height, width);
      const free = await composed(vit({ height: 'H', width: 'W', batch: 'N' }), image);
      const patches = (side: number) => Math.max(1, Math.floor((side + vitPatch / 2) / vitPatch));
      expect(free.deep.dims).toEqual([1, vitChannels, patches(height), patches(width)]);
      const fixed = await composed(vit(), image);
      expect(fixed.deep.dims).toEqual([1, vitChannels, 4, 6]);
      expect(fixed.deep.data.every(Number.isFinite)).toBe(true);
    }
  });

  test('that hide their size behind names are tried with the usual ones', () => {
    const bytes = vit({ height: 224, width: 224 });
    expect(backboneSettings(importModel(hidden(bytes)), undefined)).toMatchObject({
      fixed: { height: 224, width: 224 },
      deep: { prefix: 1, grid: { height: 28, width: 28 } },
    });
  });

  test('of an unusual size are told by the settings', () => {
    const model = importModel(hidden(vit({ height: 56, width: 88 })));
    expect(() => backboneSettings(model, undefined)).toThrow(PermanentError);
    for (const json of [{ input: { size: [56, 88] } }, { input: { shape: [1, 3, 56, 88] } }])
      expect(backboneSettings(model, json)).toMatchObject({
        fixed: { height: 56, width: 88 },
        deep: { grid: { height: 7, width: 11 } },
      });
  });

  test('that declare class scores only are cut after their last norm', async () => {
    const bytes = vit({ output: 'scores', opset: 17 });
    const image = photo(1, 32, 48);
    const { settings, deep } = await composed(bytes, image);
    expect(settings.deep.declared).toBe(false);
    expect(settings.reason).toMatch(/no declared output is dense/);
    const tokens = await original(bytes, image, settings.deep.name);
    expect(worst(deep.data, foldedByHand(tokens, 1, 4, 6))).toBeLessThan(1e-4);
    expect(settings.deep.name).toMatch(/LayerNormalization/);
  });

  test.each([11, 17, 21])('with float16 weights, opset %i', async opset => {
    const image = photo(1, 32, 48);
    const whole = await composed(vit({ opset }), image);
    const half = await composed(vit({ opset, half: true }), image);
    expect(half.settings.type).toBe('float16');
    expect(half.deep.dims).toEqual(whole.deep.dims);
    expect(worst(half.deep.data, whole.deep.data)).toBeLessThan(0.05);
  });

  test('with channels last, another name and free sizes', async () => {
    const image = photo(1, 32, 48);
    const options = { height: 'H', width: 'W', batch: 'N' } as const;
    const front = await composed(vit(options), image);
    const last = await composed(vit({ ...options, layout: 'NHWC', inputName: 'x:0' }), image);
    expect(last.settings).toMatchObject({ layout: 'NHWC', input: 'x:0' });
    expect(worst(last.deep.data, front.deep.data)).toBeLessThan(1e-5);
  });

  test('that take bytes get them as they are', async () => {
    const image = photo(1, 32, 48);
    const plain = { input: { scale: 1, mean: [0, 0, 0], std: [1, 1, 1] } };
    const floats = await composed(vit(), image, plain);
    const bytes = await composed(vit({ type: 'uint8' }), image);
    expect(bytes.settings).toMatchObject({ type: 'uint8', scale: 1 });
    expect(worst(bytes.deep.data, floats.deep.data)).toBeLessThan(1e-4);
    const scaled = { input: { mean: [1, 2, 3] } };
    expect(() => backboneSettings(importModel(vit({ type: 'uint8' })), scaled)).toThrow(/takes bytes \(uint8\)/);
  });

  test('two blocks named in the settings are both taken', async () => {
    const model = importModel(vit());
    const ends = denseTensors(model).tensors.filter(({ name, bottleneck }) => bottleneck && name.startsWith('Add_'));
    const [first, last] = ends.slice(-2).map(({ name }) => name);
    const json = { inner_features: [{ tensor: first! }, { tensor: last! }] };
    const { settings, fine } = await composed(vit(), photo(1, 32, 48), json);
    expect([settings.fine?.name, settings.deep.name]).toEqual([first, last]);
    expect(fine?.dims).toEqual([1, vitChannels, 4, 6]);
  });
});

describe('what the settings say of tokens', () => {
  const settingsOf = (json: unknown) => backboneSettings(importModel(vit({ registers: 4 })), json);
  const name = importModel(vit({ registers: 4 })).outputs[0]!.name;

  test('fewer in front leave the rest behind', () => {
    expect(settingsOf({ outputs: [{ name, prefix_tokens: 1 }] }).deep).toMatchObject({ prefix: 1, suffix: 4 });
  });

  test('another grid takes other tokens', () => {
    expect(settingsOf({ outputs: [{ name, grid: [5, 5] }] }).deep).toMatchObject({ prefix: 4, grid: { height: 5 } });
  });

  test.each([
    [{ prefix_tokens: 6 }, /"LayerNormalization_\d+" has prefix_tokens 6, but the model has 5 tokens/],
    [{ grid: [6, 6] }, /has grid 6×6, but the model has 29 tokens/],
    [{ channels: 384 }, /has channels 384, but the model has 16/],
    [{ layout: 'NCHW' }, /has layout NCHW, but the model has NTC/],
  ])('%o does not fit', (claims, message) => {
    expect(() => settingsOf({ outputs: [{ name, ...claims }] })).toThrow(message);
  });
});

describe('ResNets', () => {
  test.each(opsets)('written in opset %i give their last block', async opset => {
    const bytes = resnet({ opset, irVersion: opset > 20 ? 10 : 7 });
    const image = photo(1, 64, 64);
    const { settings, deep, fine } = await composed(bytes, image);
    expect(settings).toMatchObject({
      fixed: undefined,
      deep: { channels: 64, stride: 16 },
      fine: { channels: 32, stride: 8 },
    });
    const map = await original(bytes, image, settings.deep.name);
    expect(worst(deep.data, map.data)).toBeLessThan(1e-4);
    expect(fine!.dims).toEqual([1, 32, 8, 8]);
  });

  test.each([
    ['declared for one size', 64, 64, 1],
    ['declared for a size that is not square', 64, 96, 1],
    ['with free axes', 'H', 'W', 'N'],
  ] as const)('%s take any', async (_name, height, width, batch) => {
    const { settings, deep } = await composed(resnet({ height, width, batch }), photo(2, 80, 48));
    expect(settings).toMatchObject({ fixed: undefined, batch: undefined });
    expect(deep.dims).toEqual([2, 64, 5, 3]);
  });

  test('with float16 weights', async () => {
    const image = photo(1, 64, 64);
    const [whole, half] = [await composed(resnet(), image), await composed(resnet({ half: true }), image)];
    expect(worst(half.deep.data, whole.deep.data)).toBeLessThan(0.05);
  });
});

describe('a size asked for', () => {
  test('is what every image is resized to, although others would do', async () => {
    const { settings, deep } = await composed(resnet({ height: 'H', width: 'W' }), photo(1, 50, 70), {
      input: { size: [96, 160] },
    });
    expect(settings.fixed).toEqual({ height: 96, width: 160 });
    expect(deep.dims).toEqual([1, 64, 6, 10]);
  });
});

describe('a shape that the settings give', () => {
  test('takes nothing from a model of any size', () => {
    const json = { input: { shape: ['batch', 3, 224, 224] } };
    expect(backboneSettings(importModel(resnet({ height: 'H', width: 'W' })), json).fixed).toBeUndefined();
    const free = importModel(vit({ height: 'H', width: 'W', batch: 'N' }));
    expect(backboneSettings(free, json).fixed).toBeUndefined();
  });
});

describe('settings as JSON', () => {
  test.each([
    ['a ViT of one size with registers', vit({ registers: 4 })],
    ['a ViT of any size', vit({ height: 'H', width: 'W', batch: 'N' })],
    ['a ViT of bytes, channels last', vit({ type: 'uint8', layout: 'NHWC' })],
    ['a ViT that declares scores only', vit({ output: 'scores' })],
    ['a ViT that hides its size', hidden(vit({ height: 224, width: 224 }))],
    ['a ResNet', resnet()],
    ['a float16 ResNet', resnet({ half: true })],
  ])('%s: read again they are the same', (_name, bytes) => {
    const model = importModel(bytes);
    const settings = backboneSettings(model, undefined);
    const json = JSON.parse(JSON.stringify(settingsJson('m.onnx', model, settings))) as unknown;
    const again: BackboneSettings = backboneSettings(model, json);
    expect({ ...again, reason: '' }).toEqual({ ...settings, reason: '' });
  });
});
