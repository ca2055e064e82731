/**
 * k-means beside FAISS on the same vectors, first centroids and threads: `npm run bench -- kmeans-faiss`. Ours alone where
 * FAISS_PYTHON names no Python with faiss (how to get one: kmeans_faiss.py). BENCH_VECTORS, BENCH_CLUSTERS and BENCH_ITERATIONS ask for
 * other numbers than 1,000,000, 1000 and 20.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { OnnxRuntime } from '#adapters/onnxruntime/onnx-runtime';
import { randomRows } from '#core/clustering/seeding';
import { npyHeader, writeNpy } from '#core/formats/npy';
import { Random } from '#core/random';
import { runKmeans } from '#pipeline/kmeans';
import { blocksInMemory, gatherRows, rowsPerBlock } from '#pipeline/vector-source';

const [count, clusters] = [Number(process.env.BENCH_VECTORS ?? 1e6), Number(process.env.BENCH_CLUSTERS ?? 1000)];
const dimension = 384;
const iterations = Number(process.env.BENCH_ITERATIONS ?? 20);
const threads = availableParallelism();
const folder = '.bench/kmeans-faiss';

/**
 * How the vectors lie: the noise beside the heap's centre, as a share of its length. 1.1 leaves the heaps 0.45 of all
 * variance, as much as clusters of photos were seen to explain.
 */
const worlds = { 'unit vectors in heaps': 1.1, 'noise without structure': Number.POSITIVE_INFINITY };

/** Unit vectors around twice as many centres as there will be clusters; blocks that own their memory. */
function makeVectors(noise: number): Float32Array<ArrayBuffer>[] {
  const random = new Random(7);
  const draw = () => (random.uint32() + random.uint32()) / 2 ** 32 - 1;
  const heaps = 2 * clusters;
  const centres = Float32Array.from({ length: heaps * dimension }, draw);
  const rows = rowsPerBlock(clusters);
  const blocks: Float32Array<ArrayBuffer>[] = [];
  for (let at = 0; at < count; at += rows) {
    const block = new Float32Array(Math.min(rows, count - at) * dimension);
    for (let row = 0; row < block.length; row += dimension) {
      const centre = random.integer(heaps) * dimension;
      let square = 0;
      for (let i = 0; i < dimension; i++) {
        const value = Number.isFinite(noise) ? centres[centre + i]! + noise * draw() : draw();
        block[row + i] = value;
        square += value * value;
      }
      for (let i = 0; i < dimension; i++) block[row + i]! /= Math.sqrt(square);
    }
    blocks.push(block);
  }
  return blocks;
}

/** One iteration after the other, in seconds, with the objective after each. */
interface Course {
  readonly seconds: readonly number[];
  readonly objectives: readonly number[];
  /** Of all processors, over all iterations: what others do on the machine hardly changes it. */
  readonly processor: number;
}

async function ours(
  models: OnnxRuntime,
  blocks: Float32Array<ArrayBuffer>[],
): Promise<Course & { compared: number[] }> {
  const source = blocksInMemory(blocks, dimension);
  const seeding = await gatherRows(source, randomRows(count, clusters, new Random(3)));
  writeFileSync(
    `${folder}/seeds.npy`,
    writeNpy({ kind: 'float32', shape: [clusters, dimension], data: Float32Array.from(seeding.data) }),
  );
  const course = { seconds: [] as number[], objectives: [] as number[], compared: [] as number[], processor: 0 };
  const before = process.cpuUsage();
  let last = performance.now();
  await runKmeans(
    source,
    {
      clusters,
      metric: 'euclidean',
      seed: 1,
      seeding,
      iterations,
      tolerance: 0,
      reportIteration: (_, { objective, compared }) => {
        const now = performance.now();
        course.seconds.push((now - last) / 1000);
        course.objectives.push(objective);
        course.compared.push(compared);
        last = now;
        const { user, system } = process.cpuUsage(before);
        course.processor = (user + system) / 1e6;
      },
    },
    { models, tuning: { threads } },
  );
  return course;
}

function writePoints(blocks: readonly Float32Array<ArrayBuffer>[]): void {
  const file = openSync(`${folder}/points.npy`, 'w');
  writeSync(file, npyHeader('float32', [count, dimension]));
  for (const block of blocks) writeSync(file, new Uint8Array(block.buffer));
  closeSync(file);
}

function theirs(): (Course & { version: string }) | undefined {
  const python = process.env.FAISS_PYTHON;
  if (!python) return undefined;
  const words = ['bench/kmeans_faiss.py', folder, String(threads), String(iterations)];
  return JSON.parse(execFileSync(python, words, { encoding: 'utf8' })) as Course & { version: string };
}

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
const mean = (values: readonly number[]) => (sum(values) / values.length).toFixed(2);
const each = (values: readonly number[]) => values.map(value => value.toFixed(2)).join(' ');

/** Both stop when nothing moves any more, perhaps after different numbers of iterations: so per iteration. */
function figures(own: Course & { compared: readonly number[] }, other: Course | undefined): string[] {
  const compared = `${((100 * sum(own.compared)) / (count * own.compared.length)).toFixed(0)} %`;
  const processor = (course: Course) => (course.processor / course.seconds.length).toFixed(2);
  if (!other) return [mean(own.seconds), '–', '–', processor(own), '–', '–', '–', compared];
  const ratio = (a: string, b: string) => (Number(b) / Number(a)).toFixed(2);
  const [wall, theirWall, work, theirWork] = [mean(own.seconds), mean(other.seconds), processor(own), processor(other)];
  const objective = (own.objectives.at(-1)! / other.objectives.at(-1)!).toFixed(5);
  return [wall, theirWall, ratio(wall, theirWall), work, theirWork, ratio(work, theirWork), objective, compared];
}

export async function kmeansFaiss(): Promise<void> {
  mkdirSync(folder, { recursive: true });
  console.log(`${count} x ${dimension}, k = ${clusters}, ${iterations} iterations, ${threads} threads\n`);
  const head = [
    'vectors',
    's per iteration',
    'FAISS',
    'ratio',
    'processor s',
    'FAISS',
    'ratio',
    'objective',
    'compared',
  ];
  const rows = [`| ${head.join(' | ')} |`, `${head.map(() => '|---').join('')}|`];
  const models = new OnnxRuntime();
  for (const [name, noise] of Object.entries(worlds)) {
    const blocks = makeVectors(noise);
    const own = await ours(models, blocks);
    console.log(`${name}: ours ${each(own.seconds)}, compared ${own.compared.join(' ')}`);
    if (process.env.FAISS_PYTHON) writePoints(blocks.splice(0));
    const other = theirs();
    if (other) console.log(`${name}: FAISS ${other.version} ${each(other.seconds)}`);
    rows.push(`| ${[name, ...figures(own, other)].join(' | ')} |`);
  }
  await models.close();
  console.log(`\n${rows.join('\n')}`);
  rmSync(folder, { recursive: true, force: true });
}
