/** Which image a backbone wants and which tensors are its features. */
import { existsSync, readFileSync } from 'node:fs';
import ort from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import { applyBackbone } from '#core/backbone/apply-backbone';
import { settingsEntry } from '#core/backbone/entry';
import { misspeltKeys } from '#core/backbone/misspelt-keys';
import { backboneSettings, defaultSettings } from '#core/backbone/settings';
import { PermanentError } from '#core/errors';
import { importModel } from '#core/graph/import';
import { toModel } from '#core/graph/model';
import { averagePool, conv, globalAveragePool, maxPool, relu, reshape, sigmoid } from '#core/graph/ops';
import { constant, type Dim, type ElementType, input, type Tensor } from '#core/graph/tensor';

const models = `${process.env.SELFLABEL_DATA ?? '../shared/data'}/models`;

const weights = (m: number, c: number, k = 1) => constant(new Float32Array(m * c * k * k).fill(0.01), [m, c, k, k]);
const modelOf = (inputs: Tensor[], outputs: Record<string, Tensor>) =>
  importModel(toModel({ name: 'm', inputs, outputs }));
const imageOf = (dims: readonly Dim[] = ['N', 3, 'H', 'W'], type: ElementType = 'float32') =>
  input('image', type, dims);

/** Strides 2, 4 and 8 with 8, 16 and 32 channels, and a classifier of `classes`. */
function network(classes = 10) {
  const image = imageOf();
  const down = (x: Tensor, m: number) =>
    relu(conv(x, weights(m, Number(x.dims[1]), 3), undefined, { strides: [2, 2], pads: [1, 1, 1, 1] }));
  const s2 = down(image, 8);
  const s4 = down(s2, 16);
  const s8 = down(s4, 32);
  const scores = reshape(globalAveragePool(conv(s8, weights(classes, 32))), [0, classes]);
  return { image, s2, s4, s8, scores };
}

describe('features', () => {
  test('declared ones: the deepest, and the next finer', () => {
    const { image, s2, s4, s8 } = network();
    const { deep, fine } = backboneSettings(modelOf([image], { s2, s8, s4 }), undefined);
    expect([deep.name, deep.channels, deep.stride]).toEqual(['s8', 32, 8]);
    expect([fine!.name, fine!.channels, fine!.stride]).toEqual(['s4', 16, 4]);
  });

  test('inner ones where only scores are declared; the map of class scores is none', () => {
    const { image, scores } = network();
    const model = modelOf([image], { scores });
    const { deep, fine } = backboneSettings(model, undefined);
    expect([deep.channels, deep.stride, fine!.channels, fine!.stride]).toEqual([32, 8, 16, 4]);
    expect(model.outputs.map(({ name }) => name)).not.toContain(deep.name);
  });

  test('a map of one depth or box per place is none where there are others', () => {
    const { image, s8 } = network();
    const { deep } = backboneSettings(modelOf([image], { depth: conv(s8, weights(1, 32)) }), undefined);
    expect([deep.channels, deep.stride]).toEqual([32, 8]);
  });

  test('named ones win', () => {
    const { image, s2, s4, s8 } = network();
    const json = { outputs: [{ name: 's4' }, { name: 's2' }] };
    const { deep, fine } = backboneSettings(modelOf([image], { s2, s4, s8 }), json);
    expect([deep.name, fine!.name]).toEqual(['s4', 's2']);
  });

  test('a named one alone is joined by the next finer that there is', () => {
    const { image, s2, s4, s8 } = network();
    const { deep, fine } = backboneSettings(modelOf([image], { s2, s4, s8 }), { outputs: [{ name: 's8' }] });
    expect([deep.name, fine!.name]).toEqual(['s8', 's4']);
  });

  test('one stride only: nothing finer', () => {
    const image = imageOf();
    const y = averagePool(image, { kernel_shape: [8, 8], strides: [8, 8] });
    expect(backboneSettings(modelOf([image], { y }), undefined).fine).toBeUndefined();
  });
});

describe('what is refused', () => {
  const refused = (build: () => unknown, message: RegExp) => {
    expect(build).toThrow(PermanentError);
    expect(build).toThrow(message);
  };
  const { image, s8, scores } = network();
  const plain = modelOf([image], { s8 });

  test('models without an image', () => {
    const x = input('x', 'float32', ['N', 12]);
    refused(() => backboneSettings(modelOf([x], { y: relu(x) }), undefined), /no image input.*x float32 \[N,12\]/);
    const whole = imageOf(['N', 3, 'H', 'W'], 'int64');
    refused(() => backboneSettings(modelOf([whole], { y: relu(whole) }), undefined), /no image input/);
  });

  test('images of other than three channels', () => {
    const four = imageOf(['N', 4, 'H', 'W']);
    refused(() => backboneSettings(modelOf([four], { y: relu(four) }), undefined), /"image" has 4 channels/);
  });

  test('models without dense features', () => {
    const y = globalAveragePool(image);
    refused(() => backboneSettings(modelOf([image], { y }), undefined), /no dense feature map/);
  });

  test('a map right after the input of a long network', () => {
    let flat: Tensor = reshape(conv(image, weights(4, 3, 16), undefined, { strides: [16, 16] }), [0, -1]);
    for (let i = 0; i < 30; i++) flat = sigmoid(flat);
    refused(() => backboneSettings(modelOf([image], { flat }), undefined), /transformer/);
  });

  test('settings that do not fit', () => {
    refused(
      () => backboneSettings(plain, { input: { name: 'data' } }),
      /the input "data", which the model does not have/,
    );
    refused(() => backboneSettings(plain, { outputs: [{ name: 'no' }] }), /the tensor "no", which the model does not/);
    const flat = modelOf([image], { s8, scores });
    refused(() => backboneSettings(flat, { inner_features: { tensor: 'scores' } }), /"scores", which is no dense/);
    refused(() => backboneSettings(plain, { input: { channel_order: 'GBR' } }), /wrong at input.channel_order/);
    refused(() => backboneSettings(plain, { input: { mean: [1, 2] } }), /wrong at input.mean/);
    refused(() => backboneSettings(plain, { input: { scale: 'by 255' } }), /wrong at input.scale/);
    refused(() => backboneSettings(plain, 'RGB'), /wrong at the whole/);
  });
});

describe('scaling', () => {
  test("is ImageNet's by default", () => {
    const { image, s8 } = network();
    expect(backboneSettings(modelOf([image], { s8 }), undefined)).toMatchObject(defaultSettings);
  });

  test.each([
    ['value/255, then (x-mean)/std', 1 / 255],
    ['value / 127.5', 1 / 127.5],
    ['value (0..255) minus mean', 1],
    [0.25, 0.25],
  ])('reads %s', (scale, expected) => {
    const { image, s8 } = network();
    expect(backboneSettings(modelOf([image], { s8 }), { input: { scale } }).scale).toBeCloseTo(expected, 10);
  });

  test('a mean without a deviation is only subtracted', () => {
    const { image, s8 } = network();
    const settings = backboneSettings(modelOf([image], { s8 }), { input: { mean: [1, 2, 3] } });
    expect([settings.mean, settings.deviation]).toEqual([
      [1, 2, 3],
      [1, 1, 1],
    ]);
  });

  test('happens in the graph: channel order first, then scale, mean and deviation', async () => {
    const own = imageOf();
    const model = modelOf([own], { y: maxPool(own, { kernel_shape: [2, 2], strides: [2, 2] }) });
    const json = { input: { channel_order: 'BGR', scale: 0.5, mean: [1, 2, 3], std: [2, 4, 8] } };
    const image = input('photo', 'float32', ['N', 3, 'H', 'W']);
    const { deep, fine } = applyBackbone(model, backboneSettings(model, json), image);
    expect(fine).toBeUndefined();
    const session = await ort.InferenceSession.create(toModel({ name: 'm', inputs: [image], outputs: { deep } }));
    const photo = Float32Array.of(10, 10, 10, 10, 20, 20, 20, 20, 30, 30, 30, 30); // red 10, green 20, blue 30
    const results = await session.run({ photo: new ort.Tensor('float32', photo, [1, 3, 2, 2]) });
    expect([...(results.deep!.data as Float32Array)]).toEqual([(15 - 1) / 2, (10 - 2) / 4, (5 - 3) / 8]);
  });

  test("keys that are misspelt are found, notes of one's own are not", () => {
    const json = {
      File: 'a.onnx',
      input: { name: 'x', chanel_order: 'BGR', STD: [1, 1, 1], note: 'grey' },
      outputs: [{ name: 'y', prefixTokens: 1, classes: 10, shape: [1] }],
      inner_features: { tensor: 'z', chanels: 3, note: 'deep' },
      licence: 'MIT',
    };
    expect(misspeltKeys(json)).toEqual([
      'File (file?)',
      'input.chanel_order (channel_order?)',
      'input.STD (std?)',
      'prefixTokens (prefix_tokens?)',
      'chanels (channels?)',
    ]);
    expect(misspeltKeys(undefined)).toEqual([]);
  });

  test('what belongs to the input is found where it says nothing', () => {
    expect(misspeltKeys({ input: { std: [1, 1, 1] }, mean: [0, 0, 0], name: 'a network', shape: 'any' })).toEqual([
      'mean (input.mean?)',
    ]);
  });

  test('entries are found by file name', () => {
    const list = [{ file: 'a.onnx' }, { file: 'b.onnx', outputs: [] }];
    expect(settingsEntry(list, 'b.onnx')).toBe(list[1]);
    expect(settingsEntry(list, 'c.onnx')).toBeUndefined();
    expect(settingsEntry(list[0], 'whatever.onnx')).toBe(list[0]);
  });
});

describe.skipIf(!existsSync(models))('real models (needs the test data)', () => {
  const settings = (file: string, withJson: boolean) => {
    const json = JSON.parse(readFileSync(`${models}/models.json`, 'utf8')) as unknown;
    const model = importModel(new Uint8Array(readFileSync(`${models}/${file}`)));
    return backboneSettings(model, withJson ? settingsEntry(json, file) : undefined);
  };

  test.each([true, false])('MobileNetV2, settings beside it: %s', withJson => {
    expect(settings('mobilenetv2-1.0-features.onnx', withJson)).toMatchObject({
      ...defaultSettings,
      input: 'input',
      deep: { name: 'features_s32', channels: 1280, stride: 32 },
      fine: { name: 'features_s16', channels: 96, stride: 16 },
    });
  });

  test('SqueezeNet: one declared map, a finer one inside', () => {
    expect(settings('squeezenet1.1.onnx', true)).toMatchObject({
      deep: { name: 'features', channels: 512, stride: 16 },
      fine: { stride: 8, declared: false, bottleneck: true },
    });
  });

  test('float16 SqueezeNet: an inner tensor, BGR without scaling', () => {
    expect(settings('squeezenet1.1-fp16.onnx', true)).toMatchObject({
      input: 'data_0',
      channelOrder: 'BGR',
      scale: 1,
      mean: [104, 117, 123],
      deviation: [1, 1, 1],
      deep: { name: 'fire9/concat_1', channels: 512, stride: 16 },
    });
    expect(settings('squeezenet1.1-fp16.onnx', false).deep).toMatchObject({ channels: 512, stride: 16 });
  });
});

describe('a projection head in the file', () => {
  const { image, s8, scores } = network();
  const model = modelOf([image], { s8, pooled: globalAveragePool(s8), scores });
  const prototypes = [...model.constants].find(([, { dims }]) => dims.length === 4)![0];
  const matrix = { ...model, constants: new Map([...model.constants, ['M', constant(new Float32Array(12), [4, 3])]]) };
  const claims = { input: 'pooled', output: 'scores', prototypes: 'M' };

  test('is named in the settings', () => {
    expect(backboneSettings(matrix, { projection: claims }).projection).toEqual(claims);
    expect(backboneSettings(matrix, undefined).projection).toBeUndefined();
  });

  test.each([
    [{ ...claims, input: 'pool' }, 'pool'],
    [{ ...claims, output: 'score' }, 'score'],
    [{ ...claims, prototypes: 'N' }, 'N'],
    [{ ...claims, prototypes }, prototypes],
  ])('a tensor that is not there, or no matrix: refused', (projection, named) => {
    expect(() => backboneSettings(matrix, { projection })).toThrow(`name "${named}" in the projection`);
  });
});
