/** Losses against their definitions, and their gradients against central differences. */
import { describe, expect, test } from 'vitest';
import { gradientsOf } from '#core/graph/gradients';
import { l2Normalize } from '#core/graph/layers';
import { cosineDistance, crossEntropy, sinkhorn, softCrossEntropy } from '#core/graph/losses';
import * as ops from '#core/graph/ops';
import { input, type Tensor } from '#core/graph/tensor';
import { Random } from '#core/random';
import { centralDifferences, relativeError } from './central-differences.ts';
import { evaluate, type Value } from './evaluator.ts';
import { run } from './runtime.ts';

const random = new Random(7);
const noise = (...dims: number[]): Value => ({
  dims,
  data: Array.from({ length: dims.reduce((a, b) => a * b) }, () => Math.fround(random.uniform() * 2 - 1)),
});

async function expectGradient(loss: Tensor, x: Tensor & { name: string }, feeds: Record<string, Value>) {
  const gradients = gradientsOf(loss, [x]);
  const slopes = centralDifferences(loss, x.name, feeds);
  expect(relativeError(evaluate(gradients, feeds)[0]!.data, slopes.data)).toBeLessThan(1e-4);
  expect(relativeError((await run(gradients, feeds))[0]!.data, slopes.data)).toBeLessThan(1e-4);
}

const lossOf = (loss: Tensor, feeds: Record<string, Value>) => evaluate([loss], feeds)[0]!.data[0]!;

describe('cross-entropy', () => {
  const logits = input('logits', 'float32', [2, 3, 2, 2]);
  const targets = input('targets', 'int64', [2, 2, 2]);
  const scores = noise(2, 3, 2, 2);
  const classes = [0, 2, 1, 1000, 2, 2, 0, 1000];
  const given = (data: number[]) => ({ logits: scores, targets: { dims: [2, 2, 2], data } });

  /** −log of the share of the right class, from the definition. */
  function lossAt(place: number, target: number): number {
    const [image, pixel] = [Math.floor(place / 4), place % 4];
    const powers = [0, 1, 2].map(k => Math.exp(scores.data[image * 12 + k * 4 + pixel]!));
    return -Math.log(powers[target]! / powers.reduce((a, b) => a + b));
  }

  test('is the mean over all places', async () => {
    const all = classes.map(target => target % 1000);
    const mean = all.reduce((sum, target, place) => sum + lossAt(place, target), 0) / 8;
    expect(lossOf(crossEntropy(logits, targets), given(all))).toBeCloseTo(mean, 12);
    await expectGradient(crossEntropy(logits, targets), logits, given(all));
  });

  test('leaves out what is to be ignored', async () => {
    const loss = crossEntropy(logits, targets, { ignore: 1000 });
    const counted = classes.flatMap((target, place) => (target === 1000 ? [] : [lossAt(place, target)]));
    expect(lossOf(loss, given(classes))).toBeCloseTo(counted.reduce((a, b) => a + b) / 6, 12);
    await expectGradient(loss, logits, given(classes));
  });

  test('can ignore a class that has logits', async () => {
    const loss = crossEntropy(logits, targets, { ignore: 2 });
    const all = classes.map(target => target % 1000);
    const counted = all.flatMap((target, place) => (target === 2 ? [] : [lossAt(place, target)]));
    expect(lossOf(loss, given(all))).toBeCloseTo(counted.reduce((a, b) => a + b) / counted.length, 12);
    await expectGradient(loss, logits, given(all));
  });

  test('is 0, and moves nothing, where everything is ignored', async () => {
    const loss = crossEntropy(logits, targets, { ignore: 1000 });
    const feeds = given(classes.map(() => 1000));
    const [value, gradient] = await run([loss, ...gradientsOf(loss, [logits])], feeds);
    expect(value!.data.map(Math.abs)).toEqual([0]);
    expect(gradient!.data.every(number => number === 0)).toBe(true);
  });

  test('takes shares instead of a class', async () => {
    const [rows, q] = [input('rows', 'float32', [3, 4]), input('q', 'float32', [3, 4])];
    const feeds = { rows: noise(3, 4), q: { dims: [3, 4], data: [0.1, 0.2, 0.3, 0.4, 1, 0, 0, 0, 0, 0.5, 0.5, 0] } };
    const loss = softCrossEntropy(rows, q, { temperature: 0.1 });
    const expected = [0, 1, 2].map(i => {
      const scaled = feeds.rows.data.slice(4 * i, 4 * i + 4).map(value => value / 0.1);
      const total = Math.log(scaled.reduce((sum, value) => sum + Math.exp(value), 0));
      return -scaled.reduce((sum, value, j) => sum + feeds.q.data[4 * i + j]! * (value - total), 0);
    });
    expect(lossOf(loss, feeds)).toBeCloseTo(expected.reduce((a, b) => a + b) / 3, 5);
    await expectGradient(loss, rows, feeds);
  });
});

describe('directions', () => {
  const x = input('x', 'float32', [2, 5, 3]);
  const y = input('y', 'float32', [2, 5, 3]);
  const feeds = { x: noise(2, 5, 3), y: noise(2, 5, 3) };

  test('the gradient of L2 normalisation', async () => {
    const loss = ops.reduceSum(ops.mul(l2Normalize(x, 1), y), { keepdims: 0 });
    await expectGradient(loss, x, feeds);
  });

  test('a vector of zeros gets no NaN', async () => {
    const loss = ops.reduceSum(ops.mul(l2Normalize(x, 1), y), { keepdims: 0 });
    const zeros = { dims: [2, 5, 3], data: new Array<number>(30).fill(0) };
    const [gradient] = await run(gradientsOf(loss, [x]), { ...feeds, x: zeros });
    expect(gradient!.data.every(Number.isFinite)).toBe(true);
  });

  test('cosine distance: 0 for the same direction, 2 for the opposite', async () => {
    const same = cosineDistance(x, ops.mul(x, ops.abs(ops.reduceMax(y))), 1);
    expect(lossOf(same, feeds)).toBeCloseTo(0, 12);
    expect(lossOf(cosineDistance(x, ops.neg(x), 1), feeds)).toBeCloseTo(2, 12);
    await expectGradient(cosineDistance(x, y, 1), x, feeds);
  });
});

describe('Sinkhorn', () => {
  const scores = input('scores', 'float32', [6, 3]);
  const feeds = { scores: noise(6, 3) };

  test('divides rows and columns in turn, as the definition does', async () => {
    let q = [0, 1, 2].map(p => [0, 1, 2, 3, 4, 5].map(b => Math.exp(feeds.scores.data[b * 3 + p]! / 0.05)));
    const total = q.flat().reduce((a, b) => a + b);
    q = q.map(row => row.map(value => value / total));
    for (let i = 0; i < 3; i++) {
      q = q.map(row => row.map(value => value / row.reduce((a, b) => a + b) / 3));
      const columns = q[0]!.map((_, b) => q.reduce((sum, row) => sum + row[b]!, 0));
      q = q.map(row => row.map((value, b) => value / columns[b]! / 6));
    }
    const expected = [0, 1, 2, 3, 4, 5].flatMap(b => q.map(row => row[b]! * 6));
    for (const result of [evaluate([sinkhorn(scores)], feeds)[0]!, (await run([sinkhorn(scores)], feeds))[0]!])
      expect(relativeError(result.data, expected)).toBeLessThan(1e-5);
  });

  test('rows sum to 1, and many turns use all prototypes alike', () => {
    const [q] = evaluate([sinkhorn(scores, { epsilon: 0.5, iterations: 30 })], feeds);
    const sums = (of: (i: number) => number, count: number) =>
      Array.from({ length: count }, (_, i) => q!.data.reduce((sum, value, j) => sum + (of(j) === i ? value : 0), 0));
    for (const sum of sums(j => Math.floor(j / 3), 6)) expect(sum).toBeCloseTo(1, 12);
    for (const sum of sums(j => j % 3, 3)) expect(sum).toBeCloseTo(2, 6);
  });

  test('is differentiable', async () => {
    const weights = input('weights', 'float32', [6, 3]);
    const loss = ops.reduceSum(ops.mul(sinkhorn(scores, { epsilon: 0.5 }), weights), { keepdims: 0 });
    await expectGradient(loss, scores, { ...feeds, weights: noise(6, 3) });
  });
});
