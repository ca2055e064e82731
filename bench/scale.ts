/** `npm run bench -- scale`: jobs of a million and of a hundred million images, planned and driven by the real planner and `advance`, on a bucket made of arithmetic. */
import { writeFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { nodeDigest } from '#adapters/local/node-digest';
import { estimate, imagesPerTar, networkCosts, requestDollars } from '#core/job/estimate';
import { keys } from '#core/job/keys';
import type { Plan } from '#core/job/plan';
import { nextWave } from '#core/job/progress';
import { allRequests, type RequestCounts, stageRequests, usualPartBytes } from '#core/job/requests';
import type { Stage } from '#core/job/stage';
import { advance } from '#pipeline/advance';
import { fromJson, readJson, toJson } from '#pipeline/documents';
import { plan } from '#pipeline/plan';
import type { Ports } from '#pipeline/ports';
import { CountingStore } from './counting-store.ts';
import { SyntheticStore, syntheticPrefix } from './synthetic-store.ts';

const imageBytes = 110_000;
const dimension = 384;

export interface Simulated {
  readonly images: number;
  readonly shards: number;
  /** Of the processor: other programs on the machine do not count. */
  readonly planSeconds: number;
  /** Highest memory while planning, buffers too, beyond what was there before, after collecting garbage. */
  readonly planHeapBytes: number;
  /** Pieces done in the end: as many markers were written, each one PUT of those counted. */
  readonly markers: number;
  readonly planned: RequestCounts;
  readonly advanced: RequestCounts;
  /** What the stages ask for, by the table that a test holds against a real job. */
  readonly stages: RequestCounts;
  readonly perThousand: number;
}

/** Plans the job, then drives it to its end with `advance`, which hears of every finished piece by itself: more calls there cannot be. */
export async function simulate(images: number): Promise<Simulated> {
  const perTar = imagesPerTar(imageBytes);
  const synthetic = new SyntheticStore(images, perTar);
  await synthetic.put(keys.request('j'), toJson({ images: syntheticPrefix, clusters: 1000, sample: 100_000 }));
  const store = new CountingStore(synthetic, usualPartBytes);
  const ports = { store, digest: nodeDigest, clock: { now: () => 0 } } as unknown as Ports;
  const started = process.cpuUsage();
  const heap = new HeapWatch();
  // Asked after every block: a good moment to look at the heap.
  await plan(ports, 'j', () => heap.look());
  const { user, system } = process.cpuUsage(started);
  const planSeconds = (user + system) / 1e6;
  const planned: RequestCounts = { ...store.requests, sqs: 0 };
  const advanced = await drive(ports, synthetic, store);
  const { shards } = await readJson<Plan>(synthetic, keys.plan('j'));
  const layout = { images, shards: shards.length, perTar, embeddedBytes: 4 * dimension * 4, labelBytes: 3000 };
  const stages = stageRequests({ ...layout, partBytes: usualPartBytes, imagesPerSecond: 100 });
  return {
    images,
    shards: shards.length,
    planSeconds,
    planHeapBytes: heap.highest,
    markers: synthetic.markers.length,
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
    waiting = [...(messages as typeof waiting)].reverse();
  };
  const document = fromJson<Plan>((await synthetic.get(keys.plan('j')))!);
  for (;;) {
    const state = await advance(ports, 'j', send);
    if (state.stage === 'done') break;
    const next = waiting.pop();
    if (!next) throw new Error(`nothing to do in stage ${state.stage}`);
    const { stage, piece } = next;
    synthetic.markers.push(keys.marker('j', stage, document.fingerprints[stage], piece));
  }
  if (nextWave(document, new Set()) === undefined) throw new Error('the plan has no pieces');
  const { list, get, put } = store.requests;
  return { list: list - before.list, get: get - before.get, put: put - before.put, sqs };
}

class HeapWatch {
  readonly #before: number;
  readonly #collect: () => void;
  highest = 0;
  #looks = 0;

  constructor() {
    setFlagsFromString('--expose-gc');
    this.#collect = runInNewContext('gc') as () => void;
    this.#collect();
    this.#before = held();
  }

  look(): true {
    // Collecting garbage takes longer than planning a block.
    if (this.#looks++ % 16) return true;
    this.#collect();
    this.highest = Math.max(this.highest, held() - this.#before);
    return true;
  }
}

function held(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const sizes = [1_200_000, 10_000_000, 100_000_000];

export async function scale(): Promise<void> {
  const asked = process.env.SCALE_SIZES?.split(',').map(Number) ?? sizes;
  const lines: string[] = [];
  const say = (line: string) => {
    lines.push(line);
    console.log(line);
  };
  say('| images | shards | planning | memory | LIST | GET | PUT | of them markers | SQS | per 1000 images | dollars |');
  say('|---|---|---|---|---|---|---|---|---|---|---|');
  for (const images of asked) {
    const run = await simulate(images);
    const all = sumOf(sumOf(run.stages, run.advanced), run.planned);
    say(
      `| ${inEnglish(images)} | ${inEnglish(run.shards)} | ${run.planSeconds.toFixed(0)} s | ${Math.round(run.planHeapBytes / 1e6)} MB | ${inEnglish(all.list)} | ${inEnglish(all.get)} | ${inEnglish(all.put)} | ${inEnglish(run.markers)} | ${inEnglish(all.sqs)} | ${run.perThousand.toFixed(2)} | $${requestDollars(all).toFixed(3)} |`,
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
      `| ${inEnglish(images)} | ${machines} | ${hours.toFixed(1)} | $${dollars.machines.toFixed(2)} | $${dollars.requests.toFixed(2)} | $${dollars.upload.toFixed(2)} | $${dollars.total.toFixed(2)} |`,
    );
  }
  if (process.env.SCALE_OUT) writeFileSync(process.env.SCALE_OUT, `${lines.join('\n')}\n`);
}

const inEnglish = (number: number): string => number.toLocaleString('en');

const sumOf = (a: RequestCounts, b: RequestCounts): RequestCounts => ({
  list: a.list + b.list,
  get: a.get + b.get,
  put: a.put + b.put,
  sqs: a.sqs + b.sqs,
});
