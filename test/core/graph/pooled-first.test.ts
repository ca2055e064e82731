/** Relu behind max-pooling: the same numbers and gradients, and only where nobody reads what stood between. */
import { expect, test } from 'vitest';
import { gradientsOf } from '#core/graph/gradients';
import * as ops from '#core/graph/ops';
import { makeTrainable } from '#core/graph/parameters';
import { constant, input, nodesBelow, type Tensor } from '#core/graph/tensor';
import { Random } from '#core/random';
import { run } from './runtime.ts';

const random = new Random(5);
const numbers = (length: number) => Float32Array.from({ length }, () => random.normal());
const x = input('x', 'float32', [2, 3, 7, 7]);
const w = constant(numbers(4 * 3 * 9), [4, 3, 3, 3]);
const slopes = constant(numbers(2 * 4 * 4 * 4), [2, 4, 4, 4]);

/** Low enough that whole windows stay below zero. */
const bias = constant(new Float32Array(4).fill(-8), [4]);
const rectified = (kernel: Tensor) => ops.relu(ops.conv(x, kernel, bias, { pads: [1, 1, 1, 1] }));
const pooled = (y: Tensor) => ops.maxPool(y, { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] });
const trainable = (outputs: readonly Tensor[]) => makeTrainable(outputs, { weights: new Map([['w', w]]) });
const order = (outputs: readonly Tensor[]) => nodesBelow(outputs).map(({ op }) => op);

test('the same numbers and gradients', async () => {
  const { outputs, parameters } = trainable([pooled(rectified(w))]);
  expect(order(outputs)).toEqual(['Conv', 'MaxPool', 'Relu']);
  const kernel = input('w', 'float32', w.dims);
  const loss = (y: Tensor) => ops.reduceSum(ops.mul(y, slopes), { keepdims: 0 });
  const asGiven = pooled(rectified(kernel));
  const feeds = {
    x: { dims: [2, 3, 7, 7], data: [...numbers(2 * 3 * 49)] },
    w: { dims: [4, 3, 3, 3], data: [...parameters[0]!.initial] },
  };
  const before = await run([asGiven, ...gradientsOf(loss(asGiven), [kernel])], feeds);
  const after = await run([outputs[0]!, ...gradientsOf(loss(outputs[0]!), [parameters[0]!.tensor])], feeds);
  expect(after).toEqual(before);
  expect(before[0]!.data).toContain(0);
});

test('not where something else reads what stands between', () => {
  const y = rectified(w);
  expect(order(trainable([pooled(y), y]).outputs)).toEqual(['Conv', 'Relu', 'MaxPool']);
});
