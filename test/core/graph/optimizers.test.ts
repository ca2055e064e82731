/** Optimizers against loops written from their papers, and the learning rate against its formula. */
import { describe, expect, test } from 'vitest';
import { learningRate } from '#core/graph/learning-rate';
import { adamW, larc, layerScale, momentum, type Optimizer, sgd } from '#core/graph/optimizers';
import { input } from '#core/graph/tensor';
import { relativeError } from './central-differences.ts';
import { evaluate } from './evaluator.ts';
import { run } from './runtime.ts';

const rate = 0.3;
const start = [0.5, -1.5, 2];
/** Gradients of a bowl with another curvature along each axis, far from its centre. */
const slope = (p: readonly number[]) => p.map((value, i) => (i + 1) * (value - 0.25));
const norm = (v: readonly number[]) => Math.hypot(...v);

type Reference = (p: number[], state: number[][], step: number) => { p: number[]; state: number[][] };

const withVelocity =
  (decay: number, adapt: (p: number[], g: number[]) => number[]): Reference =>
  (p, [velocity]) => {
    const g = adapt(p, slope(p)).map((value, i) => value + decay * p[i]!);
    const next = velocity!.map((v, i) => 0.9 * v + g[i]!);
    return { p: p.map((value, i) => value - rate * next[i]!), state: [next] };
  };

const references: [string, Optimizer, number, Reference][] = [
  [
    'sgd',
    sgd({ weightDecay: 0.01 }),
    0,
    p => ({ p: p.map((value, i) => value - rate * (slope(p)[i]! + 0.01 * value)), state: [] }),
  ],
  ['momentum', momentum({ momentum: 0.9, weightDecay: 0.01 }), 1, withVelocity(0.01, (_p, g) => g)],
  [
    'larc',
    larc({ momentum: 0.9, weightDecay: 0.01, trust: 0.02 }),
    1,
    withVelocity(0, (p, g) => {
      const local = (0.02 * norm(p)) / (norm(g) + 0.01 * norm(p) + 1e-8);
      return g.map((value, i) => (value + 0.01 * p[i]!) * local);
    }),
  ],
  [
    'adamW',
    adamW({ beta1: 0.9, beta2: 0.99, weightDecay: 0.1 }),
    2,
    (p, [mean, square], step) => {
      const g = slope(p);
      const m = mean!.map((value, i) => 0.9 * value + 0.1 * g[i]!);
      const v = square!.map((value, i) => 0.99 * value + 0.01 * g[i]! ** 2);
      const moved = p.map((value, i) => {
        const direction = m[i]! / (1 - 0.9 ** step) / (Math.sqrt(v[i]! / (1 - 0.99 ** step)) + 1e-8);
        return value * (1 - rate * 0.1) - rate * direction;
      });
      return { p: moved, state: [m, v] };
    },
  ],
];

const value = (data: readonly number[]) => ({ dims: [3], data });

describe('optimizers', () => {
  test.each(references)('%s, four steps', async (_name, optimizer, slots, reference) => {
    expect(optimizer.slots).toHaveLength(slots);
    const [parameter, gradient] = [input('p', 'float32', [3]), input('g', 'float32', [3])];
    const kept = optimizer.slots.map(slot => input(slot, 'float32', [3]));
    const scalars = { rate: input('rate', 'float32', []), step: input('step', 'float32', []) };
    const updated = optimizer.update({ parameter, gradient, slots: kept, ...scalars, decays: true });
    let expected = { p: start, state: kept.map(() => [0, 0, 0]) };
    for (let step = 1; step <= 4; step++) {
      const feeds = {
        p: value(expected.p),
        g: value(slope(expected.p)),
        rate: { dims: [], data: [rate] },
        step: { dims: [], data: [step] },
        ...Object.fromEntries(optimizer.slots.map((slot, i) => [slot, value(expected.state[i]!)])),
      };
      expected = reference(expected.p, expected.state, step);
      const outputs = [updated.parameter, ...updated.slots];
      for (const results of [evaluate(outputs, feeds), await run(outputs, feeds)])
        for (const [i, numbers] of [expected.p, ...expected.state].entries())
          expect(relativeError(results[i]!.data, numbers)).toBeLessThan(1e-5);
    }
  });

  test('larc leaves the gradient alone where a length is zero', () => {
    const [parameter, gradient] = [input('p', 'float32', [2]), input('g', 'float32', [2])];
    const [velocity, one] = [input('v', 'float32', [2]), input('rate', 'float32', [])];
    const { slots } = larc().update({ parameter, gradient, slots: [velocity], rate: one, step: one, decays: true });
    const pair = (...data: number[]) => ({ dims: [2], data });
    const feeds = { p: pair(0, 0), g: pair(3, 4), v: pair(0, 0), rate: { dims: [], data: [1] } };
    expect(evaluate(slots, feeds)[0]!.data).toEqual([3, 4]);
  });

  test('layers nearer the image learn more slowly', () => {
    expect([0, 1, 12, 13].map(layer => layerScale(layer, 12, 0.5))).toEqual([0.5 ** 13, 0.5 ** 12, 0.5, 1]);
  });
});

test('the learning rate rises to its peak and falls along a cosine', () => {
  const schedule = { steps: 110, peak: 0.6, end: 0.0006, warmUp: 10 };
  expect(learningRate(0, schedule)).toBe(0);
  expect(learningRate(5, schedule)).toBeCloseTo(0.3, 12);
  expect(learningRate(10, schedule)).toBeCloseTo(0.6, 12);
  expect(learningRate(60, schedule)).toBeCloseTo(0.3003, 12);
  expect(learningRate(110, schedule)).toBeCloseTo(0.0006, 12);
  expect(learningRate(500, schedule)).toBeCloseTo(0.0006, 12);
  expect(learningRate(0, { steps: 10, peak: 2 })).toBe(2);
});
