import fc from 'fast-check';
import { Matrix, solve } from 'ml-matrix';
import { expect, test } from 'vitest';
import { quantiles } from '#core/attention/quantiles';
import { ridgeScores, trainRidgeHead } from '#core/attention/ridge-head';
import { Random } from '#core/random';
import { normaliseRows } from './scene.ts';

/** From the formula: an explicit weighted system, class by class weights 0.5 / share, for each round. */
function slowHead(features: Float32Array, dimension: number, seeds: Float64Array, rounds: number): number[] {
  let scores = [...seeds];
  let weights: number[] = [];
  const row = (i: number) => [...features.subarray(i * dimension, (i + 1) * dimension), 1];
  for (let round = 0; round < rounds; round++) {
    const sorted = [...scores].sort((a, b) => a - b);
    const quantile = (q: number) => {
      const rank = q * (sorted.length - 1);
      const low = Math.floor(rank);
      return sorted[low]! + (sorted[Math.ceil(rank)]! - sorted[low]!) * (rank - low);
    };
    const used = scores.flatMap((score, i) => [
      ...(score >= quantile(0.9) ? [{ i, y: 1 }] : []),
      ...(score <= quantile(0.5) ? [{ i, y: -1 }] : []),
    ]);
    const m = used.length;
    const x = new Matrix(used.map(({ i }) => row(i)));
    const w = used.map(({ y }) => 0.5 / (used.filter(other => other.y === y).length / m));
    const weighted = new Matrix(x.to2DArray().map((r, i) => r.map(v => v * w[i]!)));
    const normal = x
      .transpose()
      .mmul(weighted)
      .div(m)
      .add(Matrix.eye(dimension + 1).mul(1e-3));
    const target = weighted
      .transpose()
      .mmul(Matrix.columnVector(used.map(({ y }) => y)))
      .div(m);
    weights = solve(normal, target).to1DArray();
    scores = scores.map((_, i) => row(i).reduce((sum, v, k) => sum + v * weights[k]!, 0));
  }
  return weights;
}

/** Positions with a hidden direction; seeds are that direction under heavy noise. */
function noisySeeds(count: number, dimension: number, seed: number, noise: number) {
  const random = new Random(seed);
  const truth = Array.from({ length: count }, (_, i) => i % 4 === 0);
  const features = Float32Array.from({ length: count * dimension }, () => random.normal());
  for (let i = 0; i < count; i++) features[i * dimension]! += truth[i] ? 2.5 : -1;
  normaliseRows(features, dimension);
  const seeds = Float64Array.from(truth, yes => (yes ? 1 : 0) + noise * random.normal());
  return { features, truth, seeds };
}

test.each([1, 2, 4])('%i rounds equal the formula', rounds => {
  const { features, seeds } = noisySeeds(203, 6, 3, 1);
  const expected = slowHead(features, 6, seeds, rounds);
  const { weights } = trainRidgeHead(features, 6, seeds, { rounds });
  for (let i = 0; i < expected.length; i++) expect(weights[i]).toBeCloseTo(expected[i]!, 9);
});

test('four rounds find the hidden foreground better than the seeds did', () => {
  const { features, truth, seeds } = noisySeeds(4000, 16, 5, 1);
  const head = trainRidgeHead(features, 16, seeds);
  const auroc = (scores: Float64Array) => {
    const order = [...scores.keys()].sort((a, b) => scores[a]! - scores[b]!);
    let ranks = 0;
    order.forEach((i, rank) => {
      if (truth[i]) ranks += rank;
    });
    const positives = truth.filter(Boolean).length;
    return (ranks - (positives * (positives - 1)) / 2) / positives / (truth.length - positives);
  };
  expect(auroc(seeds)).toBeLessThan(0.8);
  expect(auroc(ridgeScores(head, features))).toBeGreaterThan(0.93);
  expect(head.rounds).toHaveLength(4);
  expect(head.rounds[0]!.kept).toBeNaN();
  expect(head.rounds[3]!.kept).toBeGreaterThan(0.9);
  expect(head.rounds[3]!.positives).toBe(400);
  expect(head.rounds[3]!.negatives).toBe(2000);
  expect(head.rounds[3]!.separation).toBeGreaterThan(head.rounds[0]!.separation);
});

test('seeds that are all alike teach nothing', () => {
  const { features } = noisySeeds(50, 4, 1, 1);
  const head = trainRidgeHead(features, 4, new Float64Array(50));
  for (const weight of head.weights) expect(weight).toBeCloseTo(0, 12);
});

test('refuses features and seeds that do not belong together', () => {
  expect(() => trainRidgeHead(new Float32Array(8), 4, new Float64Array(3))).toThrow('8 features for 3 seeds');
  expect(() => trainRidgeHead(new Float32Array(0), 4, new Float64Array(0))).toThrow('0 seeds');
});

test('quantiles lie between the nearest ranks', () => {
  expect(quantiles(Float64Array.of(4, 1, 3, 2), [0, 0.5, 0.9, 1])).toEqual([1, 2.5, 3.7, 4]);
  expect(quantiles(Float32Array.of(7), [0.3])).toEqual([7]);
  expect(() => quantiles(new Float64Array(0), [0.5])).toThrow('no values');
  fc.assert(
    fc.property(
      fc.array(fc.double({ noNaN: true, min: -9, max: 9 }), { minLength: 1 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (values, q) => {
        const [found] = quantiles(Float64Array.from(values), [q]);
        const rank = q * (values.length - 1);
        expect(values.filter(v => v < found! - 1e-9).length).toBeLessThanOrEqual(rank + 1);
        expect(values.filter(v => v <= found! + 1e-9).length).toBeGreaterThanOrEqual(Math.floor(rank) + 1);
      },
    ),
  );
});
