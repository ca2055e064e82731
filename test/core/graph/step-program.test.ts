/** The executed form of a step against its definition: the same numbers, bit for bit, however the state is grouped. */
import ort from 'onnxruntime-node';
import { afterAll, describe, expect, test } from 'vitest';
import { OnnxRuntime } from '#adapters/onnxruntime/onnx-runtime';
import { applyModel, importModel } from '#core/graph/import';
import { crossEntropy } from '#core/graph/losses';
import * as ops from '#core/graph/ops';
import { adamW, larc, momentum, type Optimizer, sgd } from '#core/graph/optimizers';
import { makeTrainable } from '#core/graph/parameters';
import { print } from '#core/graph/print';
import { constant, input, scope } from '#core/graph/tensor';
import { type TrainingStep, trainingStep } from '#core/graph/training-step';
import { Random } from '#core/random';
import type { Tensors, TensorValue } from '#pipeline/ports';
import { graphsOf, stateOf, tensorsIn } from '#pipeline/training-run';
import { colouredHalves, linearHead, tinyResnet, train } from './tiny-networks.ts';

const models = new OnnxRuntime();
afterAll(() => models.close());

const network = importModel(tinyResnet());
const batches = Array.from({ length: 3 }, (_, i) => colouredHalves(8, 32, 8, 100 + i));
const rates = [0.05, 0.013, 0.4];

/** A tiny network with batch statistics, whose layers learn at different rates. */
function layered(optimizer: Optimizer): TrainingStep {
  const images = input('images', 'float32', [8, 3, 32, 32]);
  const targets = input('targets', 'int64', [8, 8, 8]);
  const [features] = applyModel(network, { image: images }, ['features'], 'backbone');
  const { logits, weights } = scope('head', () => linearHead(features!, 3));
  const resized = ops.resize(logits, { scales: [1, 1, 2, 2] }, { mode: 'linear' });
  const all = new Map([...network.constants, ...weights]);
  const { outputs, parameters, statistics } = makeTrainable([resized], { weights: all, statistics: 'batch' });
  const loss = scope('loss', () => crossEntropy(outputs[0]!, targets, { ignore: 1000 }));
  const scales = new Map(parameters.map(({ name }, i) => [name, 0.75 ** (i % 2)]));
  return trainingStep({
    name: 'layered',
    batch: [images, targets],
    loss,
    parameters,
    statistics,
    optimizer,
    rateScale: name => scales.get(name)!,
    metrics: { largest: ops.reduceMax(outputs[0]!, { axes: [0, 1, 2, 3], keepdims: 0 }) },
  });
}

const valuesOf = (feeds: Readonly<Record<string, ort.Tensor>>): Tensors =>
  Object.fromEntries(
    Object.entries(feeds).map(([name, { type, dims, data }]) => [
      name,
      { type, dims, data: data.slice() } as TensorValue,
    ]),
  );

/** The executed form, run as the program runs it. */
async function execute(step: TrainingStep, batchOf: (i: number) => Readonly<Record<string, ort.Tensor>>) {
  const { program } = step;
  const trainer = await models.train(graphsOf(program), { threads: 1 });
  await trainer.put(stateOf(program));
  const losses: number[] = [];
  for (const [i, rate] of rates.entries()) {
    const { loss } = await trainer.gradients({
      ...valuesOf(batchOf(i)),
      rate: { type: 'float32', dims: [], data: Float32Array.of(rate) },
    });
    losses.push(loss!);
    await trainer.update({ rate, step: i + 1 });
  }
  const state = tensorsIn(program, await trainer.take());
  await trainer.release();
  return { losses, state: new Map([...state].map(([name, { data }]) => [name, data.slice()])) };
}

async function expectTheSame(step: TrainingStep, batchOf: (i: number) => Readonly<Record<string, ort.Tensor>>) {
  const whole = await train(step, rates.length, i => rates[i]!, batchOf);
  const executed = await execute(step, batchOf);
  expect(executed.losses).toEqual(whole.losses);
  expect(new Map([...whole.state, ...executed.state])).toEqual(whole.state);
  expect(executed.state.size).toBeGreaterThanOrEqual(whole.state.size - 1);
}

describe('a step, executed', () => {
  test.each<[string, Optimizer]>([
    ['sgd', sgd({ weightDecay: 1e-3 })],
    ['momentum', momentum({ weightDecay: 1e-4 })],
    ['larc', larc({ trust: 0.02 })],
    ['adamW', adamW()],
  ])('with %s gives the numbers of its one graph', async (_name, optimizer) => {
    await expectTheSame(layered(optimizer), i => batches[i]!);
  });

  test('in pieces, where a tensor is large', async () => {
    const [x, y] = [input('x', 'float32', [4, 520]), input('y', 'float32', [4, 520])];
    const random = new Random(3);
    const numbers = (length: number) => Float32Array.from({ length }, () => random.normal());
    const w = constant(numbers(520 * 520), [520, 520]);
    const { outputs, parameters } = makeTrainable([ops.matmul(x, w)], { weights: new Map([['w', w]]) });
    const error = ops.sub(outputs[0]!, y);
    const loss = ops.reduceMean(ops.mul(error, error), { keepdims: 0 });
    const step = trainingStep({ name: 'large', batch: [x, y], loss, parameters, optimizer: adamW() });
    const tensor = () => new ort.Tensor('float32', numbers(4 * 520), [4, 520]);
    const given = rates.map(() => ({ x: tensor(), y: tensor() }));
    await expectTheSame(step, i => given[i]!);
  });

  test('with large kernels, whose velocity is part of the product that gives their gradient', async () => {
    const x = input('x', 'float32', [8, 128, 5, 5]);
    const random = new Random(4);
    const numbers = (length: number) => Float32Array.from({ length }, () => random.normal());
    const w = constant(numbers(128 * 128 * 9), [128, 128, 3, 3]);
    const convolved = ops.relu(ops.conv(x, w, undefined, { pads: [1, 1, 1, 1] }));
    const { outputs, parameters } = makeTrainable([convolved], { weights: new Map([['w', w]]) });
    const loss = ops.reduceMean(ops.mul(outputs[0]!, outputs[0]!), { keepdims: 0 });
    const optimizer = momentum({ weightDecay: 0.1 });
    const step = trainingStep({ name: 'wide', batch: [x], loss, parameters, optimizer });
    expect(print(step.program.gradients.outputs)).toMatch(/Gemm\(.*velocity\/0, .*beta=0\.89/);
    const given = rates.map(() => ({ x: new ort.Tensor('float32', numbers(8 * 128 * 25), [8, 128, 5, 5]) }));
    await expectTheSame(step, i => given[i]!);
  });

  test('not by an optimizer that reads what is already written over', () => {
    const late: Optimizer = {
      slots: ['velocity'],
      throughSlots: true,
      update: ({ parameter, gradient, slots: [velocity], rate }) => ({
        parameter: ops.sub(parameter, ops.mul(rate, velocity!)),
        slots: [ops.add(velocity!, gradient)],
      }),
    };
    expect(() => layered(late).program).toThrow('the optimizer updates values by more than what it keeps of them');
  });

  test('with state that the loss reads and a part that only moves', async () => {
    const x = input('x', 'float32', [2, 3]);
    const [queue, mean] = [input('queue', 'float32', [4, 3]), input('mean', 'float32', [3])];
    const w = input('w', 'float32', [3, 3]);
    const y = ops.matmul(x, w);
    const loss = ops.reduceMean(ops.mul(ops.matmul(queue, ops.transpose(y, { perm: [1, 0] })), constant(2)), {
      keepdims: 0,
    });
    const step = trainingStep({
      name: 'queue',
      batch: [x],
      loss: ops.add(loss, ops.reduceMean(ops.mul(y, mean), { keepdims: 0 })),
      parameters: [{ name: 'w', tensor: w, initial: Float32Array.from({ length: 9 }, (_, i) => i / 9) }],
      statistics: [
        {
          name: 'queue',
          tensor: queue,
          next: ops.concat([y, ops.slice(queue, { starts: [0], ends: [2], axes: [0] })], { axis: 0 }),
          initial: new Float32Array(12).fill(0.5),
        },
        {
          name: 'mean',
          tensor: mean,
          next: ops.add(mean, ops.reduceMean(y, { axes: [0], keepdims: 0 })),
          initial: new Float32Array(3),
        },
      ],
      optimizer: momentum(),
    });
    await expectTheSame(step, i => ({ x: new ort.Tensor('float32', [1, 2, 3, 4, 5, i], [2, 3]) }));
  });
});

describe('the groups of a step', () => {
  test('hold every tensor of the state once', () => {
    const { program, state } = layered(adamW());
    const names = program.groups.flatMap(({ buffers }) => buffers.flat().map(({ name }) => name));
    expect(names.toSorted()).toEqual(
      state
        .map(({ name }) => name)
        .filter(name => name !== 'step')
        .toSorted(),
    );
  });

  test('are of one rate and decay each; statistics move together', () => {
    const { groups, updates } = layered(momentum()).program;
    const known = groups.map(({ buffers: [values], update }) => {
      const dims = new Set(values!.map(({ dims }) => dims.length > 1));
      return { several: dims.size > 1, decays: dims.has(true), rateScale: update?.rateScale };
    });
    expect(known).toHaveLength(5);
    for (const rateScale of [1, 0.75])
      for (const decays of [true, false]) expect(known).toContainEqual({ several: false, decays, rateScale });
    expect(known.at(-1)).toEqual({ several: false, decays: false, rateScale: undefined });
    expect(updates).toHaveLength(2);
  });

  test('are all of the state where the optimizer looks at whole tensors: the step stays in one graph', () => {
    const { program, model, state } = layered(larc());
    expect(program.gradients).toBe(model);
    expect(program.groups).toHaveLength(state.length);
  });
});

test('an update prints itself', () => {
  const [update] = layered(momentum({ weightDecay: 0.1 })).program.updates;
  expect(print(update!.outputs)).toMatchInlineSnapshot(`
    "rate []
    velocity [n]
    parameter [n]
    %0 [n] = Mul(rate, velocity)
    %1 [n] = Sub(parameter, %0)
    return parameter.next = %1"
  `);
});
