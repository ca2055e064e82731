/** A small residual network as ONNX bytes, generated data it can learn, and a loop that runs training steps. */
import ort from 'onnxruntime-node';
import { toModel } from '#core/graph/model';
import * as ops from '#core/graph/ops';
import { constant, input, scope, type Tensor } from '#core/graph/tensor';
import type { TrainingStep } from '#core/graph/training-step';
import { Random } from '#core/random';

/** Layers that draw their weights from one stream of numbers. */
class Layers {
  readonly #random: Random;

  constructor(seed: number) {
    this.#random = new Random(seed);
  }

  weights(dims: readonly number[], spread: number, middle = 0): Tensor {
    const length = dims.reduce((a, b) => a * b, 1);
    const data = Float32Array.from({ length }, () => middle + spread * this.#random.normal());
    return constant(data, dims);
  }

  conv(x: Tensor, outputs: number, size: number, stride = 1, group = 1): Tensor {
    const depth = (x.dims[1] as number) / group;
    const w = this.weights([outputs, depth, size, size], Math.sqrt(2 / (depth * size * size)));
    const edge = Math.floor(size / 2);
    return ops.conv(x, w, undefined, { strides: [stride, stride], pads: [edge, edge, edge, edge], group });
  }

  norm(x: Tensor): Tensor {
    const channels = [x.dims[1] as number];
    const [scale, bias] = [this.weights(channels, 0.05, 1), this.weights(channels, 0.05)];
    const [mean, variance] = [this.weights(channels, 0.1), this.weights(channels, 0.05, 1)];
    return ops.batchNormalization(x, scale, bias, mean, variance);
  }
}

/** Stem, max pooling, one block with a shortcut of stride 2, depthwise and pointwise layers: [N,3,s,s] → [N,12,s/8,s/8]. */
export function tinyResnet(seed = 1): Uint8Array {
  const layers = new Layers(seed);
  const image = input('image', 'float32', ['N', 3, 'H', 'W']);
  const stem = scope('stem', () => ops.relu(layers.norm(layers.conv(image, 8, 3, 2))));
  const pooled = ops.maxPool(stem, { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] });
  const block = scope('block', () => {
    const inner = ops.relu(layers.norm(layers.conv(pooled, 12, 3, 2)));
    const shortcut = layers.norm(layers.conv(pooled, 12, 1, 2));
    return ops.relu(ops.add(layers.norm(layers.conv(inner, 12, 3)), shortcut));
  });
  const features = scope('mobile', () => {
    const spread = ops.clip(layers.norm(layers.conv(block, 12, 3, 1, 12)), { min: 0, max: 6 });
    return ops.add(block, layers.norm(layers.conv(spread, 12, 1)));
  });
  return toModel({ name: 'tiny', inputs: [image], outputs: { features } });
}

/** A linear layer on each place of a map, and its weights by name. */
export function linearHead(x: Tensor, classes: number, seed = 2): { logits: Tensor; weights: Map<string, Tensor> } {
  const layers = new Layers(seed);
  const w = layers.weights([classes, x.dims[1] as number, 1, 1], 0.1);
  const b = layers.weights([classes], 0.01);
  return {
    logits: ops.conv(x, w, b),
    weights: new Map([
      ['head.w', w],
      ['head.b', b],
    ]),
  };
}

export type Batch = Readonly<Record<'images' | 'targets', ort.Tensor>>;

/** Images of two halves, each of the colour of one of three classes under noise; targets on a grid, one row ignored. */
export function colouredHalves(count: number, size: number, cells: number, seed: number): Batch {
  const random = new Random(seed);
  const images = new Float32Array(count * 3 * size * size);
  const targets = new BigInt64Array(count * cells * cells);
  for (let n = 0; n < count; n++) {
    const classes = [random.integer(3), random.integer(3)];
    const classAt = (column: number, width: number) => classes[column < width / 2 ? 0 : 1]!;
    for (let i = 0; i < size * size; i++)
      for (let c = 0; c < 3; c++)
        images[(n * 3 + c) * size * size + i] = (classAt(i % size, size) === c ? 1 : -0.5) + 0.3 * random.normal();
    for (let i = 0; i < cells * cells; i++)
      targets[n * cells * cells + i] = i < cells ? 1000n : BigInt(classAt(i % cells, cells));
  }
  return {
    images: new ort.Tensor('float32', images, [count, 3, size, size]),
    targets: new ort.Tensor('int64', targets, [count, cells, cells]),
  };
}

export interface Trained {
  readonly losses: readonly number[];
  readonly state: ReadonlyMap<string, Float32Array>;
}

/** Runs a step over and over: its state goes from one run into the next. */
export async function train(
  step: TrainingStep,
  steps: number,
  rate: (step: number) => number,
  batch: (step: number) => Readonly<Record<string, ort.Tensor>>,
): Promise<Trained> {
  const options = { logSeverityLevel: 3, intraOpNumThreads: 1 } as const;
  const session = await ort.InferenceSession.create(toModel(step.model), options);
  let state = new Map(step.state.map(({ name, dims, initial }) => [name, new ort.Tensor('float32', initial, dims)]));
  const losses: number[] = [];
  for (let i = 0; i < steps; i++) {
    const given = { ...batch(i), rate: new ort.Tensor('float32', [rate(i)], []) };
    const results = await session.run({ ...given, ...Object.fromEntries(state) });
    state = new Map([...state.keys()].map(name => [name, results[`${name}.next`] as typeof given.rate]));
    losses.push((results.loss!.data as Float32Array)[0]!);
  }
  await session.release();
  return { losses, state: new Map([...state].map(([name, { data }]) => [name, data as Float32Array])) };
}
