import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { OnnxRuntime } from '#adapters/onnxruntime/onnx-runtime';
import type { Metric } from '#core/clustering/metric';
import { nearestCentroids } from '#core/clustering/nearest-centroid';
import type { VectorSet } from '#core/clustering/vector-set';
import { PermanentError } from '#core/errors';
import { Random } from '#core/random';
import { assignVectors } from '#pipeline/assign-vectors';
import { type KmeansOptions, type KmeansResult, runKmeans } from '#pipeline/kmeans';
import {
  blocksInMemory,
  blocksOf,
  gatherRows,
  inMemoryIfSmall,
  rowsPerBatch,
  rowsPerBlock,
  streamedBlocks,
} from '#pipeline/vector-source';
import { firstRows, heaps, plainKmeans, rowsOf } from '../core/clustering/plain-kmeans.ts';

const models = new OnnxRuntime();
const ports = { models, tuning: { threads: 2 } };
afterAll(() => models.close());

const defaults = { metric: 'euclidean', seed: 1 } as const;
const cluster = (points: VectorSet, options: Partial<KmeansOptions> & { clusters: number }, rows = 64) =>
  runKmeans(blocksOf(points, rows), { ...defaults, ...options }, ports);

/** Equal up to the order of rounding. */
function expectClose(found: ArrayLike<number>, expected: ArrayLike<number>, digits: number): void {
  expect(found.length).toBe(expected.length);
  for (let i = 0; i < found.length; i++) expect(found[i]).toBeCloseTo(expected[i]!, digits);
}

function expectFalling({ iterations }: KmeansResult): void {
  for (let i = 1; i < iterations.length; i++) {
    const [before, after] = [iterations[i - 1]!, iterations[i]!];
    // A split moves a full cluster's centroid by a thousandth, which may cost a little before it pays.
    const slack = before.split > 0 ? 1e-3 : 1e-6;
    expect(after.objective).toBeLessThanOrEqual(before.objective * (1 + slack) + 1e-6);
  }
}

describe.each(['euclidean', 'cosine'] as const)('%s', metric => {
  test('every iteration equals a plain float64 run from the same first centroids', async () => {
    for (const seed of [1, 2, 3]) {
      const points = heaps(700, 12, 9, 0.6, seed);
      const seeding = firstRows(points, 14);
      const run = await cluster(points, { clusters: 14, metric, seeding, iterations: 15, tolerance: 0 });
      const expected = plainKmeans(points, seeding, metric, run.iterations.length);
      expect(run.iterations.length).toBeGreaterThan(4);
      for (const [i, { objective, split }] of run.iterations.entries()) {
        expect(split).toBe(0);
        expect(objective / expected.objectives[i]!).toBeCloseTo(1, 5);
      }
      expect(run.objective).toBe(run.iterations.at(-1)!.objective);
      expectClose(run.centroids.data, expected.centroids.flat(), 4);
    }
  });

  test('the objective never increases, from any seeding', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer(),
        fc.integer({ min: 1, max: 30 }),
        fc.constantFrom('k-means++' as const, 'random' as const),
        async (seed, clusters, seeding) => {
          const points = heaps(150, 4, 6, 0.5, seed);
          const run = await cluster(points, { clusters, metric, seeding, seed, iterations: 12, tolerance: 0 });
          expectFalling(run);
          expect(run.centroids.data.every(Number.isFinite)).toBe(true);
        },
      ),
      { numRuns: 12 },
    );
  });

  test('the same call gives the same bytes; another cut into blocks the same clusters', async () => {
    const points = heaps(900, 8, 7, 0.8, 4);
    const options = { clusters: 10, metric, restarts: 2 };
    const first = await cluster(points, options);
    expect(await cluster(points, options)).toEqual(first);
    expect((await cluster(points, { ...options, seed: 2 })).centroids).not.toEqual(first.centroids);
    const seeding = firstRows(points, 10);
    const cut = await cluster(points, { clusters: 10, metric, seeding }, 100);
    const whole = await cluster(points, { clusters: 10, metric, seeding }, 900);
    expectClose(cut.centroids.data, whole.centroids.data, 5);
  });

  test('the order of the vectors does not matter', async () => {
    const points = heaps(500, 6, 5, 0.7, 8);
    const order = new Random(3).shuffle([...Array(500).keys()]);
    const data = Float32Array.from(order.flatMap(i => rowsOf(points)[i]!));
    const options = { clusters: 8, metric, seeding: firstRows(points, 8) };
    const straight = await cluster(points, options);
    const shuffled = await cluster({ ...points, data }, options);
    expect(shuffled.objective / straight.objective).toBeCloseTo(1, 9);
    expectClose(shuffled.centroids.data, straight.centroids.data, 5);
  });

  test('empty clusters are filled by splitting', async () => {
    const points = heaps(400, 6, 8, 0.2, 5);
    // All first centroids but one coincide: the others start empty.
    const seeding = { data: new Float32Array(10 * 6), count: 10, dimension: 6 };
    for (let k = 0; k < 10; k++) seeding.data.set(points.data.subarray(0, 6), 6 * k);
    const run = await cluster(points, { clusters: 10, metric, seeding, iterations: 30 });
    expect(run.iterations[0]!.split).toBe(9);
    expect(run.iterations.at(-1)!.split).toBe(0);
    expect(new Set(nearestCentroids(points, run.centroids, metric).clusters).size).toBe(10);
    expectFalling(run);
    expect(run.objective).toBeLessThan(run.iterations[0]!.objective / 2);
  });

  test('more clusters than different vectors: it ends, every vector has its centroid', async () => {
    const three = heaps(3, 5, 3, 1, 6);
    const points = { data: new Float32Array(60 * 5), count: 60, dimension: 5 };
    for (let i = 0; i < 60; i++) points.data.set(three.data.subarray((i % 3) * 5, (i % 3) * 5 + 5), i * 5);
    for (const seeding of ['k-means++', 'random'] as const) {
      const run = await cluster(points, { clusters: 7, metric, seeding });
      expect(run.centroids.data.every(Number.isFinite)).toBe(true);
      for (const distance of nearestCentroids(points, run.centroids, metric).distances) {
        expect(distance).toBeLessThan(1e-4);
      }
    }
  });

  test('one cluster is the mean; as many clusters as vectors are the vectors', async () => {
    const points = heaps(40, 3, 4, 1, 9);
    const one = await cluster(points, { clusters: 1, metric });
    expectClose(one.centroids.data, plainKmeans(points, firstRows(points, 1), metric, 1).centroids[0]!, 5);
    expect(one.converged).toBe(true);
    const all = await cluster(points, { clusters: 40, metric });
    expect(all.objective).toBeLessThan(1e-4);
    expect(new Set(nearestCentroids(points, all.centroids, metric).clusters).size).toBe(40);
  });

  test('k-means++ finds well-parted heaps that random rows miss', async () => {
    const points = heaps(1200, 6, 24, 0.05, 12);
    const options = { clusters: 24, metric, restarts: 1, iterations: 1 };
    const [careful, random] = await Promise.all([
      cluster(points, { ...options, seeding: 'k-means++' }, 256),
      cluster(points, { ...options, seeding: 'random' }, 256),
    ]);
    expect(careful.objective).toBeLessThan(random.objective / 2);
  });
});

test('a direction counts for cosine, its length does not', async () => {
  const points = heaps(300, 5, 4, 0.5, 3);
  const scaled = { ...points, data: points.data.map((value, i) => value * (1 + (Math.floor(i / 5) % 7))) };
  const options = { clusters: 6, metric: 'cosine' as const, seeding: firstRows(points, 6) };
  const [a, b] = await Promise.all([cluster(points, options), cluster(scaled, options)]);
  expectClose(b.centroids.data, a.centroids.data, 5);
  for (const row of rowsOf(a.centroids)) expect(Math.hypot(...row)).toBeCloseTo(1, 6);
});

test('zero vectors under cosine do no harm', async () => {
  const points = heaps(50, 4, 3, 0.5, 3);
  points.data.fill(0, 0, 40);
  const run = await cluster(points, { clusters: 3, metric: 'cosine' });
  expect(run.centroids.data.every(Number.isFinite)).toBe(true);
  const none = { data: new Float32Array(24), count: 6, dimension: 4 };
  expect((await cluster(none, { clusters: 2, metric: 'cosine' })).iterations.length).toBeLessThan(20);
});

test('vectors far from zero are told apart', async () => {
  const near = heaps(600, 5, 6, 0.1, 7);
  const far = { ...near, data: near.data.map(value => value + 1000) };
  const seeding = (points: VectorSet) => ({ clusters: 6, seeding: firstRows(points, 6) });
  const [a, b] = await Promise.all([cluster(near, seeding(near)), cluster(far, seeding(far))]);
  expect(b.objective / a.objective).toBeCloseTo(1, 2);
  expect(b.iterations.map(({ moved }) => moved)).toEqual(a.iterations.map(({ moved }) => moved));
});

test('the best restart wins, and every iteration is reported', async () => {
  const points = heaps(300, 4, 12, 0.3, 2);
  const reports: [number, number][] = [];
  const result = await cluster(points, {
    clusters: 12,
    seeding: 'random',
    restarts: 4,
    reportIteration: (restart, { iteration }) => reports.push([restart, iteration]),
  });
  expect(result.objectives).toHaveLength(4);
  expect(result.objective).toBe(Math.min(...result.objectives));
  expect(new Set(result.objectives).size).toBeGreaterThan(1);
  const alone = reports.filter(([restart]) => restart === result.restart).map(([, iteration]) => iteration);
  expect(alone).toEqual(result.iterations.map(({ iteration }) => iteration));
  expect(new Set(reports.map(([restart]) => restart)).size).toBe(4);
});

test('a stream read anew in every pass gives the bytes of blocks in memory, whatever pieces it comes in', async () => {
  const points = heaps(777, 5, 6, 0.6, 14);
  let passes = 0;
  async function* pieces() {
    passes++;
    for (let at = 0, length = 1; at < points.data.length; at += length, length = (length * 3) % 131) {
      yield points.data.slice(at, at + length);
    }
  }
  const stream = streamedBlocks(points, pieces, 64);
  const options = { ...defaults, clusters: 9, restarts: 2 };
  const streamed = await runKmeans(stream, options, ports);
  expect(streamed).toEqual(await cluster(points, options));
  expect(passes).toBeGreaterThan(10);
  const small = await inMemoryIfSmall(stream, 777 * 5 * 4);
  expect(small).not.toBe(stream);
  expect(await runKmeans(small, options, ports)).toEqual(streamed);
  expect(await inMemoryIfSmall(stream, 777 * 5 * 4 - 1)).toBe(stream);
});

test('a stream fills the blocks that come back again, so that passes take no new memory', async () => {
  const points = heaps(640, 5, 6, 0.6, 14);
  async function* pieces() {
    yield points.data;
  }
  const stream = streamedBlocks(points, pieces, 64);
  const buffers = new Set<ArrayBufferLike>();
  for (let pass = 0; pass < 3; pass++) {
    let [index, at] = [0, 0];
    for await (const block of stream.blocks()) {
      expect(block).toEqual(points.data.subarray(at, at + block.length));
      at += block.length;
      buffers.add(block.buffer);
      stream.giveBack(index++, block);
    }
    expect(at).toBe(points.data.length);
  }
  expect(buffers.size).toBeLessThanOrEqual(2);
});

test('the vectors are all there afterwards, and can be clustered again', async () => {
  const points = heaps(200, 3, 4, 0.5, 1);
  const source = blocksOf(points, 30);
  await runKmeans(source, { ...defaults, clusters: 5 }, ports);
  const { data } = await gatherRows(
    source,
    Int32Array.from({ length: 200 }, (_, i) => i),
  );
  expect(data).toEqual(points.data);
});

test('the number of threads changes no byte', async () => {
  const points = heaps(5000, 19, 30, 0.8, 3);
  const options = { ...defaults, clusters: 37, iterations: 5 };
  const [one, two, three] = await Promise.all(
    [1, 2, 3].map(threads => runKmeans(blocksOf(points, 1500), options, { models, tuning: { threads } })),
  );
  expect(two).toEqual(one);
  expect(three).toEqual(one);
});

test('refusals name the numbers and the remedy', async () => {
  const points = heaps(10, 3, 2, 1, 1);
  await expect(cluster(points, { clusters: 11 })).rejects.toThrow(
    new PermanentError('10 vectors cannot make 11 clusters: ask for 10 at most, or give more images'),
  );
  await expect(cluster(points, { clusters: 0 })).rejects.toThrow('cannot make 0 clusters');
  await expect(cluster(points, { clusters: 3, seeding: firstRows(points, 2) })).rejects.toThrow('expected [3, 3]');
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, 1e30]) {
    const spoiled = { ...points, data: points.data.slice() };
    spoiled.data[7 * 3 + 1] = bad;
    await expect(cluster(spoiled, { clusters: 2 }, 4)).rejects.toThrow(/^vector 7 holds NaN/);
  }
  const short = { ...blocksOf(points, 4), count: 12 };
  await expect(runKmeans(short, { ...defaults, clusters: 2 }, ports)).rejects.toThrow(
    '12 vectors were announced but 10',
  );
  expect(() => blocksInMemory([new Float32Array(8).subarray(2)], 3)).toThrow('own its buffer');
});

test.each(['euclidean', 'cosine'] as Metric[])('%s: assignment of all vectors, with distances', async metric => {
  const points = heaps(300, 6, 5, 1, 2);
  const centroids = heaps(9, 6, 5, 2, 3);
  const expected = nearestCentroids(points, centroids, metric);
  const found = await assignVectors(blocksOf(points, 64), centroids, metric, ports);
  expect(found.clusters).toEqual(expected.clusters);
  expectClose(found.distances, expected.distances, 3);
  expectClose(found.seconds, expected.seconds, 3);
  await expect(assignVectors(blocksOf(points, 64), heaps(2, 5, 2, 1, 1), metric, ports)).rejects.toThrow('of 5');
});

test('rows per block: all products of a block fit the cache, within bounds', () => {
  expect(rowsPerBlock(1)).toBe(16384);
  expect(rowsPerBlock(1000)).toBe(1024);
  expect(rowsPerBlock(400)).toBe(2048);
  expect(rowsPerBlock(20_000)).toBe(1024);
  expect([rowsPerBatch(50, 16), rowsPerBatch(50, 128), rowsPerBatch(50, 2048), rowsPerBatch(400, 16)]).toEqual([
    16384, 4096, 1024, 2048,
  ]);
});
