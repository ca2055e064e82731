/** How planner, workers, advance and sweeper play together: hundreds of schedules, in which anybody may die between any two requests. */
import { expect, it } from 'vitest';
import { MemoryQueue } from '#adapters/local/memory-queue';
import { Crash, MemoryStore } from '#adapters/local/memory-store';
import { nodeDigest } from '#adapters/local/node-digest';
import { keys } from '#core/job/keys';
import type { Plan } from '#core/job/plan';
import { waves } from '#core/job/progress';
import { Random } from '#core/random';
import { readState } from '#pipeline/advance';
import { advanceBatch } from '#pipeline/advance-batch';
import { readJson, toJson } from '#pipeline/documents';
import { finishPiece, hasMarker, type Marker, outputKey } from '#pipeline/marker';
import { parseMessage } from '#pipeline/messages';
import type { ObjectStore, Ports, Queue } from '#pipeline/ports';
import type { Queues } from '#pipeline/queues';
import { SliceOver, workInSlices } from '#pipeline/slices';
import { startJobs } from '#pipeline/start-job';
import { sweep } from '#pipeline/sweep';

const seeds = 200;
const images = 10;
const restarts = 4;
/** A dozen deaths, from the job's beginning to its end. */
const deathsPerTurn = 0.012;
const job = 'j';

/** Lets one of those who wait do its next request, chosen by chance; some die instead. */
class Turns {
  readonly #random: Random;
  readonly #waiting: { who: string; go: () => void; die: () => void }[] = [];
  #resting: (() => void)[] = [];
  #deaths: number;
  /** Who did something, in order. */
  schedule = '';

  constructor(seed: number, deaths: number) {
    this.#random = new Random(seed);
    this.#deaths = deaths;
  }

  turn(who: string): Promise<void> {
    return new Promise((go, reject) => {
      this.#waiting.push({ who, go, die: () => reject(new Crash(`${who} died`)) });
    });
  }

  /** Somebody who has nothing to do looks again after a while, or when all have nothing to do. */
  rest(): Promise<void> {
    return new Promise(resolve => this.#resting.push(resolve));
  }

  /** `asleep`: all were resting and look again now. */
  async next(): Promise<'acted' | 'asleep' | 'ended'> {
    await new Promise(setImmediate);
    const asleep = this.#waiting.length === 0;
    if (asleep && this.#resting.length === 0) return 'ended';
    if (asleep || this.#random.uniform() < 0.02) for (const wake of this.#resting.splice(0)) wake();
    if (asleep) return 'asleep';
    const [chosen] = this.#waiting.splice(Math.floor(this.#random.uniform() * this.#waiting.length), 1);
    if (!chosen) return 'ended';
    this.schedule += chosen.who;
    if (this.#deaths > 0 && this.#random.uniform() < deathsPerTurn) {
      this.#deaths--;
      this.schedule += '!';
      chosen.die();
    } else chosen.go();
    return 'acted';
  }
}

const changes = new Set(['putNew', 'swap', 'put', 'send', 'delete']);

/** The same store or queue, each request of it a turn; one that changes something may also be cut off from its answer. */
function inTurns<T extends object>(real: T, who: string, turns: Turns): T {
  return new Proxy(real, {
    get(target, name) {
      const value = Reflect.get(target, name) as unknown;
      if (typeof value !== 'function') return value;
      if (name === 'list' || name === 'keys')
        return async function* (...args: unknown[]) {
          await turns.turn(who);
          yield* value.apply(target, args) as AsyncIterable<unknown>;
        };
      return async (...args: unknown[]) => {
        await turns.turn(who);
        const result = (await value.apply(target, args)) as unknown;
        if (changes.has(String(name))) await turns.turn(who);
        return result;
      };
    },
  });
}

interface World {
  readonly store: MemoryStore;
  readonly plan: MemoryQueue;
  readonly work: MemoryQueue;
  readonly control: MemoryQueue;
  readonly turns: Turns;
  readonly clock: { now: () => number };
}

function portsOf({ store, turns, clock }: World, who: string): Ports {
  const none = new Proxy({}, { get: (_, name) => expect.unreachable(`nobody needs ${String(name)} here`) });
  const rest = { models: none as Ports['models'], images: none as Ports['images'], tuning: { threads: 1 }, place: 'm' };
  const log = { progress: () => undefined, note: () => undefined };
  return { ...rest, store: inTurns<ObjectStore>(store, who, turns), digest: nodeDigest, clock, log };
}

type Act = (ports: Ports, body: string) => Promise<void>;

/** Steps of a piece that takes long: a slice each. */
const longSteps = 4;

/**
 * What stands for every stage: one output that tells who wrote it, then the marker, then word to advance. A restart of k-means
 * takes long: it stores how far it is, and goes on with another message.
 */
const pieceOf =
  (queues: Queues, who: string): Act =>
  async (ports, body) => {
    const message = parseMessage(body);
    if (message.stage === 'advance' || message.stage === 'plan') throw new Error(`${message.stage} among the work`);
    const { job, stage, piece } = message;
    const plan = await readJson<Plan>(ports.store, keys.plan(job));
    const act = async () => {
      const checkpoint = outputKey(plan, stage, piece, 'checkpoint');
      if (piece.startsWith('restart-')) {
        const done = 1 + ((await ports.store.get(checkpoint))?.[0] ?? 0);
        await ports.store.put(checkpoint, Uint8Array.of(done));
        if (done < longSteps) throw new SliceOver(piece);
      }
      await finishPiece(ports, plan, stage, piece, { json: toJson({ who, at: ports.clock.now() }) }, {}, 0);
      if (piece.startsWith('restart-')) await ports.store.delete(checkpoint);
    };
    const isDone =
      (await hasMarker(ports.store, plan, stage, piece)) || (await workInSlices(ports, queues, plan, message, act));
    if (isDone) await queues.control.send([JSON.stringify({ v: 1, job, stage: 'advance' })]);
  };

/** One process after the other, each until it dies, until all is over. */
async function live(world: World, who: string, queue: MemoryQueue, act: Act, isOver: () => boolean): Promise<void> {
  const own = inTurns<Queue>(queue, who, world.turns);
  while (!isOver()) {
    try {
      const [message] = await own.receive(1, 0);
      if (!message) {
        await world.turns.rest();
        continue;
      }
      await act(portsOf(world, who), message.body);
      await own.delete(message.receipt);
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
    }
  }
}

async function play(seed: number): Promise<{ schedule: string; slices: number }> {
  let now = 0;
  const clock = { now: () => now };
  const queue = (n: number) =>
    new MemoryQueue({ clock, visibilitySeconds: 30, disorder: { seed: seed * 4 + n, twice: 0.3 } });
  const turns = new Turns(seed, 12);
  const world: World = { store: new MemoryStore(), plan: queue(0), work: queue(1), control: queue(2), turns, clock };
  const { store } = world;
  for (let i = 0; i < images; i++) await store.put(`datasets/d/${i}.jpg`, Uint8Array.of(i));
  await store.put(keys.request(job), toJson({ images: 'datasets/d/', restarts }));
  const event = JSON.stringify({ Records: [{ s3: { object: { key: keys.request(job) } } }] });
  await world.plan.send([event, event]);
  let over = false;
  const isOver = () => over;
  let slices = 0;
  const send = world.work.send.bind(world.work);
  world.work.send = async bodies => {
    slices += bodies.filter(body => body.includes('"slice"')).length;
    return send(bodies);
  };
  const queuesOf = (who: string) => ({
    work: (stage: string) => inTurns<Queue>(stage === 'plan' ? world.plan : world.work, who, turns),
    control: inTurns<Queue>(world.control, who, turns),
  });
  const planner: Act = async (ports, body) => {
    for (const { outcome } of await startJobs(ports, queuesOf('p'), body)) expect(outcome).toBe('planned');
  };
  const advancer =
    (who: string): Act =>
    async (ports, body) => {
      const [outcome] = await advanceBatch(ports, queuesOf(who), [{ id: '1', body }]);
      // A batch tells of a failure instead of throwing it; a process that died tells nothing.
      if (outcome?.error) throw new Crash(outcome.error);
    };
  const sweeper = async () => {
    while (!over) {
      await turns.rest();
      await sweep(portsOf(world, 's'), queuesOf('s'), world.work).catch(() => undefined);
    }
  };
  const everybody = Promise.all([
    live(world, 'p', world.plan, planner, isOver),
    ...['a', 'b'].map(who => live(world, who, world.control, advancer(who), isOver)),
    ...['x', 'y', 'z'].map(who => live(world, who, world.work, pieceOf(queuesOf(who), who), isOver)),
    sweeper().catch(() => undefined),
  ]);
  for (let steps = 0; ; steps++) {
    if (steps > 60_000) throw new Error(`seed ${seed}: the job never ends`);
    const happened = await turns.next();
    if (happened === 'ended') break;
    now += happened === 'asleep' ? 31_000 : 100;
    const size = world.plan.size + world.work.size + world.control.size;
    over ||= size === 0 && (await readState(store, job))?.state.stage === 'done';
  }
  await everybody;
  await assertWhole(store);
  return { schedule: turns.schedule, slices };
}

/** Every piece has its marker, every marker describes what lies there, and the state says done. */
async function assertWhole(store: MemoryStore): Promise<void> {
  const plan = await readJson<Plan>(store, keys.plan(job));
  for (const { stage, pieces } of waves(plan)) {
    for (const piece of pieces) {
      const marker = await readJson<Marker>(store, keys.marker(job, stage, plan.fingerprints[stage], piece));
      for (const { key, sha256 } of marker.outputs) expect(nodeDigest.sha256((await store.get(key))!)).toBe(sha256);
    }
  }
  const { state } = (await readState(store, job))!;
  expect(state).toMatchObject({ stage: 'done', error: null });
  for (const { done, total, failed } of Object.values(state.stages)) expect([done, failed]).toEqual([total, 0]);
}

it(`ends whole in ${seeds} schedules`, { timeout: 300_000 }, async () => {
  const schedules = new Set<string>();
  let [turns, deaths, slices] = [0, 0, 0];
  for (let seed = 1; seed <= seeds; seed++) {
    const { schedule, slices: sent } = await play(seed);
    slices += sent;
    schedules.add(schedule);
    deaths += schedule.split('!').length - 1;
    turns += schedule.length;
  }
  console.log(
    `${schedules.size} schedules explored: ${turns} requests in turn, ${deaths} deaths, ${slices} slices sent`,
  );
  expect(schedules.size).toBe(seeds);
  expect(deaths).toBeGreaterThan(seeds);
  // Messages that come twice do not go on in pairs: hardly more slices are asked for than there are.
  expect(slices).toBeLessThan(1.02 * seeds * restarts * (longSteps - 1));
});
