/** Blocks of the networks that are trained, whole: gradients of all their weights against central differences. */
import { describe, expect, test } from 'vitest';
import { gradientsOf } from '#core/graph/gradients';
import * as ops from '#core/graph/ops';
import { makeTrainable } from '#core/graph/parameters';
import { constant, input, integers, type Tensor } from '#core/graph/tensor';
import { Random, seedOf } from '#core/random';
import { centralDifferences, relativeError } from './central-differences.ts';
import { evaluate } from './evaluator.ts';
import { run } from './runtime.ts';

/** Draws a weight of the given sizes. */
type Draw = (name: string, ...dims: number[]) => Tensor;

const image = input('image', 'float32', [2, 3, 4, 4]);

/** Patches, class token, positions, one block of attention with heads, Gelu: [2,5,4]. */
function visionTransformer(draw: Draw): Tensor {
  const patches = ops.conv(image, draw('patch', 4, 3, 2, 2), draw('patch.bias', 4), { strides: [2, 2] });
  const tokens = ops.transpose(ops.reshape(patches, [0, 4, -1]), { perm: [0, 2, 1] });
  const classToken = ops.expand(draw('cls', 1, 1, 4), integers([2, 1, 4]));
  const x = ops.add(ops.concat([classToken, tokens], { axis: 1 }), draw('positions', 1, 5, 4));
  const normal = ops.layerNormalization(x, draw('norm', 4), draw('norm.bias', 4));
  const qkv = ops.add(ops.matmul(normal, draw('qkv', 4, 12)), draw('qkv.bias', 12));
  const heads = ops.transpose(ops.reshape(qkv, [2, 5, 3, 2, 2]), { perm: [2, 0, 3, 1, 4] });
  const [q, k, v] = [0, 1, 2].map(i => ops.gather(heads, integers([i], [])));
  const scores = ops.matmul(ops.mul(q!, constant(Math.SQRT1_2)), ops.transpose(k!, { perm: [0, 1, 3, 2] }));
  const attended = ops.transpose(ops.matmul(ops.softmax(scores), v!), { perm: [0, 2, 1, 3] });
  const y = ops.add(x, ops.matmul(ops.reshape(attended, [2, 5, 4]), draw('out', 4, 4)));
  const inner = ops.gelu(ops.matmul(ops.layerNormalization(y, draw('norm2', 4)), draw('up', 4, 6)));
  return ops.slice(ops.add(y, ops.matmul(inner, draw('down', 6, 4))), { starts: [1], ends: [5], axes: [1] });
}

/** Depthwise 3×3, normalisation over channels last, Gelu by tanh, layer scale. */
function convNext(draw: Draw): Tensor {
  const x = ops.conv(image, draw('stem', 4, 3, 2, 2), undefined, { strides: [2, 2] });
  const depth = ops.conv(x, draw('depth', 4, 1, 3, 3), draw('depth.bias', 4), { pads: [1, 1, 1, 1], group: 4 });
  const last = ops.layerNormalization(ops.transpose(depth, { perm: [0, 2, 3, 1] }), draw('norm', 4), draw('bias', 4));
  const inner = ops.gelu(ops.matmul(last, draw('up', 4, 8)), { approximate: 'tanh' });
  const scaled = ops.mul(ops.matmul(inner, draw('down', 8, 4)), draw('scale', 4));
  return ops.add(x, ops.transpose(scaled, { perm: [0, 3, 1, 2] }));
}

/** Batch statistics, squeeze and excitation, HardSwish, grouped convolution. */
function mobileNet(draw: Draw): Tensor {
  const norm = (x: Tensor, name: string) =>
    ops.batchNormalization(x, draw(name, 4), draw(`${name}.bias`, 4), draw(`${name}.mean`, 4), draw(`${name}.var`, 4));
  const x = ops.hardSwish(norm(ops.conv(image, draw('stem', 4, 3, 3, 3), undefined, { pads: [1, 1, 1, 1] }), 'n1'));
  const squeezed = ops.relu(ops.conv(ops.globalAveragePool(x), draw('squeeze', 2, 4, 1, 1), draw('squeeze.bias', 2)));
  const gate = ops.hardSigmoid(ops.conv(squeezed, draw('excite', 4, 2, 1, 1)), { alpha: 1 / 6 });
  const grouped = { strides: [2, 2], pads: [1, 1, 1, 1], group: 2 };
  return norm(ops.conv(ops.mul(x, gate), draw('grouped', 4, 2, 3, 3), undefined, grouped), 'n2');
}

const blocks: [string, (draw: Draw) => Tensor, 'stored' | 'batch'][] = [
  ['a vision transformer', visionTransformer, 'stored'],
  ['ConvNeXt', convNext, 'stored'],
  ['MobileNetV3', mobileNet, 'batch'],
];

describe('gradients of all weights', () => {
  test.each(blocks)('%s', async (name, build, statistics) => {
    const random = new Random(seedOf(name));
    const weights = new Map<string, Tensor>();
    const draw: Draw = (weight, ...dims) => {
      const data = Float32Array.from({ length: dims.reduce((a, b) => a * b) }, () => random.normal() * 0.5);
      weights.set(weight, constant(data, dims));
      return weights.get(weight)!;
    };
    const { outputs, parameters } = makeTrainable([build(draw)], { weights, statistics });
    const trained = [...weights.keys()].filter(weight => !/mean|var/.test(weight));
    expect(new Set(parameters.map(parameter => parameter.name))).toEqual(new Set(trained));
    const pixels = Array.from({ length: 96 }, () => Math.fround(random.normal()));
    const feeds = {
      image: { dims: [2, 3, 4, 4], data: pixels },
      ...Object.fromEntries(
        parameters.map(({ name, tensor, initial }) => [name, { dims: tensor.dims as number[], data: [...initial] }]),
      ),
    };
    const loss = ops.reduceMean(ops.sigmoid(ops.mul(outputs[0]!, constant(2))), { keepdims: 0 });
    const gradients = gradientsOf(
      loss,
      parameters.map(({ tensor }) => tensor),
    );
    const [doubles, singles] = [evaluate(gradients, feeds), await run(gradients, feeds)];
    for (const [i, parameter] of parameters.entries()) {
      const slopes = centralDifferences(loss, parameter.name, feeds).data;
      expect([parameter.name, relativeError(doubles[i]!.data, slopes) < 1e-4]).toEqual([parameter.name, true]);
      expect([parameter.name, relativeError(singles[i]!.data, slopes) < 1e-3]).toEqual([parameter.name, true]);
    }
  });
});
