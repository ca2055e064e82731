/** Training steps in ONNX Runtime: what they print, that they learn, freeze what they should, and give the same bytes twice. */
import ort from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import { applyModel, importModel } from '#core/graph/import';
import { learningRate } from '#core/graph/learning-rate';
import { crossEntropy } from '#core/graph/losses';
import { toModel } from '#core/graph/model';
import { readModel, writeModel } from '#core/graph/onnx';
import * as ops from '#core/graph/ops';
import { adamW, larc, momentum, type Optimizer, sgd } from '#core/graph/optimizers';
import { makeTrainable, withWeights } from '#core/graph/parameters';
import { print } from '#core/graph/print';
import { constant, input, scope, type Tensor } from '#core/graph/tensor';
import { type TrainingStep, trainingStep } from '#core/graph/training-step';
import { relativeError } from './central-differences.ts';
import { evaluate } from './evaluator.ts';
import { run } from './runtime.ts';
import { colouredHalves, linearHead, tinyResnet, train } from './tiny-networks.ts';

const network = importModel(tinyResnet());

/** The whole of a small fine-tuning: backbone, head, bilinear resizing, cross-entropy with pixels to ignore. */
function tinyStep(
  optimizer: Optimizer,
  { trains, statistics = 'batch' }: { trains?: (name: string) => boolean; statistics?: 'stored' | 'batch' } = {},
): TrainingStep {
  const images = input('images', 'float32', [8, 3, 32, 32]);
  const targets = input('targets', 'int64', [8, 8, 8]);
  const [features] = applyModel(network, { image: images }, ['features'], 'backbone');
  const { logits, weights } = scope('head', () => linearHead(features!, 3));
  const resized = ops.resize(logits, { scales: [1, 1, 2, 2] }, { mode: 'linear' });
  const trainable = makeTrainable([resized], {
    weights: new Map([...network.constants, ...weights]),
    statistics,
    ...(trains && { trains }),
  });
  const loss = scope('loss', () => crossEntropy(trainable.outputs[0]!, targets, { ignore: 1000 }));
  const { parameters, statistics: moving } = trainable;
  return trainingStep({
    name: 'tiny',
    batch: [images, targets],
    loss,
    parameters,
    statistics: moving,
    optimizer,
  });
}

const batches = Array.from({ length: 4 }, (_, i) => colouredHalves(8, 32, 8, 100 + i));
const trained = (step: TrainingStep, peak: number, steps = 40) =>
  train(
    step,
    steps,
    i => learningRate(i, { steps, peak, warmUp: 4 }),
    i => batches[i % 4]!,
  );

describe('a residual network learns', () => {
  test.each<[string, Optimizer, number]>([
    ['sgd', sgd(), 0.5],
    ['momentum', momentum({ weightDecay: 1e-4 }), 0.1],
    ['larc', larc({ trust: 0.02 }), 1],
    ['adamW', adamW(), 0.01],
  ])('with %s: the loss of the last four steps is below a fifth of the first', async (_name, optimizer, peak) => {
    const { losses } = await trained(tinyStep(optimizer), peak);
    const last = losses.slice(-4).reduce((a, b) => a + b) / 4;
    expect(last).toBeLessThan(losses[0]! / 5);
  });

  test('and the same numbers come out twice', async () => {
    const [first, second] = [await trained(tinyStep(adamW()), 0.01, 6), await trained(tinyStep(adamW()), 0.01, 6)];
    expect(first).toEqual(second);
    expect(Buffer.compare(toModel(tinyStep(adamW()).model), toModel(tinyStep(adamW()).model))).toBe(0);
  });
});

describe('what is frozen', () => {
  test('a foreign operator on the way is named as in the file, before anything is trained', () => {
    const [x, foreign] = [input('image', 'float32', ['N', 3, 4, 4]), input('w', 'float32', [3, 3, 1, 1])];
    const graph = readModel(
      toModel({ name: 'm', inputs: [x, foreign], outputs: { y: ops.relu(ops.conv(x, foreign)) } }),
    );
    const node = graph.graph!.node!.map(one =>
      one.opType === 'Relu' ? { ...one, name: 'odd one', opType: 'Celu' } : one,
    );
    const model = importModel(writeModel({ ...graph, graph: { ...graph.graph!, node } }));
    const w = constant(new Float32Array(9), [3, 3, 1, 1]);
    const [y] = applyModel(model, { image: input('image', 'float32', [1, 3, 4, 4]), w }, ['y'], 'backbone');
    const { outputs, parameters } = makeTrainable([y!], { weights: new Map([['w', w]]) });
    const loss = ops.reduceMean(outputs[0]!, { keepdims: 0 });
    expect(() => trainingStep({ name: 'm', batch: [], loss, parameters, optimizer: sgd() })).toThrow(
      'the network cannot be trained through its Celu "odd one" ([1,3,4,4])',
    );
  });

  const parametersOf = (step: TrainingStep) => step.state.map(({ name }) => name).filter(name => name !== 'step');

  test('none: every weight of the model, and its running statistics', () => {
    const names = parametersOf(tinyStep(sgd()));
    expect(names.filter(name => network.constants.has(name)).length).toBe(names.length - 2);
    const read = [...network.constants].filter(([, tensor]) => tensor.type === 'float32' && tensor.dims.length > 0);
    expect(new Set(names)).toEqual(new Set([...read.map(([name]) => name), 'head.w', 'head.b']));
  });

  test('all but the head: the backbone runs as it was', async () => {
    const step = tinyStep(sgd(), { trains: name => name.startsWith('head.'), statistics: 'stored' });
    expect(parametersOf(step)).toEqual(['head.w', 'head.b']);
    expect(print(step.model.outputs)).not.toContain('gradients/backbone');
    const { losses } = await trained(step, 1);
    expect(losses.at(-1)).toBeLessThan(losses[0]! / 2);
  });

  test('some: only gradients that are needed are in the graph', () => {
    const last = [...network.constants.keys()].at(-5)!;
    const step = tinyStep(sgd(), { trains: name => name.startsWith('head.') || name === last, statistics: 'stored' });
    expect(parametersOf(step)).toEqual([last, 'head.w', 'head.b']);
    const text = print(step.model.outputs);
    expect(text).toContain('gradients/backbone');
    expect(text).not.toMatch(/ArgMax|ConvTranspose\(.*backbone/);
  });

  test('everything: refused', () => {
    expect(() => tinyStep(sgd(), { trains: () => false })).toThrow('tiny: nothing to train; no weight is chosen');
  });

  test('trained weights go back into the model', async () => {
    const step = tinyStep(momentum());
    const { state } = await trained(step, 0.1, 3);
    const kept = new Map([...state].filter(([name]) => network.constants.has(name)));
    const image = input('image', 'float32', [8, 3, 32, 32]);
    const feeds = { image: { dims: [8, 3, 32, 32], data: [...(batches[0]!.images.data as Float32Array)] } };
    const [before] = await run(applyModel(network, { image }, ['features']), feeds);
    const [after] = await run(applyModel(withWeights(network, kept), { image }, ['features']), feeds);
    expect(after!.data).not.toEqual(before!.data);
    expect(() => withWeights(network, new Map([['nothing', new Float32Array(1)]]))).toThrow('stores no nothing');
  });
});

describe('batch statistics', () => {
  const x = input('x', 'float32', [4, 2, 3, 3]);
  const stored = [
    [1, 2],
    [0.1, -0.1],
    [5, 6],
    [2, 3],
  ].map(numbers => constant(Float32Array.from(numbers)));
  const weights = new Map<string, Tensor>(['scale', 'bias', 'mean', 'variance'].map((name, i) => [name, stored[i]!]));
  const y = ops.batchNormalization(x, stored[0]!, stored[1]!, stored[2]!, stored[3]!);
  const data = Array.from({ length: 72 }, (_, i) => Math.fround(Math.sin(i * i) + (i % 2)));
  const feeds = {
    x: { dims: [4, 2, 3, 3], data },
    ...Object.fromEntries(
      [...weights].map(([name], i) => [
        name,
        {
          dims: [2],
          data: [
            [1, 2],
            [0.1, -0.1],
            [5, 6],
            [2, 3],
          ][i]!,
        },
      ]),
    ),
  };

  test('normalise the batch and move the stored ones, the variance divided by n − 1', () => {
    const { outputs, statistics } = makeTrainable([y], { weights, statistics: 'batch', momentum: 0.2 });
    const channel = (c: number) => data.filter((_, i) => Math.floor(i / 9) % 2 === c);
    const mean = [0, 1].map(c => channel(c).reduce((a, b) => a + b) / 36);
    const variance = [0, 1].map(c => channel(c).reduce((sum, v) => sum + (v - mean[c]!) ** 2, 0) / 36);
    const expected = data.map((value, i) => {
      const c = Math.floor(i / 9) % 2;
      return ((value - mean[c]!) / Math.sqrt(variance[c]! + 1e-5)) * [1, 2][c]! + [0.1, -0.1][c]!;
    });
    const [result, ...next] = evaluate([outputs[0]!, ...statistics.map(({ next }) => next)], feeds);
    expect(relativeError(result!.data, expected)).toBeLessThan(1e-6);
    expect(statistics.map(({ name }) => name)).toEqual(['mean', 'variance']);
    expect(
      relativeError(
        next[0]!.data,
        mean.map((m, c) => 0.8 * [5, 6][c]! + 0.2 * m),
      ),
    ).toBeLessThan(1e-6);
    const moved = variance.map((v, c) => 0.8 * [2, 3][c]! + (0.2 * v * 36) / 35);
    expect(relativeError(next[1]!.data, moved)).toBeLessThan(1e-6);
  });

  test('a tensor that is a weight and a statistic: refused', () => {
    const [scale, shared, variance] = [stored[0]!, stored[1]!, stored[3]!];
    const odd = ops.batchNormalization(x, scale, shared, shared, variance);
    expect(() => makeTrainable([odd], { weights, statistics: 'batch' })).toThrow('stores "bias" once for a weight and');
  });

  test('a layer used twice moves its statistics twice', () => {
    const twice = ops.batchNormalization(ops.mul(x, constant(3)), stored[0]!, stored[1]!, stored[2]!, stored[3]!);
    const { statistics } = makeTrainable([y, twice], { weights, statistics: 'batch', momentum: 0.5 });
    const [once] = evaluate([ops.reduceMean(x, { axes: [0, 2, 3], keepdims: 0 })], feeds);
    const expected = once!.data.map((m, c) => 0.25 * [5, 6][c]! + 0.25 * m + 0.5 * 3 * m);
    expect(relativeError(evaluate([statistics[0]!.next], feeds)[0]!.data, expected)).toBeLessThan(1e-6);
  });
});

test('a step prints itself', () => {
  const images = input('images', 'float32', [2, 3]);
  const targets = input('targets', 'int64', [2]);
  const w = constant(new Float32Array(6).fill(0.5), [3, 2]);
  const [logits] = [scope('head', () => ops.matmul(images, w))];
  const { outputs, parameters } = makeTrainable([logits!], { weights: new Map([['w', w]]) });
  const loss = scope('loss', () => crossEntropy(outputs[0]!, targets));
  const step = trainingStep({ name: 's', batch: [images, targets], loss, parameters, optimizer: momentum() });
  expect(step.state.map(({ name, dims }) => [name, dims])).toEqual([
    ['w', [3, 2]],
    ['velocity/w', [3, 2]],
    ['step', []],
  ]);
  expect(print(step.model.outputs)).toMatchInlineSnapshot(`
    "velocity/w [3,2]
    images [2,3]
    w [3,2]
    targets int64 [2]
    rate []
    step []
    %0 [3,2] = Mul(0.9, velocity/w)  # update
    %1 [3,2] = Transpose(images, perm=[1,0])  # gradients/head
    %2 [1] = Unsqueeze(1, axes=[0])  # gradients/loss
    %3 [1] = Div(%2, 2)  # gradients/loss
    %4 [2] = Expand(%3, [2])  # gradients/loss
    %5 [2,2] = MatMul(images, w)  # head
    %6 [2,1] = ReduceMax(%5, axes=[1], keepdims=1)  # loss
    %7 [2,2] = Sub(%5, %6)  # loss
    %8 [2,2] = Exp(%7)  # loss
    %9 [2] = ReduceSum(%8, axes=[1], keepdims=0)  # loss
    %10 [2] = Div(%4, %9)  # gradients/loss
    %11 [2,1] = Unsqueeze(%10, axes=[1])  # gradients/loss
    %12 [2,2] = Mul(%11, %8)  # gradients/loss
    %13 int64 [2,1] = Unsqueeze(targets, axes=[1])  # loss
    %14 [2] = Neg(%4)  # gradients/loss
    %15 [2,1] = Reshape(%14, [2,1])  # gradients/loss
    %16 [2,2] = ScatterElements(%12, %13, %15, axis=1, reduction=add)  # gradients/loss
    %17 [3,2] = MatMul(%1, %16)  # gradients/head
    %18 [3,2] = Add(%0, %17)  # update
    %19 [3,2] = Mul(rate, %18)  # update
    %20 [3,2] = Sub(w, %19)  # update
    %21 [] = Add(step, 1)  # update
    %22 [2] = Log(%9)  # loss
    %23 [2,1] = GatherElements(%7, %13, axis=1)  # loss
    %24 [2] = Squeeze(%23, axes=[1])  # loss
    %25 [2] = Sub(%22, %24)  # loss
    %26 [] = ReduceMean(%25, axes=[0], keepdims=0)  # loss
    return w.next = %20, velocity/w.next = %18, step.next = %21, loss = %26"
  `);
});

test('a NaN in the batch is seen in the loss of the same step', async () => {
  const broken = {
    ...batches[0]!,
    images: new ort.Tensor('float32', new Float32Array(8 * 3072).fill(Number.NaN), [8, 3, 32, 32]),
  };
  const { losses } = await train(
    tinyStep(sgd()),
    1,
    () => 0.1,
    () => broken,
  );
  expect(losses[0]).toBeNaN();
});
