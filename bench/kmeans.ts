/** k-means against the bare matrix product it rests on, and against plain float64: `tsx bench/kmeans.ts`. */
import { fileURLToPath } from 'node:url';
import { OnnxRuntime } from '#adapters/onnxruntime/onnx-runtime';
import type { VectorSet } from '#core/clustering/vector-set';
import { toModel } from '#core/graph/model';
import { matmul } from '#core/graph/ops';
import { input } from '#core/graph/tensor';
import { Random } from '#core/random';
import { runKmeans } from '#pipeline/kmeans';
import type { ModelOptions, TensorValue } from '#pipeline/ports';
import { blocksOf, rowsPerBlock } from '#pipeline/vector-source';
import { firstRows, heaps, plainKmeans } from '../test/core/clustering/plain-kmeans.ts';

const [count, dimension, clusters, threads] = [200_000, 384, 1000, 2];
const rounds = 4;
const iterations = 4;
const rowsPerProduct = [1024, 2048, 4096, 8192, 16384, 32768];
const sessionShapes: ModelOptions[] = [
  { sessions: 1, threadsPerSession: threads },
  { sessions: threads, threadsPerSession: 1 },
];

const models = new OnnxRuntime();
const gigaflops = (rows: number, seconds: number) => (2 * rows * dimension * clusters) / seconds / 1e9;
const now = () => performance.now() / 1000;

function uniform(length: number, random: Random): Float32Array {
  return Float32Array.from({ length }, () => random.uint32() / 2 ** 32);
}

const floats = (data: Float32Array, dims: number[]): TensorValue => ({ type: 'float32', dims, data });

/** The product alone, all of it handed over, through the same sessions: GFLOP/s for one block size. */
async function bareProduct(options: ModelOptions, rows: number): Promise<number> {
  const points = input('points', 'float32', ['rows', dimension]);
  const centroids = input('centroids', 'float32', [dimension, clusters]);
  const graph = toModel({ name: 'product', inputs: [points, centroids], outputs: { y: matmul(points, centroids) } });
  const model = await models.load(graph, options);
  const random = new Random(1);
  const feeds = Array.from({ length: options.sessions + 1 }, () => ({
    points: floats(uniform(rows * dimension, random), [rows, dimension]),
    centroids: floats(uniform(dimension * clusters, random), [dimension, clusters]),
  }));
  const each = Math.ceil(65536 / rows / feeds.length);
  const lane = async (feed: Record<string, TensorValue>) => {
    let next: Readonly<Record<string, TensorValue>> = feed;
    for (let i = 0; i < each; i++) next = (await model.run(next)).feeds;
  };
  const start = now();
  await Promise.all(feeds.map(lane));
  const seconds = now() - start;
  await model.release();
  return gigaflops(rows * each * feeds.length, seconds);
}

/** Whole iterations, from one report to the next: assignment, sums, new centroids. Best GFLOP/s, and seconds for seeds. */
async function wholeIteration(points: VectorSet, seeding: 'random' | 'k-means++') {
  const reports: number[] = [];
  const start = now();
  await runKmeans(
    blocksOf(points, rowsPerBlock(clusters)),
    {
      clusters,
      metric: 'euclidean',
      seed: 1,
      seeding,
      iterations,
      tolerance: 0,
      reportIteration: () => reports.push(now()),
    },
    { models, tuning: { threads } },
  );
  const seconds = Math.min(...reports.slice(1).map((report, i) => report - reports[i]!));
  return { speed: gigaflops(count, seconds), seconds, before: reports[0]! - start - seconds };
}

async function speed(): Promise<void> {
  const points = { data: uniform(count * dimension, new Random(2)), count, dimension };
  const bare = new Map<string, number>();
  let ours = { speed: 0, seconds: 0, before: 0 };
  for (let round = 0; round < rounds; round++) {
    for (const options of sessionShapes) {
      for (const rows of rowsPerProduct) {
        const name = `${rows} rows, ${options.sessions} x ${options.threadsPerSession} threads`;
        bare.set(name, Math.max(bare.get(name) ?? 0, await bareProduct(options, rows)));
      }
    }
    const run = await wholeIteration(points, 'random');
    if (run.speed > ours.speed) ours = run;
  }
  const [bestName, best] = [...bare].reduce((a, b) => (b[1] > a[1] ? b : a));
  for (const [name, value] of bare) console.log(`bare MatMul, ${name}: ${value.toFixed(1)} GFLOP/s`);
  console.log(
    `whole iteration of ${count} x ${dimension}, k = ${clusters}: ${ours.seconds.toFixed(2)} s, ${ours.speed.toFixed(1)} GFLOP/s`,
  );
  console.log(`share of the best bare MatMul (${bestName}): ${((100 * ours.speed) / best).toFixed(0)} % (target 80 %)`);
  const { before } = await wholeIteration(points, 'k-means++');
  console.log(`checking and k-means++ seeds: ${before.toFixed(2)} s`);
}

async function precision(): Promise<void> {
  const points = heaps(4000, 32, 40, 0.8, 5);
  const seeding = firstRows(points, 50);
  const { objective, iterations: run } = await runKmeans(
    blocksOf(points, rowsPerBlock(50)),
    { clusters: 50, metric: 'euclidean', seed: 1, seeding, iterations: 20, tolerance: 0 },
    { models, tuning: { threads } },
  );
  const plain = plainKmeans(points, seeding, 'euclidean', run.length).objectives.at(-1)!;
  console.log(
    `objective over plain float64 after ${run.length} iterations: ${(objective / plain).toFixed(9)} (target 1 ± 0.01)`,
  );
}

export async function kmeans(): Promise<void> {
  await speed();
  await precision();
  await models.close();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await kmeans();
