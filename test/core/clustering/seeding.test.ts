import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nearestCentroids } from '#core/clustering/nearest-centroid';
import { acceptDraws, plusPlusRows, randomRows, WeightedDraws } from '#core/clustering/seeding';
import { Random } from '#core/random';
import { heaps, rowsOf, squaredDistance } from './plain-kmeans.ts';

test('random rows are different, ascending, in range, and each equally likely', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 50 }), fc.integer(), (count, seed) => {
      const wanted = 1 + (Math.abs(seed) % count);
      const rows = randomRows(count, wanted, new Random(seed));
      expect(new Set(rows).size).toBe(wanted);
      expect([...rows]).toEqual([...rows].sort((a, b) => a - b));
      expect(rows[0]).toBeGreaterThanOrEqual(0);
      expect(rows.at(-1)).toBeLessThan(count);
    }),
  );
  const random = new Random(4);
  const seen = new Array<number>(6).fill(0);
  for (let i = 0; i < 6000; i++) for (const row of randomRows(6, 2, random)) seen[row]!++;
  for (const times of seen) expect(Math.abs(times - 2000)).toBeLessThan(150);
});

const line = { data: Float32Array.of(0, 1, 3, 7), count: 4, dimension: 1 };

/** Chance of every ordered pair as second and third centroid after row 0, from the definition of k-means++. */
function pairChances(): Map<string, number> {
  const rows = rowsOf(line);
  const chances = new Map<string, number>();
  const weights = (chosen: number[]) => rows.map(row => Math.min(...chosen.map(c => squaredDistance(row, rows[c]!))));
  const first = weights([0]);
  const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);
  for (const second of [1, 2, 3]) {
    const then = weights([0, second]);
    for (const third of [1, 2, 3]) {
      if (third === second) continue;
      chances.set(`${second},${third}`, (first[second]! / sum(first)) * (then[third]! / sum(then)));
    }
  }
  return chances;
}

function expectChances(draw: () => string): void {
  const times = new Map<string, number>();
  const trials = 20_000;
  for (let i = 0; i < trials; i++) {
    const pair = draw();
    times.set(pair, (times.get(pair) ?? 0) + 1);
  }
  for (const [pair, chance] of pairChances()) {
    const deviation = Math.sqrt((chance * (1 - chance)) / trials);
    expect(Math.abs((times.get(pair) ?? 0) / trials - chance), pair).toBeLessThan(4.5 * deviation);
  }
}

test('k-means++ at once draws as defined', () => {
  const random = new Random(3);
  expectChances(() => {
    for (;;) {
      const [first, second, third] = plusPlusRows(line, 3, 'euclidean', random);
      if (first === 0) return `${second},${third}`;
    }
  });
});

test('k-means++ in batches, from blocks, draws the same', () => {
  const random = new Random(5);
  const rowOf = (value: number) => line.data.indexOf(value);
  expectChances(() => {
    for (;;) {
      const draws = new WeightedDraws(6, 1, random);
      draws.offer(line.data.subarray(0, 1), Float64Array.of(0));
      draws.offer(line.data.subarray(1, 3), Float64Array.of(1, 9));
      draws.offer(line.data.subarray(3), Float64Array.of(49));
      const accepted = acceptDraws(draws, 2, 'euclidean', random);
      // Too few accepted: a further pass would draw the third. Which pairs this happens to depends on the pair, so count
      // the continuation too, by its own definition.
      const second = rowOf(accepted[0]!);
      if (accepted.length === 2) return `${second},${rowOf(accepted[1]!)}`;
      const weights = Float64Array.from(line.data, x => Math.min(x * x, (x - accepted[0]!) ** 2));
      const next = new WeightedDraws(1, 1, random);
      next.offer(line.data, weights);
      return `${second},${rowOf(next.vectors[0]!)}`;
    }
  });
});

test('nothing is drawn where all weights are zero', () => {
  const draws = new WeightedDraws(3, 2, new Random(1));
  draws.offer(new Float32Array(8), new Float64Array(4));
  draws.offer(new Float32Array(0), new Float64Array(0));
  expect(draws.total).toBe(0);
  expect(acceptDraws(draws, 3, 'euclidean', new Random(1))).toHaveLength(0);
});

test('greedy candidates bring the vectors nearer than single draws, and heaps are all found', () => {
  const points = heaps(600, 8, 12, 0.15, 2);
  const potential = (candidates: number) => {
    let sum = 0;
    for (let seed = 0; seed < 10; seed++) {
      const rows = plusPlusRows(points, 12, 'euclidean', new Random(seed), candidates);
      const data = Float32Array.from([...rows].flatMap(row => rowsOf(points)[row]!));
      const { distances } = nearestCentroids(points, { data, count: 12, dimension: 8 }, 'euclidean');
      sum += distances.reduce((a, b) => a + b, 0);
    }
    return sum;
  };
  expect(potential(5)).toBeLessThan(potential(1));
  const heapsFound = new Set([...plusPlusRows(points, 12, 'cosine', new Random(1), 5)].map(row => row % 12));
  expect(heapsFound.size).toBe(12);
});

test('more wanted than different rows: rows come again', () => {
  const points = { data: Float32Array.of(1, 1, 2, 2), count: 4, dimension: 1 };
  const rows = plusPlusRows(points, 4, 'euclidean', new Random(1));
  expect(rows).toHaveLength(4);
  expect(new Set([...rows].map(row => points.data[row])).size).toBe(2);
});
