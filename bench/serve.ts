/**
 * The API beside what it cannot do without: decoding, the model and encoding in a bare loop, by turns in the same process.
 * Latency of one request at a time over a socket; throughput with 16 in flight; how late the event loop gets; memory.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { Agent, request as ask } from 'node:http';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { type HttpServer, listen } from '#adapters/http/http-server';
import { FolderStore } from '#adapters/local/folder-store';
import { nodeDigest } from '#adapters/local/node-digest';
import { systemClock } from '#adapters/local/system-clock';
import { OnnxRuntime } from '#adapters/onnxruntime/onnx-runtime';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { segmentsOf } from '#core/api/segments';
import { mapInOrder } from '#pipeline/in-flight';
import { type Labeller, labelImage, openPublished } from '#pipeline/labeller';
import type { Ports } from '#pipeline/ports';
import { type ServeApp, serveApp } from '#pipeline/serve/app';
import { folderModel } from '#pipeline/serve/model-source';
import { dataFolder, mobilenet, requireData, runOn } from './data.ts';

/** Requests per round; `SERVE_REQUESTS` for a short look. */
const requests = Number(process.env.SERVE_REQUESTS ?? 200);
const rounds = 5;
const inFlight = 16;
const size = { width: 500, height: 375 };

export async function serve(): Promise<void> {
  requireData();
  const folder = `${dataFolder}/segmentation/coco128/images`;
  await runOn(folder, '.bench/serve', { clusters: 50, backbone: mobilenet });
  const photos = await photosOf(folder);
  const world = await openWorld('.bench/serve/model');
  try {
    await coldStarts(photos[0]!);
    await oneAtATime(world, photos);
    await manyAtOnce(world, photos);
    await memory(world, photos);
  } finally {
    await world.close();
  }
}

interface World {
  readonly ports: Ports;
  readonly labeller: Labeller;
  readonly server: HttpServer;
  close(): Promise<void>;
}

/** The API and the bare loop have models of their own, made alike. */
async function openWorld(folder: string): Promise<World> {
  const [store, models, images] = [await FolderStore.open(folder), new OnnxRuntime(), new SharpCodec()];
  const tuning = { threads: availableParallelism() };
  const ports = { store, models, images, tuning } as unknown as Ports;
  const labeller = await openPublished(ports, '');
  const nothing = () => undefined;
  const app: ServeApp = serveApp({
    ...{ source: folderModel(store), models, images, tuning, digest: nodeDigest, clock: systemClock },
    ...{ imageBucket: nothing, newId: () => 'bench', log: nothing, note: nothing },
    fetchUrl: async () => ({ kind: 'too-large' }),
  });
  const server = await listen(app, { port: 0, host: '127.0.0.1' });
  return {
    ...{ ports, labeller, server },
    async close() {
      await server.stop(1);
      await app.close();
      await models.close();
    },
  };
}

/** JPEGs of 500 × 375. */
async function photosOf(folder: string): Promise<Uint8Array[]> {
  const images = new SharpCodec();
  const photos: Uint8Array[] = [];
  for (const name of readdirSync(folder).slice(0, 10)) {
    const { image } = await images.decode(readFileSync(join(folder, name)), () => size);
    photos.push(await images.encodeJpeg(image, 90));
  }
  mkdirSync('.bench', { recursive: true });
  return photos;
}

/** Imports the runtime, opens a session and runs it once, with nothing around it. */
const bareStart = `
  const { InferenceSession, Tensor } = await import('onnxruntime-node');
  const session = await InferenceSession.create('.bench/serve/model/model.onnx');
  await session.run({ image: new Tensor('float32', new Float32Array(3 * 256 * 352), [1, 3, 256, 352]) });
`;

/** From the start of a process to its first answer, beside the runtime's own start. Needs `npm run build`. */
async function coldStarts(photo: Uint8Array): Promise<void> {
  const ratios: number[] = [];
  for (let i = 0; i < rounds; i++) {
    const started = performance.now();
    await once(spawn(process.execPath, ['--input-type=module', '-e', bareStart], { stdio: 'inherit' }), 'exit');
    const bareTime = performance.now() - started;
    const time = await firstAnswer(photo);
    ratios.push(time / bareTime);
    console.log(`bare start ${bareTime.toFixed(0)} ms, first answer ${time.toFixed(0)} ms`);
  }
  console.log(`cold start, median of ${rounds}: ${median(ratios).toFixed(2)} times the bare one (below 1.5)`);
}

async function firstAnswer(photo: Uint8Array): Promise<number> {
  const started = performance.now();
  const words = ['dist/selflabel.mjs', 'serve', '.bench/serve/model', '--port', '0', '--quiet'];
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  for await (const text of child.stderr) {
    said += text;
    if (said.includes('serving')) break;
  }
  const [, url] = /on (http:\S+)/.exec(said) ?? [];
  if (!url) throw new Error(said);
  const headers = { 'content-type': 'image/jpeg' };
  const answer = await fetch(`${url}/v1/segment`, { method: 'POST', headers, body: photo as Uint8Array<ArrayBuffer> });
  await answer.arrayBuffer();
  const time = performance.now() - started;
  child.kill();
  await once(child, 'exit');
  return time;
}

/** What every answer needs: decoding, the model with its decision, and the document. */
async function bare({ ports, labeller }: World, photo: Uint8Array): Promise<void> {
  const { image } = await ports.images.decode(photo);
  const { map, confidence } = await labelImage(ports, labeller, image);
  JSON.stringify(
    segmentsOf(map, ({ count }) => new Float64Array(count).fill(confidence), { rle: true, polygons: false }),
  );
}

const agent = new Agent({ keepAlive: true });

const asked = ({ server }: World, body: Uint8Array): Promise<void> =>
  new Promise((resolve, reject) => {
    const headers = { 'content-type': 'image/jpeg', 'content-length': body.length };
    const options = { agent, port: server.port, host: '127.0.0.1', path: '/v1/segment', method: 'POST', headers };
    const request = ask(options, answer => {
      if (answer.statusCode !== 200) reject(new Error(`answered ${answer.statusCode}`));
      answer.resume().on('end', resolve);
    });
    request.on('error', reject).end(body);
  });

type Work = (world: World, photo: Uint8Array) => Promise<void>;

async function latencies(world: World, photos: readonly Uint8Array[], work: Work): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < requests; i++) {
    const started = performance.now();
    await work(world, photos[i % photos.length]!);
    times.push(performance.now() - started);
  }
  return times.sort((a, b) => a - b);
}

const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
const median = (values: readonly number[]): number =>
  quantile(
    [...values].sort((a, b) => a - b),
    0.5,
  );

async function oneAtATime(world: World, photos: readonly Uint8Array[]): Promise<void> {
  const ratios = { p50: [] as number[], p99: [] as number[] };
  await latencies(world, photos, bare);
  await latencies(world, photos, asked);
  for (let i = 0; i < rounds; i++) {
    const [loop, api] = [await latencies(world, photos, bare), await latencies(world, photos, asked)];
    ratios.p50.push(quantile(api, 0.5) / quantile(loop, 0.5));
    ratios.p99.push(quantile(api, 0.99) / quantile(loop, 0.99));
    console.log(
      `bare loop p50 ${quantile(loop, 0.5).toFixed(1)} ms, p99 ${quantile(loop, 0.99).toFixed(1)} ms; POST /v1/segment p50 ${quantile(api, 0.5).toFixed(1)} ms, p99 ${quantile(api, 0.99).toFixed(1)} ms`,
    );
  }
  console.log(
    `latency, median of ${rounds}: p50 ${median(ratios.p50).toFixed(3)} times the bare loop (at most 1.10), p99 ${median(ratios.p99).toFixed(3)} (at most 1.3)`,
  );
}

async function rate(world: World, photos: readonly Uint8Array[], atOnce: number, work: Work): Promise<number> {
  const started = performance.now();
  const all = Array.from({ length: requests }, (_, i) => photos[i % photos.length]!);
  for await (const _ of mapInOrder(all, atOnce, photo => work(world, photo)));
  return (requests * 1000) / (performance.now() - started);
}

async function manyAtOnce(world: World, photos: readonly Uint8Array[]): Promise<void> {
  const ratios: number[] = [];
  const delays: number[] = [];
  for (let i = 0; i < rounds; i++) {
    const loop = await rate(world, photos, availableParallelism() + 1, bare);
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    const api = await rate(world, photos, inFlight, asked);
    delay.disable();
    ratios.push(api / loop);
    delays.push(delay.percentile(99) / 1e6);
    console.log(`bare loop ${loop.toFixed(1)} images/s, ${inFlight} in flight ${api.toFixed(1)} images/s`);
  }
  console.log(
    `throughput, median of ${rounds}: ${median(ratios).toFixed(3)} times the bare loop (at least 0.9); p99 event-loop delay ${median(delays).toFixed(1)} ms (at most 20)`,
  );
}

async function memory(world: World, photos: readonly Uint8Array[]): Promise<void> {
  const before = process.memoryUsage().rss;
  const total = Number(process.env.SERVE_MEMORY_REQUESTS ?? 20_000);
  const all = Array.from({ length: total }, (_, i) => photos[i % photos.length]!);
  for await (const _ of mapInOrder(all, inFlight, photo => asked(world, photo)));
  const after = process.memoryUsage().rss;
  const megabytes = (bytes: number) => (bytes / 2 ** 20).toFixed(0);
  console.log(`memory: ${megabytes(before)} MB before ${total} requests, ${megabytes(after)} MB after`);
}
