/** Training steps of the gate: beside PyTorch, against central differences, what they print, and the queue. */
import { readFileSync } from 'node:fs';
import ort from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import { type Gate, gatedFeatures, gateOf, pooledThrough, startGate } from '#core/attention/gate';
import { type EmbeddingHead, type GateTraining, gateStep } from '#core/attention/gate-step';
import { queueLength, swavLoss } from '#core/attention/swav-loss';
import { backboneSettings } from '#core/backbone/settings';
import { gradientsOf } from '#core/graph/gradients';
import { type ImportedModel, importModel } from '#core/graph/import';
import { l2Normalize } from '#core/graph/layers';
import { sinkhorn } from '#core/graph/losses';
import { toModel } from '#core/graph/model';
import * as ops from '#core/graph/ops';
import { makeTrainable } from '#core/graph/parameters';
import { print } from '#core/graph/print';
import { rewrite } from '#core/graph/rewrite';
import { constant, input, type Tensor } from '#core/graph/tensor';
import { Random } from '#core/random';
import { centralDifferences, relativeError } from '../graph/central-differences.ts';
import { evaluate } from '../graph/evaluator.ts';
import { train } from '../graph/tiny-networks.ts';

interface Recorded {
  losses: number[];
  one: Record<string, number[]>;
  three: Record<string, number[]>;
}

const fixture: { made: string; trained: Recorded; given: Recorded } = JSON.parse(
  readFileSync(new URL('../../fixtures/attend-pytorch.json', import.meta.url), 'utf8'),
);

/** The numbers that the script draws weights and images from. */
const wave = (length: number, k: number, spread: number, middle = 0) =>
  Float32Array.from({ length }, (_, i) => middle + spread * Math.sin(i * i * 0.013 + k));

const lengthOf = (dims: readonly number[]) => dims.reduce((a, b) => a * b, 1);

/** The script's backbone, with its projection behind it as `pooled` → `projected`; weights have their names in PyTorch. */
function network(): ImportedModel {
  const weights = new Map<string, Tensor>();
  const inputs: Tensor[] = [];
  const store = (name: string, data: Float32Array, dims: readonly number[]) => {
    weights.set(name, constant(data, dims));
    const tensor = input(name, 'float32', dims);
    inputs.push(tensor);
    return tensor;
  };
  const filled = (name: string, dims: readonly number[], k: number, middle = 0) =>
    store(name, wave(lengthOf(dims), k, dims.length === 1 ? 0.1 : 0.4, middle), dims);
  const norm = (x: Tensor, name: string, channels: number, k?: number) => {
    const plain = (value: number, part: string) =>
      store(`${name}.${part}`, new Float32Array(channels).fill(value), [channels]);
    const scale =
      k === undefined ? constant(new Float32Array(channels).fill(1)) : filled(`${name}.weight`, [channels], k, 1);
    const bias = k === undefined ? constant(new Float32Array(channels)) : filled(`${name}.bias`, [channels], k + 1);
    return ops.batchNormalization(x, scale, bias, plain(0, 'running_mean'), plain(1, 'running_var'));
  };
  const layer = (x: Tensor, name: string, dims: readonly number[], k: number) => {
    const edge = dims[2] === 3 ? 1 : 0;
    const w = filled(`${name}.weight`, dims, k);
    const y = ops.conv(x, w, undefined, { strides: [2, 2], pads: [edge, edge, edge, edge] });
    return norm(y, `${name}_bn`, dims[0]!, k + 1);
  };
  const linear = (x: Tensor, name: string, dims: readonly [number, number], k: number) =>
    ops.add(ops.matmul(x, ops.transpose(filled(`${name}.weight`, dims, k))), filled(`${name}.bias`, [dims[0]], k + 1));
  const image = input('image', 'float32', ['N', 3, 'H', 'W']);
  const stem = ops.relu(layer(image, 'stem', [4, 3, 3, 3], 0));
  const x = ops.maxPool(stem, { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] });
  const features = ops.relu(ops.add(layer(x, 'inner', [6, 4, 3, 3], 3), layer(x, 'short', [6, 4, 1, 1], 6)));
  const pooled = ops.reduceMean(features, { axes: [2, 3], keepdims: 0 });
  const hidden = ops.relu(norm(linear(pooled, 'first', [8, 6], 40), 'first_bn', 8, 42));
  const projected = norm(linear(hidden, 'last', [5, 8], 44), 'last_bn', 5);
  const model = importModel(
    toModel({ name: 'net', inputs: [image, ...inputs], outputs: { features, pooled, projected } }),
  );
  return {
    ...model,
    inputs: model.inputs.filter(({ name }) => name === 'image'),
    constants: new Map([...model.constants, ...weights]),
  };
}

/** The script's gate. */
function fixtureGate(): Gate {
  const names = 'weight bias'.split(' ');
  const order = ['threshold', ...[0, 1, 3, 4].flatMap(layer => names.map(name => `atten.${layer}.${name}`))];
  const start = startGate(6, new Random(1));
  const values = [...start.tensors].map(([name, { dims }]) => {
    const length = lengthOf(dims);
    if (name === 'threshold' || name.includes('running'))
      return [name, new Float32Array(length).fill(name.endsWith('var') ? 1 : 0)] as const;
    const middle = /atten\.[14]\.weight/.test(name) ? 1 : 0;
    return [name, wave(length, 20 + order.indexOf(name), dims.length === 1 ? 0.1 : 0.4, middle)] as const;
  });
  return gateOf(6, new Map(values));
}

function unitRows(data: Float32Array, width: number): Float32Array {
  return data.map((value, i) => {
    const row = data.subarray(i - (i % width), i - (i % width) + width);
    return value / Math.hypot(...row);
  });
}

const heads: Record<'trained' | 'given', EmbeddingHead> = {
  trained: { kind: 'trained', weight: constant(wave(30, 40, 0.4), [5, 6]), bias: constant(wave(5, 41, 0.1)) },
  given: { kind: 'given', input: 'pooled', output: 'projected' },
};

const views = input('images', 'float32', [8, 3, 32, 32]);

function training(kind: 'trained' | 'given', changes: Partial<GateTraining> = {}): GateTraining {
  const model = network();
  return {
    model,
    settings: backboneSettings(model, { outputs: [{ name: 'features' }] }),
    views: { pixels: views, image: views },
    grid: { channels: 6, height: 4, width: 4 },
    gate: fixtureGate(),
    head: heads[kind],
    prototypes: constant(unitRows(wave(35, 60, 1), 5), [7, 5]),
    queue: 4,
    ...changes,
  };
}

const imagesAt = (step: number) => ({
  images: new ort.Tensor('float32', wave(8 * 3 * 32 * 32, 70 + step, 100, 120), [8, 3, 32, 32]),
});

describe(`beside ${fixture.made}`, () => {
  test.each(['trained', 'given'] as const)('projection %s: one step within 1e-4, three within 1e-3', async kind => {
    const step = gateStep(training(kind));
    for (const [steps, expected, tolerance] of [
      [1, fixture[kind].one, 1e-4],
      [3, fixture[kind].three, 1e-3],
    ] as const) {
      const { losses, state } = await train(step, steps, () => 6, imagesAt);
      expect(relativeError(losses, fixture[kind].losses.slice(0, steps))).toBeLessThan(tolerance);
      const all = Object.entries(expected).map(
        ([name, numbers]) => [name, relativeError(state.get(name)!, numbers)] as const,
      );
      expect(all.filter(([, error]) => !(error < tolerance))).toEqual([]);
    }
  });

  test('what stands still is not in the state', () => {
    const names = gateStep(training('trained')).state.map(({ name }) => name);
    expect(names.filter(name => name.startsWith('backbone/') && !name.includes('running'))).toEqual([]);
    expect(new Set(names.filter(name => !/^(velocity|backbone)\//.test(name)))).toEqual(
      new Set([...Object.keys(fixture.trained.one).filter(name => !name.startsWith('backbone/')), 'step']),
    );
  });
});

describe('gradients', () => {
  /** The loss of a small gate, projection and prototypes on given features, with a queue that is full. */
  function small() {
    const random = new Random(5);
    const numbers = (length: number, spread = 1) => Float32Array.from({ length }, () => spread * random.normal());
    const gate = startGate(2, random);
    const projection = constant(numbers(8), [4, 2]);
    const prototypes = constant(unitRows(numbers(20), 4), [5, 4]);
    const weights = new Map<string, Tensor>([...gate.tensors, ['projection', projection], ['prototypes', prototypes]]);
    const deep = input('deep', 'float32', [4, 2, 1, 2]);
    const queue = input('queue', 'float32', [2, 2, 4]);
    const { unit, gate: opened } = gatedFeatures(deep, gate);
    const z = l2Normalize(ops.matmul(pooledThrough(unit, opened), ops.transpose(projection)), 1);
    const { loss, assignments } = swavLoss(z, prototypes, queue);
    const { outputs, parameters } = makeTrainable([loss, ...assignments], { weights, statistics: 'batch' });
    const feeds = {
      deep: { dims: [4, 2, 1, 2], data: [...numbers(16)] },
      queue: { dims: [2, 2, 4], data: [...unitRows(numbers(16), 4)] },
      ...Object.fromEntries(
        parameters.map(({ name, tensor, initial }) => [name, { dims: tensor.dims as number[], data: [...initial] }]),
      ),
    };
    return { outputs, parameters, feeds };
  }

  test('of every part of the gate equal central differences, the targets held', () => {
    const { outputs, parameters, feeds } = small();
    const [loss, ...targets] = outputs;
    const gradients = gradientsOf(
      loss!,
      parameters.map(({ tensor }) => tensor),
      { held: targets },
    );
    const computed = evaluate(gradients, feeds);
    // Differences move the targets, too, unless they are numbers.
    const numbers = evaluate(targets, feeds);
    const held = rewrite([loss!], {
      node: node => {
        const at = targets.findIndex(target => target.kind === 'node' && target.node === node);
        return at < 0 ? undefined : [input(`target ${at}`, 'float32', numbers[at]!.dims)];
      },
    });
    const all = { ...feeds, 'target 0': numbers[0]!, 'target 1': numbers[1]! };
    for (const [i, { name }] of parameters.entries()) {
      const expected = centralDifferences(held[0]!, name, all).data;
      expect([name, relativeError(computed[i]!.data, expected) < 1e-4]).toEqual([name, true]);
    }
    expect(parameters.map(({ name }) => name)).toContain('threshold');
  });
});

describe('the queue', () => {
  const embeddings = input('z', 'float32', [4, 2]);
  const prototypes = constant(unitRows(Float32Array.of(1, 0, 0, 1, -1, 1), 2), [3, 2]);
  const queue = input('queue', 'float32', [2, 4, 2]);
  const z = { dims: [4, 2], data: [...unitRows(Float32Array.of(1, 2, 3, 1, -1, 2, 2, -1), 2)] };
  const full = { dims: [2, 4, 2], data: [...unitRows(wave(16, 3, 1), 2)] };

  test('counts in front of the batch once its last row is filled', () => {
    const { assignments } = swavLoss(embeddings, prototypes, queue);
    const scores = (rows: readonly number[]) => {
      const p = [1, 0, 0, 1, -Math.SQRT1_2, Math.SQRT1_2];
      return rows.flatMap((_, i) =>
        i % 2 ? [] : [0, 1, 2].map(k => rows[i]! * p[2 * k]! + rows[i + 1]! * p[2 * k + 1]!),
      );
    };
    const expected = (rows: readonly number[]) => {
      const data = scores(rows);
      const all = input('scores', 'float32', [data.length / 3, 3]);
      return evaluate([sinkhorn(all)], { scores: { dims: [data.length / 3, 3], data } })[0]!.data.slice(-6);
    };
    const half = { ...full, data: full.data.map((value, i) => (i % 8 < 6 ? value : 0)) };
    for (const [i, view] of assignments.entries()) {
      const own = z.data.slice(4 * i, 4 * i + 4);
      const together = [...full.data.slice(8 * i, 8 * i + 8), ...own];
      expect(relativeError(evaluate([view], { z, queue: full })[0]!.data, expected(together))).toBeLessThan(1e-6);
      expect(relativeError(evaluate([view], { z, queue: half })[0]!.data, expected(own))).toBeLessThan(1e-6);
    }
  });

  test('takes the newest in front and drops the oldest', () => {
    const [next] = evaluate([swavLoss(embeddings, prototypes, queue).queue!], { z, queue: full });
    const at = (view: number) => [...z.data.slice(4 * view, 4 * view + 4), ...full.data.slice(8 * view, 8 * view + 4)];
    expect(next).toEqual({ dims: [2, 4, 2], data: [...at(0), ...at(1)] });
  });

  test('as long as half of the images allow, in whole batches; as published where prototypes are given', () => {
    expect(queueLength(128, 16, false)).toBe(64);
    expect(queueLength(100, 32, false)).toBe(32);
    expect(queueLength(30, 16, false)).toBe(0);
    expect(queueLength(1e6, 256, false)).toBe(3840);
    expect(queueLength(50, 64, true)).toBe(3840);
    expect(queueLength(50, 100, true)).toBe(3800);
  });

  test('none: the step has none either', () => {
    const names = gateStep(training('trained', { queue: 0 })).state.map(({ name }) => name);
    expect(names).not.toContain('queue');
  });
});

test('the step prints itself', () => {
  const { model } = gateStep(training('trained'));
  expect(print(model.outputs)).toMatchSnapshot();
});

test('a backbone that takes one image at a time keeps its stored statistics, the gate has those of the batch', async () => {
  const plain = training('trained');
  const step = gateStep({ ...plain, settings: { ...plain.settings, batch: 1 } });
  const names = step.state.map(({ name }) => name);
  expect(names.filter(name => name.startsWith('backbone/'))).toEqual([]);
  expect(names).toContain('atten.1.running_mean');
  const { losses, state } = await train(step, 1, () => 6, imagesAt);
  expect(losses[0]).toBeGreaterThan(0);
  expect(state.get('atten.1.running_mean')!.some(value => value !== 0)).toBe(true);
});

test('fewer channels: the reduction stands before the gate', async () => {
  const reduction = { matrix: wave(12, 9, 1), channels: 2 };
  const changes = {
    reduction,
    gate: startGate(2, new Random(3)),
    head: { kind: 'trained', weight: constant(wave(10, 40, 0.4), [5, 2]), bias: constant(wave(5, 41, 0.1)) },
  } as const;
  const step = gateStep(training('trained', changes));
  expect(step.state.find(({ name }) => name === 'atten.0.weight')!.dims).toEqual([2, 2, 1, 1]);
  const { losses } = await train(step, 2, () => 6, imagesAt);
  expect(losses.every(Number.isFinite)).toBe(true);
});
