/** `npm run bench -- scale`: jobs of a million and of a hundred million images, planned and driven by the real planner and `advance`, on a bucket made of arithmetic. */
import { writeFileSync } from 'node:fs';
import { nodeDigest } from '#adapters/local/node-digest';
import { estimate, imagesPerTar, networkCosts, requestDollars } from '#core/job/estimate';
import { keys } from '#core/job/keys';
import type { Plan } from '#core/job/plan';
import { nextWave } from '#core/job/progress';
import { allRequests, type RequestCounts, stageRequests } from '#core/job/requests';
import type { Stage } from '#core/job/stage';
import { advance } from '#pipeline/advance';
import { fromJson, readJson, toJson } from '#pipeline/documents';
import { plan } from '#pipeline/plan';
import type { Ports } from '#pipeline/ports';
import { CountingStore } from './counting-store.ts';
import { SyntheticStore, syntheticPrefix } from './synthetic-store.ts';

const imageBytes = 110_000;
const dimension = 384;
const partBytes = 128 * 2 ** 20;
/** Finished pieces that one call of `advance` hears of (pipeline/settings: a batch of the control queue). */
const controlBatch = 100;

export interface Simulated {
  readonly images: number;
  readonly shards: number;
  readonly planSeconds: number;
  /** Highest heap while planning, beyond what was there before, after collecting garbage. */
  readonly planHeapBytes: number;
  readonly planned: RequestCounts;
  readonly advanced: RequestCounts;
  /** What the stages ask for, by the table that a test holds against a real job. */
  readonly stages: RequestCounts;
  readonly perThousand: number;
}

/** Plans the job, then drives it to its end with `advance`, pieces being done as they are sent. */
export async function simulate(images: number): Promise<Simulated> {
  const perTar = imagesPerTar(imageBytes);
  const synthetic = new SyntheticStore(images, perTar);
  await synthetic.put(keys.request('j'), toJson({ images: syntheticPrefix, clusters: 1000, sample: 100_000 }));
  const store = new CountingStore(synthetic, partBytes);
  const ports = { store, digest: nodeDigest, clock: { now: () => 0 } } as unknown as Ports;
  const started = performance.now();
  const heap = new HeapWatch();
  // Asked after every block: a good moment to look at the heap.
  await plan(ports, 'j', () => heap.look());
  const planSeconds = (performance.now() - started) / 1000;
  const planned: RequestCounts = { ...store.requests, sqs: 0 };
  const advanced = await drive(ports, synthetic, store);
  const { shards } = await readJson<Plan>(synthetic, keys.plan('j'));
  const layout = { images, shards: shards.length, perTar, embeddedBytes: 4 * dimension * 4, labelBytes: 3000 };
  const stages = stageRequests({ ...layout, partBytes, imagesPerSecond: 100 });
  return {
    images,
    shards: shards.length,
    planSeconds,
    planHeapBytes: heap.highest,
    planned,
    advanced,
    stages,
    perThousand: (1000 * [planned, stages, advanced].map(allRequests).reduce((a, b) => a + b)) / images,
  };
}

async function drive(ports: Ports, synthetic: SyntheticStore, store: CountingStore): Promise<RequestCounts> {
  const before = { ...store.requests };
  let sqs = 0;
  let waiting: { stage: Stage; piece: string }[] = [];
  const send = async (messages: readonly object[]) => {
    sqs += Math.ceil(messages.length / 10);
    waiting = messages as typeof waiting;
  };
  const document = fromJson<Plan>((await synthetic.get(keys.plan('j')))!);
  for (;;) {
    const state = await advance(ports, 'j', send);
    if (state.stage === 'done') break;
    const next = waiting.splice(0, controlBatch);
    if (!next.length) throw new Error(`nothing to do in stage ${state.stage}`);
    const markers = next.map(({ stage, piece }) => keys.marker('j', stage, document.fingerprints[stage], piece));
    synthetic.markers = [...synthetic.markers, ...markers].sort();
  }
  if (nextWave(document, new Set()) === undefined) throw new Error('the plan has no pieces');
  const { list, get, put } = store.requests;
  return { list: list - before.list, get: get - before.get, put: put - before.put, sqs };
}

class HeapWatch {
  readonly #before: number;
  highest = 0;
  #looks = 0;

  constructor() {
    globalThis.gc?.();
    this.#before = process.memoryUsage().heapUsed;
  }

  look(): true {
    // Collecting garbage takes longer than planning a block.
    if (this.#looks++ % 16 === 0) globalThis.gc?.();
    else return true;
    this.highest = Math.max(this.highest, process.memoryUsage().heapUsed - this.#before);
    return true;
  }
}

const sizes = [1_200_000, 10_000_000, 100_000_000];

export async function scale(): Promise<void> {
  const asked = process.env.SCALE_SIZES?.split(',').map(Number) ?? sizes;
  const lines: string[] = [];
  const say = (line: string) => {
    lines.push(line);
    console.log(line);
  };
  say('| images | shards | planning | heap | LIST | GET | PUT | SQS | per 1000 images | dollars for requests |');
  say('|---|---|---|---|---|---|---|---|---|---|');
  for (const images of asked) {
    const run = await simulate(images);
    const all = sumOf(sumOf(run.stages, run.advanced), run.planned);
    say(
      `| ${images.toLocaleString('en')} | ${run.shards} | ${run.planSeconds.toFixed(0)} s | ${Math.round(run.planHeapBytes / 1e6)} MB | ${all.list} | ${all.get} | ${all.put} | ${all.sqs} | ${run.perThousand.toFixed(2)} | $${requestDollars(all).toFixed(2)} |`,
    );
  }
  say('');
  say('| images | machines (g6.xlarge Spot) | hours | machines | requests | upload | all |');
  say('|---|---|---|---|---|---|---|');
  for (const images of asked) {
    const machines = images > 10_000_000 ? 50 : 10;
    const { hours, dollars } = estimate({
      images,
      imageBytes,
      dimension,
      gigaflops: networkCosts['vit-small'],
      instance: 'g6.xlarge',
      market: 'spot',
      machines,
      packed: true,
    });
    say(
      `| ${images.toLocaleString('en')} | ${machines} | ${hours.toFixed(1)} | $${dollars.machines.toFixed(2)} | $${dollars.requests.toFixed(2)} | $${dollars.upload.toFixed(2)} | $${dollars.total.toFixed(2)} |`,
    );
  }
  if (process.env.SCALE_OUT) writeFileSync(process.env.SCALE_OUT, `${lines.join('\n')}\n`);
}

const sumOf = (a: RequestCounts, b: RequestCounts): RequestCounts => ({
  list: a.list + b.list,
  get: a.get + b.get,
  put: a.put + b.put,
  sqs: a.sqs + b.sqs,
});
