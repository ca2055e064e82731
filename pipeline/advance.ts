/** Advance: reads which markers exist, says what may start next, and moves the state people see. */
import { keys } from '#core/job/keys';
import type { Plan } from '#core/job/plan';
import { countPieces, nextWave, type Wave } from '#core/job/progress';
import { fromJson, readJson, toJson } from './documents.ts';
import { failuresOf, readFailure } from './failures.ts';
import { markersOf } from './marker.ts';
import type { Message } from './messages.ts';
import type { ObjectStore, Ports } from './ports.ts';

/** What people and `GET /v1/jobs/<job>` see. */
export interface JobState {
  readonly job: string;
  /** The stage under way, `done`, or `failed`. */
  readonly stage: string;
  readonly stages: Readonly<Record<string, { done: number; total: number; failed: number }>>;
  readonly started: string;
  readonly updated: string;
  readonly error: string | null;
  /** Names the wave whose messages were sent last, so that only one advance sends them. */
  readonly claimed: string;
}

interface Wanted {
  /** Send the missing pieces even if their wave was claimed before: the queue has forgotten them. */
  readonly resume: boolean;
  /** Look for failures that the state does not know. */
  readonly look: boolean;
}

/**
 * Sends the messages of the next wave, once. Enqueue first, then compare and swap: a crash in between repeats messages,
 * which is harmless, and never loses them.
 */
export async function advance(
  ports: Pick<Ports, 'store' | 'clock'>,
  job: string,
  send: (messages: Message[]) => Promise<void>,
  { resume = false, look = false }: Partial<Wanted> = {},
): Promise<JobState> {
  const plan = await readJson<Plan>(ports.store, keys.plan(job));
  for (;;) {
    const current = await readState(ports.store, job);
    const done = await markersOf(ports.store, plan);
    // Whoever writes a failure down also says so in the state, unless it dies in between.
    const mayHaveFailed = look || current?.state.stage === 'failed';
    const failures = mayHaveFailed ? await failuresOf(ports.store, plan, done) : new Map<string, string>();
    const wave = nextWave(plan, done);
    const claim = wave ? claimOf(plan, wave) : 'done';
    if (wave && (resume || current?.state.claimed !== claim)) await send(messagesOf(job, wave));
    if (!wave && current?.state.stage === 'done') return current.state;
    const described = describe(ports, plan, done, wave, claim, current?.state);
    const state = await withFailures(ports.store, described, failures);
    if (await ports.store.swap(keys.state(job), toJson(state), current?.etag)) return state;
  }
}

/** Several waves may belong to one stage, so the claim names the kind of the wave's pieces too; the fingerprint tells settings apart. */
const claimOf = (plan: Plan, { stage, pieces }: Wave): string =>
  `${stage}/${plan.fingerprints[stage]}/${pieces[0]!.replace(/\d+$/, '')}`;

const messagesOf = (job: string, { stage, pieces }: Wave): Message[] =>
  pieces.map(piece => ({ v: 1, job, stage, piece }));

export async function readState(
  store: ObjectStore,
  job: string,
): Promise<{ state: JobState; etag: string } | undefined> {
  const found = await store.getTagged(keys.state(job));
  return found && { state: fromJson<JobState>(found.bytes), etag: found.etag };
}

function describe(
  ports: Pick<Ports, 'clock'>,
  plan: Plan,
  done: ReadonlySet<string>,
  wave: Wave | undefined,
  claimed: string,
  before?: JobState,
): JobState {
  const now = new Date(ports.clock.now()).toISOString();
  const stages = Object.fromEntries(
    Object.entries(countPieces(plan, done)).map(([stage, n]) => [stage, { ...n, failed: 0 }]),
  );
  return {
    job: plan.job,
    stage: wave?.stage ?? 'done',
    stages,
    started: before?.started ?? now,
    updated: now,
    error: null,
    claimed,
  };
}

/** While a piece has failed, so has the job: other pieces are finished, and nothing new begins. */
async function withFailures(
  store: ObjectStore,
  state: JobState,
  failures: ReadonlyMap<string, string>,
): Promise<JobState> {
  const [first] = failures.values();
  const failure = first && (await readFailure(store, first));
  if (!failure) return state;
  const stages = Object.entries(state.stages).map(([stage, counts]) => {
    const failed = [...failures.keys()].filter(piece => piece.startsWith(`${stage}/`)).length;
    return [stage, { ...counts, failed }] as const;
  });
  return { ...state, stage: 'failed', stages: Object.fromEntries(stages), error: failure.error };
}

/** Records why a job without a plan cannot go on. */
export async function failJob(ports: Pick<Ports, 'store' | 'clock'>, job: string, error: string): Promise<void> {
  for (;;) {
    const current = await readState(ports.store, job);
    const now = new Date(ports.clock.now()).toISOString();
    const before = current?.state ?? { job, stages: {}, started: now, claimed: '' };
    const state: JobState = { ...before, stage: 'failed', updated: now, error };
    if (await ports.store.swap(keys.state(job), toJson(state), current?.etag)) return;
  }
}
