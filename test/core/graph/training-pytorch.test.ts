/** Three training steps of a small residual network beside PyTorch: loss, parameters and running statistics. */
import { readFileSync } from 'node:fs';
import ort from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import { crossEntropy } from '#core/graph/losses';
import * as ops from '#core/graph/ops';
import { adamW, momentum, type Optimizer } from '#core/graph/optimizers';
import { makeTrainable } from '#core/graph/parameters';
import { constant, input, type Tensor } from '#core/graph/tensor';
import { type TrainingStep, trainingStep } from '#core/graph/training-step';
import { relativeError } from './central-differences.ts';
import { train } from './tiny-networks.ts';

interface Recorded {
  losses: number[];
  one: Record<string, number[]>;
  three: Record<string, number[]>;
}

const fixture: { made: string; momentum: Recorded; adamW: Recorded } = JSON.parse(
  readFileSync(new URL('../../fixtures/training-pytorch.json', import.meta.url), 'utf8'),
);

/** The numbers that the script draws weights and images from. */
const wave = (length: number, k: number, spread: number, middle = 0) =>
  Float32Array.from({ length }, (_, i) => middle + spread * Math.sin(i * i * 0.013 + k));

/** The script's network; weights are numbered in the order in which they are made. */
class Network {
  readonly weights = new Map<string, Tensor>();
  #count = 0;

  #store(name: string, data: Float32Array, dims: readonly number[]): Tensor {
    const tensor = constant(data, dims);
    this.weights.set(name, tensor);
    return tensor;
  }

  weight(name: string, dims: readonly number[], middle = 0): Tensor {
    const length = dims.reduce((a, b) => a * b, 1);
    return this.#store(name, wave(length, this.#count++, dims.length === 1 ? 0.1 : 0.4, middle), dims);
  }

  layer(name: string, dims: readonly number[]) {
    const w = this.weight(`${name}.weight`, dims);
    const channels = [dims[0]!];
    const scale = this.weight(`${name}_bn.weight`, channels, 1);
    const bias = this.weight(`${name}_bn.bias`, channels);
    const mean = this.#store(`${name}_bn.running_mean`, new Float32Array(channels[0]!), channels);
    const variance = this.#store(`${name}_bn.running_var`, new Float32Array(channels[0]!).fill(1), channels);
    const edge = dims[2]! === 3 ? 1 : 0;
    return (x: Tensor, stride = 1, group = 1) => {
      const y = ops.conv(x, w, undefined, { strides: [stride, stride], pads: [edge, edge, edge, edge], group });
      return ops.batchNormalization(y, scale, bias, mean, variance);
    };
  }
}

function logitsOf(images: Tensor, net: Network): Tensor {
  const stem = net.layer('stem', [4, 3, 3, 3]);
  const inner = net.layer('inner', [6, 4, 3, 3]);
  const outer = net.layer('outer', [6, 6, 3, 3]);
  const short = net.layer('short', [6, 4, 1, 1]);
  const depth = net.layer('depth', [6, 1, 3, 3]);
  const point = net.layer('point', [6, 6, 1, 1]);
  const [w, b] = [net.weight('head.weight', [3, 6, 1, 1]), net.weight('head.bias', [3])];
  const pooled = ops.maxPool(ops.relu(stem(images, 2)), { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] });
  const block = ops.relu(ops.add(outer(ops.relu(inner(pooled, 2))), short(pooled, 2)));
  const spread = ops.clip(depth(block, 1, 6), { min: 0, max: 6 });
  const features = ops.add(block, point(spread));
  return ops.resize(ops.conv(features, w, b), { scales: [1, 1, 2, 2] }, { mode: 'linear' });
}

function stepWith(optimizer: Optimizer): TrainingStep {
  const images = input('images', 'float32', [4, 3, 16, 16]);
  const targets = input('targets', 'int64', [4, 4, 4]);
  const net = new Network();
  const { outputs, parameters, statistics } = makeTrainable([logitsOf(images, net)], {
    weights: net.weights,
    statistics: 'batch',
  });
  const loss = crossEntropy(outputs[0]!, targets, { ignore: 1000 });
  // The script's momentum decays every weight, its AdamW only those with more than one axis.
  const all = optimizer.slots.length === 1 ? { decays: () => true } : {};
  return trainingStep({ name: 'tiny', batch: [images, targets], loss, parameters, statistics, optimizer, ...all });
}

const batch = {
  images: new ort.Tensor('float32', wave(3072, 50, 1), [4, 3, 16, 16]),
  targets: new ort.Tensor(
    'int64',
    BigInt64Array.from({ length: 64 }, (_, i) => BigInt(i % 5 === 0 ? 1000 : (i * i) % 3)),
    [4, 4, 4],
  ),
};

describe(`beside ${fixture.made}`, () => {
  const cases: [string, Recorded, Optimizer, number][] = [
    ['momentum', fixture.momentum, momentum({ momentum: 0.9, weightDecay: 1e-4 }), 0.1],
    ['AdamW', fixture.adamW, adamW({ weightDecay: 0.05 }), 0.01],
  ];
  test.each(cases)('%s: one step within 1e-4, three within 1e-3', async (_name, recorded, optimizer, rate) => {
    const step = stepWith(optimizer);
    for (const [steps, expected, tolerance] of [
      [1, recorded.one, 1e-4],
      [3, recorded.three, 1e-3],
    ] as const) {
      const { losses, state } = await train(
        step,
        steps,
        () => rate,
        () => batch,
      );
      expect(relativeError(losses, recorded.losses.slice(0, steps))).toBeLessThan(tolerance);
      for (const [name, numbers] of Object.entries(expected))
        expect([name, relativeError(state.get(name)!, numbers) < tolerance]).toEqual([name, true]);
    }
  });
});
