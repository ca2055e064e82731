/** ResNet-18 and MobileNetV2 with random weights, as networks to segment with, and the step that trains them: what the benches of training measure. */
import { crossEntropy } from '#core/graph/losses';
import * as ops from '#core/graph/ops';
import { momentum } from '#core/graph/optimizers';
import { makeTrainable } from '#core/graph/parameters';
import { constant, input, nodesBelow, scope, type Tensor } from '#core/graph/tensor';
import { type TrainingStep, trainingStep } from '#core/graph/training-step';
import { Random } from '#core/random';
import type { Tensors } from '#pipeline/ports';

export const batch = 16;
export const size = 112;
export const classes = 51;

/** Layers with random weights, which are kept by name. */
class Layers {
  readonly weights = new Map<string, Tensor>();
  readonly #random = new Random(1);

  weight(dims: readonly number[], spread: number, middle = 0): Tensor {
    const length = dims.reduce((a, b) => a * b, 1);
    const tensor = constant(
      Float32Array.from({ length }, () => middle + spread * this.#random.normal()),
      dims,
    );
    this.weights.set(`w${this.weights.size}`, tensor);
    return tensor;
  }

  /** Convolution and batch normalisation. */
  layer(x: Tensor, outputs: number, kernel: number, stride = 1, group = 1): Tensor {
    const depth = (x.dims[1] as number) / group;
    const w = this.weight([outputs, depth, kernel, kernel], Math.sqrt(2 / (depth * kernel * kernel)));
    const pads = new Array<number>(4).fill(Math.floor(kernel / 2));
    const y = ops.conv(x, w, undefined, { strides: [stride, stride], pads, group });
    const statistic = (middle: number) => this.weight([outputs], 0.01, middle);
    return ops.batchNormalization(y, statistic(1), statistic(0), statistic(0), statistic(1));
  }
}

function resnet18(x: Tensor, layers: Layers): Tensor {
  const stem = ops.relu(layers.layer(x, 64, 7, 2));
  let y: Tensor = ops.maxPool(stem, { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] });
  for (const [channels, first] of [
    [64, 1],
    [128, 2],
    [256, 2],
    [512, 2],
  ] as const)
    for (const stride of [first, 1]) {
      const inner = layers.layer(ops.relu(layers.layer(y, channels, 3, stride)), channels, 3);
      const same = stride === 1 && y.dims[1] === channels;
      y = ops.relu(ops.add(inner, same ? y : layers.layer(y, channels, 1, stride)));
    }
  return y;
}

function mobileNetV2(x: Tensor, layers: Layers): Tensor {
  const bounded = (y: Tensor) => ops.clip(y, { min: 0, max: 6 });
  let y: Tensor = bounded(layers.layer(x, 32, 3, 2));
  for (const [factor, channels, repeats, first] of [
    [1, 16, 1, 1],
    [6, 24, 2, 2],
    [6, 32, 3, 2],
    [6, 64, 4, 2],
    [6, 96, 3, 1],
    [6, 160, 3, 2],
    [6, 320, 1, 1],
  ] as const)
    for (let i = 0; i < repeats; i++) {
      const stride = i === 0 ? first : 1;
      const wide = (y.dims[1] as number) * factor;
      const expanded = factor === 1 ? y : bounded(layers.layer(y, wide, 1));
      const narrow = layers.layer(bounded(layers.layer(expanded, wide, 3, stride, wide)), channels, 1);
      y = stride === 1 && y.dims[1] === channels ? ops.add(y, narrow) : narrow;
    }
  return bounded(layers.layer(y, 1280, 1));
}

export const networks: Readonly<Record<string, (x: Tensor, layers: Layers) => Tensor>> = {
  'ResNet-18': resnet18,
  MobileNetV2: mobileNetV2,
};

export interface TrainedNetwork {
  readonly step: TrainingStep;
  readonly loss: Tensor;
  /** Billions of multiplications and additions that a step nominally asks for: the convolutions, and twice as many backwards. */
  readonly gigaflops: number;
  /** A batch and a learning rate; always the same numbers, in new memory. */
  feeds(): Tensors;
}

/** A head of 51 classes on the deepest map, enlarged to 56 × 56; loss, momentum, batch statistics. */
export function trainedNetwork(name: string): TrainedNetwork {
  const images = input('images', 'float32', [batch, 3, size, size]);
  const targets = input('targets', 'int64', [batch, 56, 56]);
  const layers = new Layers();
  const features = scope('backbone', () => networks[name]!(images, layers));
  const logits = ops.conv(features, layers.weight([classes, features.dims[1] as number, 1, 1], 0.01));
  const factor = 56 / (logits.dims[2] as number);
  const resized = ops.resize(logits, { scales: [1, 1, factor, factor] }, { mode: 'linear' });
  const { outputs, parameters, statistics } = makeTrainable([resized], {
    weights: layers.weights,
    statistics: 'batch',
  });
  const loss = scope('loss', () => crossEntropy(outputs[0]!, targets));
  const step = trainingStep({ name, batch: [images, targets], loss, parameters, statistics, optimizer: momentum() });
  return { step, loss, gigaflops: gigaflopsOf(loss), feeds };
}

/** The first convolution sends nothing back to the image. */
function gigaflopsOf(loss: Tensor): number {
  const each = nodesBelow([loss]).flatMap(({ op, inputs: [, w], outputs: [y] }) =>
    op === 'Conv' ? 2 * elements(y!) * elements({ dims: w!.dims.slice(1) }) : [],
  );
  return (3 * each.reduce((a, b) => a + b, 0) - each[0]!) / 1e9;
}

const elements = ({ dims }: Pick<Tensor, 'dims'>) => (dims as readonly number[]).reduce((a, b) => a * b, 1);

function feeds(): Tensors {
  const random = new Random(2);
  const pixels = Float32Array.from({ length: batch * 3 * size * size }, () => random.normal());
  const labels = BigInt64Array.from({ length: batch * 56 * 56 }, () => BigInt(random.integer(classes)));
  return {
    images: { type: 'float32', dims: [batch, 3, size, size], data: pixels },
    targets: { type: 'int64', dims: [batch, 56, 56], data: labels },
    rate: { type: 'float32', dims: [], data: Float32Array.of(0.01) },
  };
}
