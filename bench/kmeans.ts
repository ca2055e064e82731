/** k-means against the bare matrix product it rests on, and against plain float64: `tsx bench/kmeans.ts`. */
import { fileURLToPath } from 'node:url';
import { OnnxRuntime } from '#adapters/onnxruntime/onnx-runtime';
import type { VectorSet } from '#core/clustering/vector-set';
import { toModel } from '#core/graph/model';
import { matmul } from '#core/graph/ops';
import { input } from '#core/graph/tensor';
import { Random } from '#core/random';
import { runKmeans } from '#pipeline/kmeans';
import type { ModelOptions, Tensors, TensorValue } from '#pipeline/ports';
import { blocksOf, rowsPerBlock } from '#pipeline/vector-source';
import { firstRows, heaps, plainKmeans } from '../test/core/clustering/plain-kmeans.ts';

const [count, dimension, clusters, threads] = [200_000, 384, 1000, 2];
const rounds = 3;
const iterations = 4;
const rowsPerProduct = [1024, 2048, 4096, 8192, 16384, 32768];
const sessionShapes: ModelOptions[] = [
  { sessions: 1, threadsPerSession: threads },
  { sessions: threads, threadsPerSession: 1 },
];

const models = new OnnxRuntime();
const floats = (data: Float32Array, dims: number[]): TensorValue => ({ type: 'float32', dims, data });

function uniform(length: number, random: Random): Float32Array {
  return Float32Array.from({ length }, () => random.uint32() / 2 ** 32);
}

/** Seconds on the clock, and of all processors together: the latter hardly suffer when others use the machine. */
interface Spent {
  readonly wall: number;
  readonly processor: number;
}

function now(): Spent {
  const { user, system } = process.cpuUsage();
  return { wall: performance.now() / 1000, processor: (user + system) / 1e6 };
}

const since = (start: Spent, end = now()): Spent => ({
  wall: end.wall - start.wall,
  processor: end.processor - start.processor,
});

const fewest = (a: Spent, b: Spent): Spent => ({
  wall: Math.min(a.wall, b.wall),
  processor: Math.min(a.processor, b.processor),
});

const none: Spent = { wall: Number.POSITIVE_INFINITY, processor: Number.POSITIVE_INFINITY };
const operations = 2 * count * dimension * clusters;
const speedOf = ({ wall, processor }: Spent) =>
  `${(operations / wall / 1e9).toFixed(1)} GFLOP/s, ${(operations / processor / 1e9).toFixed(1)} per processor second`;

/** The product alone, all of it handed over, through the same sessions: time for as many rows as k-means has. */
async function bareProduct(options: ModelOptions, rows: number): Promise<Spent> {
  const points = input('points', 'float32', ['rows', dimension]);
  const centroids = input('centroids', 'float32', [dimension, clusters]);
  const graph = toModel({ name: 'product', inputs: [points, centroids], outputs: { y: matmul(points, centroids) } });
  const model = await models.load(graph, options);
  const random = new Random(1);
  const feeds = Array.from({ length: options.sessions + 1 }, () => ({
    points: floats(uniform(rows * dimension, random), [rows, dimension]),
    centroids: floats(uniform(dimension * clusters, random), [dimension, clusters]),
  }));
  const each = Math.ceil(count / 4 / rows / feeds.length);
  const lane = async (feed: Tensors) => {
    for (let i = 0, next = feed; i < each; i++) next = (await model.run(next)).feeds;
  };
  const start = now();
  await Promise.all(feeds.map(lane));
  const { wall, processor } = since(start);
  await model.release();
  const scale = count / (rows * each * feeds.length);
  return { wall: wall * scale, processor: processor * scale };
}

/** The quickest whole iteration, from one report to the next: assignment, sums, new centroids; and what came before. */
async function wholeIteration(points: VectorSet, seeding: 'random' | 'k-means++') {
  const reports: Spent[] = [];
  const start = now();
  const settings = { clusters, metric: 'euclidean', seed: 1, seeding, iterations, tolerance: 0 } as const;
  const reportIteration = () => reports.push(now());
  const source = blocksOf(points, rowsPerBlock(clusters));
  await runKmeans(source, { ...settings, reportIteration }, { models, tuning: { threads } });
  const iteration = reports
    .slice(1)
    .map((end, i) => since(reports[i]!, end))
    .reduce(fewest);
  return { iteration, before: since(start, reports[0]).wall - iteration.wall };
}

async function speed(): Promise<void> {
  const points = { data: uniform(count * dimension, new Random(2)), count, dimension };
  const bare = new Map<string, Spent>();
  let ours = none;
  for (let round = 0; round < rounds; round++) {
    for (const options of sessionShapes) {
      for (const rows of rowsPerProduct) {
        const name = `${rows} rows, ${options.sessions} x ${options.threadsPerSession} threads`;
        bare.set(name, fewest(bare.get(name) ?? none, await bareProduct(options, rows)));
      }
    }
    ours = fewest(ours, (await wholeIteration(points, 'random')).iteration);
  }
  for (const [name, spent] of bare) console.log(`bare MatMul, ${name}: ${speedOf(spent)}`);
  console.log(
    `whole iteration of ${count} x ${dimension}, k = ${clusters}: ${ours.wall.toFixed(2)} s, ${speedOf(ours)}`,
  );
  const best = [...bare.values()].reduce(fewest);
  const share = (key: keyof Spent) => `${((100 * best[key]) / ours[key]).toFixed(0)} %`;
  console.log(
    `share of the best bare MatMul: ${share('wall')} on the clock, ${share('processor')} in processor time (target 80 %)`,
  );
  const { before } = await wholeIteration(points, 'k-means++');
  console.log(`checking the vectors and k-means++ seeds: ${before.toFixed(2)} s`);
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
