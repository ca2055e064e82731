/** The learned gate and its three paths beside loops written from the formulas, and how large its training is. */
import ort from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import {
  foregroundOf,
  type Gate,
  gatedFeatures,
  gateOf,
  pooledThrough,
  startGate,
  startGateAlong,
} from '#core/attention/gate';
import { gateBatch, gateChannels, gateRate, prototypeCount } from '#core/attention/gate-size';
import { attentionModel } from '#core/attention/pixel-attention';
import { constantData, input } from '#core/graph/tensor';
import { resizeMap } from '#core/image/resize-map';
import { Random } from '#core/random';
import { relativeError } from '../graph/central-differences.ts';
import { run, runModel } from '../graph/runtime.ts';

const random = new Random(11);
const [channels, height, width] = [3, 2, 3];

/** A gate with nothing left at its starting value. */
function anyGate(): Gate {
  const start = startGate(channels, random);
  const moved = [...start.tensors].map(([name, tensor]) => {
    const data = (constantData(tensor) as Float32Array).map(value => value + 0.5 * random.normal());
    return [name, name.endsWith('running_var') ? data.map(value => value * value + 0.1) : data] as const;
  });
  return gateOf(channels, new Map(moved));
}

const gate = anyGate();
const of = (name: string) => constantData(gate.tensors.get(name)!) as Float32Array;
const deep = Float32Array.from({ length: channels * height * width }, () => random.normal());

/** W x + b, then (· − mean) / √(variance + 1e-5) · scale + bias. */
function layer(x: readonly number[], convolution: string, norm: string): number[] {
  return Array.from({ length: channels }, (_, row) => {
    const sum = x.reduce((total, value, i) => total + of(`${convolution}.weight`)[row * channels + i]! * value, 0);
    const y = sum + of(`${convolution}.bias`)[row]! - of(`${norm}.running_mean`)[row]!;
    const scaled = y / Math.sqrt(of(`${norm}.running_var`)[row]! + 1e-5);
    return scaled * of(`${norm}.weight`)[row]! + of(`${norm}.bias`)[row]!;
  });
}

/** Per position of the ×4 grid: U, N and a, [positions][channels]. */
const positions = (() => {
  const maps = Array.from({ length: channels }, (_, c) => {
    const map = deep.slice(c * height * width, (c + 1) * height * width);
    return resizeMap(map, height, width, 4 * height, 4 * width);
  });
  return Array.from({ length: 16 * height * width }, (_, p) => {
    const u = maps.map(map => map[p]!);
    const n = u.map(value => value / Math.hypot(...u));
    const hidden = layer(n, 'atten.0', 'atten.1').map(value => Math.max(0, value));
    const a = layer(hidden, 'atten.3', 'atten.4').map((value, c) => 1 / (1 + Math.exp(-value - of('threshold')[c]!)));
    return { u, n, a };
  });
})();

const meanOver = (value: (position: (typeof positions)[number], c: number) => number) =>
  Array.from({ length: channels }, (_, c) => positions.reduce((sum, p) => sum + value(p, c), 0) / positions.length);

describe('the paths', () => {
  test('train: GAP(N · a)', async () => {
    const maps = input('deep', 'float32', [1, channels, height, width]);
    const { unit, gate: opened } = gatedFeatures(maps, gate);
    const feeds = { deep: { dims: [1, channels, height, width], data: [...deep] } };
    const [pooled, m] = await run([pooledThrough(unit, opened), foregroundOf(opened)], feeds);
    expect(
      relativeError(
        pooled!.data,
        meanOver(({ n, a }, c) => n[c]! * a[c]!),
      ),
    ).toBeLessThan(1e-5);
    expect(m!.dims).toEqual([1, 1, 4 * height, 4 * width]);
  });

  test('cluster and label: GAP(U · a) of un-normalised features, U, and the mean of a', async () => {
    const file = attentionModel({
      channels: { deep: channels },
      foreground: { kind: 'gate', gate },
      embedding: { kind: 'upsampled' },
      gateRange: [0, 1],
    });
    const tensor = new ort.Tensor('float32', deep, [1, channels, height, width]);
    const { pooled, embedding, foreground } = await runModel(file, { deep: tensor });
    const numbers = (value: unknown) => Array.from((value as ort.Tensor).data as Float32Array);
    expect(
      relativeError(
        numbers(pooled),
        meanOver(({ u, a }, c) => u[c]! * a[c]!),
      ),
    ).toBeLessThan(1e-5);
    const byChannel = Array.from({ length: channels }, (_, c) => positions.map(({ u }) => u[c]!)).flat();
    expect(relativeError(numbers(embedding), byChannel)).toBeLessThan(1e-5);
    const means = positions.map(({ a }) => a.reduce((sum, value) => sum + value) / channels);
    expect(relativeError(numbers(foreground), means)).toBeLessThan(1e-5);
  });
});

describe('a gate that begins along a direction', () => {
  const direction = Float32Array.of(2, -1, 0.5);

  test('rises with the score of the direction', async () => {
    const maps = input('deep', 'float32', [1, channels, height, width]);
    const opened = gatedFeatures(maps, startGateAlong(channels, new Random(3), direction)).gate;
    const feeds = { deep: { dims: [1, channels, height, width], data: [...deep] } };
    const [m] = await run([foregroundOf(opened)], feeds);
    const scores = positions.map(({ n }) => n.reduce((sum, value, c) => sum + value * direction[c]!, 0));
    const order = scores.map((_, i) => i).sort((a, b) => scores[a]! - scores[b]!);
    const sorted = order.map(i => m!.data[i]!);
    const rises = sorted.filter((value, i) => i >= 8 && value > sorted[i - 8]!);
    expect(rises).toHaveLength(sorted.length - 8);
  });

  test('is the plain one where nothing is known', () => {
    const numbers = ({ tensors }: Gate) => [...tensors].map(([, tensor]) => constantData(tensor));
    const plain = numbers(startGate(channels, new Random(3)));
    expect(numbers(startGateAlong(channels, new Random(3), new Float32Array(channels)))).toEqual(plain);
    expect(numbers(startGateAlong(channels, new Random(3), direction))).not.toEqual(plain);
  });
});

describe('how large', () => {
  test('the exact gate has all channels, the other at most 256', () => {
    expect(gateChannels('exact', 1280)).toBe(1280);
    expect(gateChannels('projected', 1280)).toBe(256);
    expect(gateChannels('projected', 96)).toBe(96);
  });

  test('a step fits into memory and into half of the photos', () => {
    expect(gateBatch(2048, 49, 1e6)).toBe(8);
    expect(gateBatch(256, 49, 1e6)).toBe(32);
    expect(gateBatch(256, 49, 20)).toBe(10);
    expect(gateBatch(1e6, 49, 20)).toBe(2);
  });

  test('prototypes and the learning rate follow the sizes of the published data sets', () => {
    expect([prototypeCount(64_431, 2000), prototypeCount(384_862, 2e4), prototypeCount(50, 50)]).toEqual([
      500, 3000, 25,
    ]);
    const rate = (images: number, batch: number, step = 0) => gateRate({ images, batch }, step, 100);
    expect([rate(64_431, 256), rate(384_862, 256), rate(128, 32)]).toEqual([6, 0.6, 0.75]);
    expect(rate(384_862, 256, 100)).toBeCloseTo(0.0006, 10);
  });
});
