/** The learned gate of the method (2.1): a number in 0 … 1 per pixel and channel, from the pixel's own feature. */
import { l2Normalize } from '../graph/layers.ts';
import { add, batchNormalization, conv, mul, reduceMean, relu, resize, sigmoid } from '../graph/ops.ts';
import { type ConstantTensor, constant, constantData, scope, type Tensor } from '../graph/tensor.ts';
import type { Random } from '../random.ts';

/** Fewer channels to gate than the backbone has: a linear map in front of everything. */
export interface Reduction {
  /** [channels, channels of the backbone], row-major. */
  readonly matrix: Float32Array;
  readonly channels: number;
}

export interface Gate {
  readonly channels: number;
  /** Under the names that checkpoints of the attention module use. */
  readonly tensors: ReadonlyMap<string, ConstantTensor>;
}

/** Names and shapes of a gate's tensors, in the order of the formula. */
const shapesOf = (channels: number): Readonly<Record<string, readonly number[]>> => ({
  'atten.0.weight': [channels, channels, 1, 1],
  'atten.0.bias': [channels],
  'atten.1.weight': [channels],
  'atten.1.bias': [channels],
  'atten.1.running_mean': [channels],
  'atten.1.running_var': [channels],
  'atten.3.weight': [channels, channels, 1, 1],
  'atten.3.bias': [channels],
  'atten.4.weight': [channels],
  'atten.4.bias': [channels],
  'atten.4.running_mean': [channels],
  'atten.4.running_var': [channels],
  threshold: [1, channels, 1, 1],
});

const lengthOf = (dims: readonly number[]) => dims.reduce((a, b) => a * b, 1);

/** A gate of given numbers. @throws Error if some are missing */
export function gateOf(channels: number, values: ReadonlyMap<string, Float32Array>): Gate {
  const tensors = Object.entries(shapesOf(channels)).map(([name, dims]) => {
    const data = values.get(name);
    if (!data) throw new Error(`gateOf: ${name} is missing`);
    return [name, constant(data, dims)] as const;
  });
  return { channels, tensors: new Map(tensors) };
}

/** An untrained gate: convolutions uniform within ±1/√channels, normalisations 1 and 0, θ = 0. */
export function startGate(channels: number, random: Random): Gate {
  const bound = 1 / Math.sqrt(channels);
  const start = (name: string, length: number): Float32Array => {
    if (/^atten\.[03]\./.test(name)) return Float32Array.from({ length }, () => bound * (2 * random.uniform() - 1));
    return new Float32Array(length).fill(/\.(weight|running_var)$/.test(name) ? 1 : 0);
  };
  const values = Object.entries(shapesOf(channels)).map(([name, dims]) => [name, start(name, lengthOf(dims))] as const);
  return gateOf(channels, new Map(values));
}

/** What the other weights of the second convolution keep of their start beside a direction's two. */
const besideDirection = 0.1;

/**
 * A gate that begins as one linear score d · x in every channel, normalised by BN2: the first two hidden channels are
 * relu(±d · x), and their difference is d · x again. The rest starts as ever, in the second convolution a tenth of it, so
 * that channels can part in training.
 * @param direction [channels], of any length; with zeros, or a single channel, nothing is known and the start is the plain one
 */
export function startGateAlong(channels: number, random: Random, direction: Float32Array): Gate {
  const plain = startGate(channels, random);
  const length = Math.hypot(...direction);
  if (length === 0 || channels < 2) return plain;
  const values = new Map([...plain.tensors].map(([name, tensor]) => [name, constantData(tensor) as Float32Array]));
  const inward = values.get('atten.0.weight')!.slice();
  const bias = values.get('atten.0.bias')!.slice().fill(0, 0, 2);
  for (let c = 0; c < channels; c++) {
    inward[c] = direction[c]! / length;
    inward[channels + c] = -direction[c]! / length;
  }
  const outward = values.get('atten.3.weight')!.map((weight, at) => {
    const column = at % channels;
    return column === 0 ? 1 : column === 1 ? -1 : besideDirection * weight;
  });
  for (const [name, data] of Object.entries({
    'atten.0.weight': inward,
    'atten.0.bias': bias,
    'atten.3.weight': outward,
  }))
    values.set(name, data);
  return gateOf(channels, values);
}

/**
 * A(N) = sigmoid(BN2(W2 · relu(BN1(W1 · N + b1)) + b2) + θ), with the stored statistics.
 * @param unit [N, channels, h, w], each position of length one
 */
export function applyGate({ tensors }: Gate, unit: Tensor): Tensor {
  const of = (name: string) => tensors.get(name)!;
  const layer = (x: Tensor, convolution: string, norm: string) =>
    batchNormalization(
      conv(x, of(`${convolution}.weight`), of(`${convolution}.bias`)),
      of(`${norm}.weight`),
      of(`${norm}.bias`),
      of(`${norm}.running_mean`),
      of(`${norm}.running_var`),
    );
  return scope('gate', () => {
    const hidden = relu(layer(unit, 'atten.0', 'atten.1'));
    return sigmoid(add(layer(hidden, 'atten.3', 'atten.4'), of('threshold')));
  });
}

/** What the three ways through the model (2.2) share. */
export interface GatedFeatures {
  /** U: the deep map, upsampled four times. [N, C, 4h, 4w] */
  readonly upsampled: Tensor;
  /** N: U with every position of length one. */
  readonly unit: Tensor;
  /** a = A(N). */
  readonly gate: Tensor;
}

/** @param deep [N, C, h, w] */
export function gatedFeatures(deep: Tensor, gate: Gate, reduction?: Reduction): GatedFeatures {
  const upsampled = upsampledFeatures(deep, reduction);
  const unit = l2Normalize(upsampled, 1, 1e-12);
  return { upsampled, unit, gate: applyGate(gate, unit) };
}

/** U. The reduction goes first: both are linear, and the coarse grid has a sixteenth of the positions. */
export const upsampledFeatures = (deep: Tensor, reduction?: Reduction): Tensor =>
  resize(
    reduced(deep, reduction),
    { scales: [1, 1, 4, 4] },
    { mode: 'linear', coordinate_transformation_mode: 'half_pixel' },
  );

/** What the gate sees of the deep map, at its own size. */
export const reduced = (deep: Tensor, reduction?: Reduction): Tensor =>
  reduction ? conv(deep, reductionKernel(reduction)) : deep;

const reductionKernel = ({ matrix, channels }: Reduction) =>
  constant(matrix, [channels, matrix.length / channels, 1, 1]);

/** v = GAP(x · a): [N, C]. Of N where the gate is trained, of U where images are clustered (2.2). */
export const pooledThrough = (x: Tensor, gate: Tensor): Tensor =>
  reduceMean(mul(x, gate), { axes: [2, 3], keepdims: 0 });

/** m: the mean of the gate over channels, [N, 1, h, w]. */
export const foregroundOf = (gate: Tensor): Tensor => reduceMean(gate, { axes: [1], keepdims: 1 });
