/**
 * The API beside what it cannot do without: decoding, the model and encoding in a bare loop, by turns. The built `selflabel serve`
 * runs as a process of its own. Cold start; latency of one request at a time over a socket; throughput with 16 in flight;
 * how late its event loop gets; its memory after many requests and after hostile ones.
 *
 * `SERVE_PARTS` names what to measure, with commas; `SERVE_MODEL` a model to use in place of a fresh one; `SERVE_REQUESTS` and
 * `SERVE_MEMORY_REQUESTS` how many requests.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { FolderStore } from '#adapters/local/folder-store';
import { OnnxRuntime } from '#adapters/onnxruntime/onnx-runtime';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { segmentsOf } from '#core/api/segments';
import { mapInOrder } from '#pipeline/in-flight';
import { type Labeller, labelImage, openPublished } from '#pipeline/labeller';
import type { Ports } from '#pipeline/ports';
import { dataFolder, median, mobilenet, requireData, runOn } from './data.ts';
import { hostileRequests } from './serve-hostile.ts';
import { post, type ServeProcess, startIdle, startServe } from './serve-process.ts';

const requests = Number(process.env.SERVE_REQUESTS ?? 200);
const memoryRequests = Number(process.env.SERVE_MEMORY_REQUESTS ?? 20_000);
const rounds = 5;
const hostileCount = 5000;
const hostileRounds = 3;
const inFlight = 16;
const size = { width: 500, height: 375 };

const parts = { cold, latency, throughput, memory, hostile };

/** What a measurement works with. */
interface World {
  readonly model: string;
  /** JPEGs of 500 × 375. */
  readonly photos: readonly Uint8Array[];
  readonly ports: Ports;
  readonly labeller: Labeller;
  readonly server: ServeProcess;
}

export async function serve(): Promise<void> {
  requireData();
  const folder = `${dataFolder}/segmentation/coco128/images`;
  const model = process.env.SERVE_MODEL ?? (await freshModel(folder));
  const [models, images, store] = [new OnnxRuntime(), new SharpCodec(), await FolderStore.open(model)];
  const ports = {
    store,
    models,
    images,
    tuning: { threads: availableParallelism(), promptly: true },
  } as unknown as Ports;
  const photos = await photosOf(images, folder);
  const wanted = process.env.SERVE_PARTS?.split(',') ?? Object.keys(parts);
  try {
    const labeller = await openPublished(ports, '');
    for (const name of wanted) {
      const server = await startServe(model);
      await parts[name as keyof typeof parts]({ model, photos, ports, labeller, server });
      await server.stop();
    }
  } finally {
    await models.close();
  }
}

async function freshModel(folder: string): Promise<string> {
  await runOn(folder, '.bench/serve', { clusters: 50, backbone: mobilenet });
  return '.bench/serve/model';
}

async function photosOf(images: SharpCodec, folder: string): Promise<Uint8Array[]> {
  const photos: Uint8Array[] = [];
  for (const name of readdirSync(folder).slice(0, 10)) {
    const { image } = await images.decode(readFileSync(join(folder, name)), () => size);
    photos.push(await images.encodeJpeg(image, 90));
  }
  mkdirSync('.bench', { recursive: true });
  return photos;
}

/** Imports the runtime, opens a session and runs it once, with nothing around it. */
const bareStart = (model: string) => `
  const { InferenceSession, Tensor } = await import('onnxruntime-node');
  const session = await InferenceSession.create(${JSON.stringify(`${model}/model.onnx`)});
  await session.run({ image: new Tensor('float32', new Float32Array(3 * 256 * 352), [1, 3, 256, 352]) });
`;

/** From the start of a process to its first answer, beside the runtime's own start. */
async function cold({ model, photos }: World): Promise<void> {
  const ratios: number[] = [];
  for (let i = 0; i < rounds; i++) {
    const bareTime = await timed(async () => {
      await once(
        spawn(process.execPath, ['--input-type=module', '-e', bareStart(model)], { stdio: 'inherit' }),
        'exit',
      );
    });
    let server: ServeProcess | undefined;
    const time = await timed(async () => {
      server = await startServe(model, false);
      await segment(server, photos[0]!);
    });
    await server!.stop();
    ratios.push(time / bareTime);
    console.log(`bare start ${bareTime.toFixed(0)} ms, first answer ${time.toFixed(0)} ms`);
  }
  console.log(`cold start, median of ${rounds}: ${median(ratios).toFixed(2)} times the bare one (below 1.5)`);
}

async function timed(work: () => Promise<void>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

type Work = (world: World, photo: Uint8Array) => Promise<void>;

/** What every answer needs: decoding, the model with its decision, and the document. */
const bare: Work = async ({ ports, labeller }, photo) => {
  const { image } = await ports.images.decode(photo);
  const { map, confidence } = await labelImage(ports, labeller, image);
  JSON.stringify(
    segmentsOf(map, ({ count }) => new Float64Array(count).fill(confidence), { rle: true, polygons: false }),
  );
};

async function segment(server: ServeProcess, photo: Uint8Array): Promise<void> {
  const status = await post(server.port, '/v1/segment', 'image/jpeg', photo);
  if (status !== 200) throw new Error(`answered ${status}`);
}

const asked: Work = ({ server }, photo) => segment(server, photo);

async function times(world: World, work: Work): Promise<number[]> {
  const all: number[] = [];
  for (let i = 0; i < requests; i++) {
    all.push(await timed(() => work(world, world.photos[i % world.photos.length]!)));
  }
  return all.sort((a, b) => a - b);
}

const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;

async function latency(world: World): Promise<void> {
  const ratios = { p50: [] as number[], p99: [] as number[] };
  await times(world, bare);
  await times(world, asked);
  for (let i = 0; i < rounds; i++) {
    const [loop, api] = [await times(world, bare), await times(world, asked)];
    ratios.p50.push(quantile(api, 0.5) / quantile(loop, 0.5));
    ratios.p99.push(quantile(api, 0.99) / quantile(loop, 0.99));
    const figures = (sorted: readonly number[]) =>
      `p50 ${quantile(sorted, 0.5).toFixed(1)} ms, p99 ${quantile(sorted, 0.99).toFixed(1)} ms`;
    console.log(`bare loop ${figures(loop)}; POST /v1/segment ${figures(api)}`);
  }
  console.log(
    `latency, median of ${rounds}: p50 ${median(ratios.p50).toFixed(3)} times the bare loop (at most 1.10), p99 ${median(ratios.p99).toFixed(3)} (at most 1.3)`,
  );
}

/** Images per second. */
async function rate(world: World, count: number, atOnce: number, work: Work): Promise<number> {
  const all = Array.from({ length: count }, (_, i) => world.photos[i % world.photos.length]!);
  const time = await timed(async () => {
    for await (const _ of mapInOrder(all, atOnce, photo => work(world, photo)));
  });
  return (count * 1000) / time;
}

async function throughput(world: World): Promise<void> {
  const ratios: number[] = [];
  const delays: number[] = [];
  const idle = startIdle();
  await rate(world, requests, inFlight, asked);
  for (let i = 0; i < rounds; i++) {
    const loop = await rate(world, requests, availableParallelism() + 1, bare);
    await Promise.all([world.server.vitals(), idle.vitals()]);
    const api = await rate(world, requests, inFlight, asked);
    const [{ delay }, { delay: unavoidable }] = await Promise.all([world.server.vitals(), idle.vitals()]);
    ratios.push(api / loop);
    delays.push(delay);
    console.log(
      `bare loop ${loop.toFixed(1)} images/s, ${inFlight} in flight ${api.toFixed(1)} images/s, p99 event-loop delay ${delay.toFixed(1)} ms, of an idle process ${unavoidable.toFixed(1)} ms`,
    );
  }
  await idle.stop();
  console.log(
    `throughput, median of ${rounds}: ${median(ratios).toFixed(3)} times the bare loop (at least 0.9); p99 event-loop delay ${median(delays).toFixed(1)} ms (at most 20)`,
  );
}

const megabytes = async ({ server }: World): Promise<string> =>
  `${((await server.vitals()).rss / 2 ** 20).toFixed(0)} MB`;

/** After each tenth of the requests. */
async function memory(world: World): Promise<void> {
  console.log(`memory before: ${await megabytes(world)}`);
  for (let i = 1; i <= 10; i++) {
    await rate(world, memoryRequests / 10, inFlight, asked);
    console.log(`after ${(i * memoryRequests) / 10} requests: ${await megabytes(world)}`);
  }
}

async function hostile(world: World): Promise<void> {
  await rate(world, requests, inFlight, asked);
  const before = await megabytes(world);
  console.log(`memory before: ${before}`);
  // What is only kept ready is taken once: another time adds nothing.
  for (let i = 0; i < hostileRounds; i++) {
    const answers = await hostileRequests(world.server.port, hostileCount, world.photos[0]!);
    const after = await megabytes(world);
    await rate(world, requests, inFlight, asked);
    const words = [...answers].map(([status, count]) => `${count} × ${status}`).join(', ');
    console.log(`${hostileCount} hostile requests: ${words}`);
    console.log(`memory ${after} after them, ${await megabytes(world)} after ${requests} usual requests`);
  }
}
