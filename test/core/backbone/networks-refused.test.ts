/** Networks that cannot be used, and what is said of them; and those that only look so. */
import { describe, expect, test } from 'vitest';
import { backboneSettings } from '#core/backbone/settings';
import { PermanentError } from '#core/errors';
import { importModel } from '#core/graph/import';
import { NetworkWriter, valueInfo, vit } from '../../networks.ts';

describe('what is refused', () => {
  const refused = (bytes: Uint8Array, message: RegExp, json?: unknown) => {
    const build = () => backboneSettings(importModel(bytes), json);
    expect(build).toThrow(PermanentError);
    expect(build).toThrow(message);
  };

  test('opsets that the runtime does not know', () => {
    refused(vit({ opset: 27 }), /opset 27, ONNX Runtime here knows up to 26; export it again with opset 18 to 26/);
  });

  test('more inputs than the image', () => {
    const net = new NetworkWriter(17);
    const maps = net.node('Conv', ['image', net.random(8, 3, 4, 4)]);
    const gated = net.node('Conv', [net.node('Mul', [maps, 'gate']), net.random(8, 8, 3, 3)]);
    const bytes = net.model(
      [valueInfo('image', ['N', 3, 'H', 'W']), valueInfo('gate', [1])],
      [valueInfo(gated, ['N', 8, 'h', 'w'])],
    );
    refused(bytes, /wants more than an image: "gate" \(float32 \[1\]\); export it with that inside/);
    const json = { inner_features: { tensor: maps } };
    expect(backboneSettings(importModel(bytes), json).deep.name).toBe(maps);
  });

  test('more images than one at a time', () => {
    refused(vit({ batch: 8 }), /takes 8 images at a time; export it with a free batch axis/);
  });

  // At 320 the grid of the first map, halved twice, has as many places as there are boxes.
  test.each([64, 320])('a detector that gives boxes and has no map, for images of %i', side => {
    const net = new NetworkWriter(17);
    const strides = { name: 'strides', type: 7, ints: [8n, 8n] };
    const pooled = net.node('GlobalAveragePool', [net.node('Conv', ['image', net.random(8, 3, 8, 8)], strides)]);
    const boxes = net.node('Reshape', [net.linear(net.node('Flatten', [pooled]), 8, 400), net.integers(-1, 100, 4)]);
    for (let i = 0; i < 30; i++) net.node('Relu', [boxes]);
    const bytes = net.model([valueInfo('image', [1, 3, side, side])], [valueInfo(boxes, [1, 100, 4])]);
    refused(bytes, /right after its input|no dense feature map/);
  });

  test('the best hundred boxes as features: the map they are picked from is taken', () => {
    const net = new NetworkWriter(17);
    const strides = { name: 'strides', type: 7, ints: [8n, 8n] };
    const map = net.node('Conv', ['image', net.random(16, 3, 8, 8)], strides);
    // Squeeze and excitation: scaled by what was pooled, it is a map all the same.
    const gate = net.node('Sigmoid', [
      net.node('Conv', [net.node('GlobalAveragePool', [map]), net.random(16, 16, 1, 1)]),
    ]);
    const last = net.node('Conv', [net.node('Mul', [map, gate]), net.random(16, 16, 1, 1)]);
    const rows = net.node('Reshape', [last, net.integers(1, 1600, 16)]);
    const scores = net.node(
      'ReduceMax',
      [rows],
      { name: 'axes', type: 7, ints: [2n] },
      { name: 'keepdims', type: 2, i: 0n },
    );
    net.nodes.push({ opType: 'TopK', name: '/best', input: [scores, net.integers(100)], output: ['value', 'index'] });
    const index = net.node('Reshape', ['index', net.integers(100)]);
    const boxes = net.node('Gather', [rows, index], { name: 'axis', type: 2, i: 1n });
    const bytes = net.model([valueInfo('image', [1, 3, 320, 320])], [valueInfo(boxes, [1, 100, 16])]);
    expect(backboneSettings(importModel(bytes), undefined).deep).toMatchObject({
      channels: 16,
      stride: 8,
      declared: false,
    });
  });

  test('claims about the input that are not so', () => {
    refused(vit(), /input "pixels" has type float16, but the model has float32/, { input: { type: 'float16' } });
    refused(vit(), /has shape \[1,3,64,64\], but the model has \[1,3,32,48\]/, { input: { shape: [1, 3, 64, 64] } });
  });

  test('a size that the model does not take', () => {
    refused(
      vit(),
      /ask for images of 64 × 64 \(height × width\), but the model does not take this input: its node "\/Add/,
      {
        input: { size: [64, 64] },
      },
    );
  });

  test('words for the scale that mean nothing here', () => {
    refused(vit(), /wrong at input.scale/, { input: { scale: 'value/255 and a bit' } });
    refused(vit(), /wrong at input.scale/, { input: { scale: 'value/0' } });
  });
});
