/** The features of foreign models: found in one made by hand, and in real ones, which compute what they did. */
import { existsSync, readFileSync } from 'node:fs';
import ort from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import { denseTensors } from '#core/graph/dense-tensors';
import { applyModel, importModel } from '#core/graph/import';
import { toModel } from '#core/graph/model';
import { readModel, writeModel } from '#core/graph/onnx';
import { input } from '#core/graph/tensor';
import { int, ints, modelOf, node, noise, numbers, small, valueInfo } from './foreign-models.ts';
import { runModel } from './runtime.ts';

const models = `${process.env.SELFLABEL_DATA ?? '../shared/data'}/models`;

describe('dense tensors', () => {
  const conv = (from: string, to: string, weights: string, stride: number, kernel = 3) =>
    node(
      'Conv',
      [from, weights],
      [to],
      ints('strides', stride, stride),
      ints('pads', ...Array(4).fill((kernel - 1) / 2)),
    );
  const w = (name: string, m: number, c: number, k = 3) => numbers(name, [m, c, k, k], new Float32Array(m * c * k * k));
  const network = (outputs: string[]) =>
    modelOf(13, {
      node: [
        conv('image', 'stem', 'w1', 4),
        conv('stem', 'a', 'w2', 1),
        node('Add', ['a', 'stem'], ['stage1']),
        conv('stage1', 'narrow', 'w3', 1, 1),
        conv('narrow', 'b', 'w4', 2),
        conv('stage1', 'short', 'w5', 2, 1),
        node('Add', ['b', 'short'], ['stage2']),
        node('GlobalAveragePool', ['stage2'], ['pooled']),
        node('Flatten', ['pooled'], ['flat']),
      ],
      initializer: [w('w1', 8, 3), w('w2', 8, 8), w('w3', 4, 8, 1), w('w4', 16, 4), w('w5', 16, 8, 1)],
      input: [valueInfo('image', [1, 3, 224, 224])],
      output: outputs.map(name => valueInfo(name)),
    });

  test('are found with channels and stride, in order of depth, with the ends of stages marked', () => {
    const found = denseTensors(importModel(network(['flat', 'stage1']))).tensors;
    expect(found.map(({ name, channels, stride }) => [name, channels, stride])).toEqual([
      ['stem', 8, 4],
      ['a', 8, 4],
      ['stage1', 8, 4],
      ['narrow', 4, 4],
      ['b', 16, 8],
      ['short', 16, 8],
      ['stage2', 16, 8],
    ]);
    expect(found.filter(({ declared }) => declared).map(({ name }) => name)).toEqual(['stage1']);
    expect(found.filter(({ bottleneck }) => bottleneck).map(({ name }) => name)).toEqual(['stem', 'stage1', 'stage2']);
  });

  test('are none without an image', () => {
    expect(denseTensors(importModel(small(13, ['N', 4], [node('Relu', ['x'], ['y'])]))).tensors).toEqual([]);
  });
});

/** A .npy file of float32 numbers, C order. */
function npy(path: string): ort.Tensor {
  const file = readFileSync(path);
  const headerEnd = 10 + file.readUInt16LE(8);
  const header = file.toString('latin1', 10, headerEnd);
  const dims = [.../\(([^)]*)\)/.exec(header)![1]!.matchAll(/\d+/g)].map(Number);
  return new ort.Tensor(
    'float32',
    new Float32Array(file.buffer.slice(file.byteOffset + headerEnd)).slice(
      0,
      dims.reduce((a, b) => a * b),
    ),
    dims,
  );
}

const worstDifference = (a: ort.Tensor, b: ort.Tensor) =>
  (a.data as Float32Array).reduce((worst, v, i) => Math.max(worst, Math.abs(v - Number(b.data[i]))), 0);

/** The file itself with casts around it, by hand: Node 24 cannot feed float16. Outputs: y and an inner tensor. */
function withFloat32Outside(bytes: Uint8Array, image: string, inner: string): Uint8Array {
  const model = readModel(bytes);
  const { node: nodes = [], input: inputs = [], output: outputs = [], ...rest } = model.graph!;
  const to = (elemType: number) => int('to', elemType);
  const scores = outputs[0]!.name!;
  const node = [
    { opType: 'Cast', input: ['x'], output: [image], attribute: [to(10)] },
    ...nodes,
    { opType: 'Cast', input: [scores], output: ['y'], attribute: [to(1)] },
    { opType: 'Cast', input: [inner], output: ['inner'], attribute: [to(1)] },
  ];
  const input = [valueInfo('x', [1, 3, 224, 224]), ...inputs.filter(({ name }) => name !== image)];
  return writeModel({ ...model, graph: { ...rest, node, input, output: [valueInfo('y'), valueInfo('inner')] } });
}

describe.skipIf(!existsSync(models))('real models (needs the test data)', () => {
  const read = (file: string) => new Uint8Array(readFileSync(`${models}/${file}`));
  const load = (file: string) => importModel(read(file));
  const image = input('image', 'float32', ['N', 3, 'H', 'W']);

  test('SqueezeNet gives the reference logits', async () => {
    const [logits] = applyModel(load('squeezenet1.1.onnx'), { input: image }, ['logits']);
    const bytes = toModel({ name: 'm', inputs: [image], outputs: { logits: logits! } });
    const results = await runModel(bytes, { image: npy(`${models}/reference/squeezenet1.1_input_0.npy`) });
    const expected = npy(`${models}/reference/squeezenet1.1_logits_0.npy`);
    const actual = results.logits!.data as Float32Array;
    const worst = Math.max(...actual.map((value, i) => Math.abs(value - Number(expected.data[i]))));
    expect(worst).toBeLessThan(5e-4);
  });

  test('MobileNetV2 spliced equals the original in every bit', async () => {
    const file = new Uint8Array(readFileSync(`${models}/mobilenetv2-1.0-features.onnx`));
    const [s16, s32] = applyModel(importModel(file), { input: image }, ['features_s16', 'features_s32'], 'backbone');
    const bytes = toModel({ name: 'm', inputs: [image], outputs: { s16: s16!, s32: s32! } });
    const feed = noise([2, 3, 96, 160]);
    const ours = await runModel(bytes, { image: feed });
    const original = await runModel(file, { input: feed });
    expect(
      Buffer.from((ours.s16!.data as Float32Array).buffer).equals(
        Buffer.from((original.features_s16!.data as Float32Array).buffer),
      ),
    ).toBe(true);
    expect(
      Buffer.from((ours.s32!.data as Float32Array).buffer).equals(
        Buffer.from((original.features_s32!.data as Float32Array).buffer),
      ),
    ).toBe(true);
  });

  test('float16 SqueezeNet of opset 7: an inner tensor, float32 outside', async () => {
    const [inner, scores] = applyModel(
      load('squeezenet1.1-fp16.onnx'),
      { data_0: image },
      ['fire9/concat_1', 'softmaxout_1'],
      'half',
    );
    expect([inner!.type, inner!.dims[1]]).toEqual(['float32', 512]);
    const bytes = toModel({ name: 'm', inputs: [image], outputs: { inner: inner!, scores: scores! } });
    const feed = noise([1, 3, 224, 224]);
    for (const [i, value] of (feed.data as Float32Array).entries()) (feed.data as Float32Array)[i] = value * 60;
    const ours = await runModel(bytes, { image: feed });
    const original = await runModel(withFloat32Outside(read('squeezenet1.1-fp16.onnx'), 'data_0', 'fire9/concat_1'), {
      x: feed,
    });
    expect(worstDifference(ours.inner!, original.inner!)).toBe(0);
    expect(worstDifference(ours.scores!, original.y!)).toBeLessThan(1e-4); // float16 after a softmax of other form
    expect((ours.scores!.data as Float32Array).reduce((a, b) => a + b)).toBeCloseTo(1, 1);
  });

  test('their dense tensors', () => {
    const deepest = (file: string, declared: boolean) =>
      denseTensors(load(file))
        .tensors.filter(tensor => tensor.declared === declared)
        .at(-1);
    expect(deepest('mobilenetv2-1.0-features.onnx', true)).toMatchObject({
      name: 'features_s32',
      channels: 1280,
      stride: 32,
    });
    expect(deepest('squeezenet1.1.onnx', true)).toMatchObject({ name: 'features', channels: 512, stride: 16 });
    const half = denseTensors(load('squeezenet1.1-fp16.onnx')).tensors;
    expect(half.find(({ name }) => name === 'fire9/concat_1')).toMatchObject({
      channels: 512,
      stride: 16,
      bottleneck: true,
    });
  });
});
