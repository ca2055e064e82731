/** Status: reads where a job stands from its state, its plan and its markers. */
import { PermanentError } from '#core/errors';
import { keys } from '#core/job/keys';
import type { Plan } from '#core/job/plan';
import { countPieces } from '#core/job/progress';
import { imagePasses, type JobStatus, type Passes, rateOf } from '#core/job/status';
import type { JobState } from './advance.ts';
import { readState } from './advance.ts';
import { fromJson } from './documents.ts';
import { mapInOrder } from './in-flight.ts';
import { markersOf, readMarker } from './marker.ts';
import type { Clock, ObjectStore } from './ports.ts';

/** Markers read at the same time. */
const atOnce = 16;

/** Looks at one job again and again; what is known of finished pieces is not asked for twice. */
export class JobWatch {
  readonly #store: ObjectStore;
  readonly #clock: Clock;
  readonly #job: string;
  /** Rejected images by piece. */
  readonly #rejected = new Map<string, number>();
  #first: Passes | undefined;

  constructor(store: ObjectStore, clock: Clock, job: string) {
    this.#store = store;
    this.#clock = clock;
    this.#job = job;
  }

  /** @throws PermanentError if there is no such job */
  async look(): Promise<JobStatus> {
    const found = await readState(this.#store, this.#job);
    const bytes = await this.#store.get(keys.plan(this.#job));
    if (!found && !bytes && !(await this.#store.head(keys.request(this.#job))))
      throw new PermanentError(`there is no job ${this.#job}; selflabel submit starts one`);
    return bytes ? this.#planned(fromJson<Plan>(bytes), found?.state) : unplanned(this.#job, found?.state);
  }

  async #planned(plan: Plan, state: JobState | undefined): Promise<JobStatus> {
    const done = await markersOf(this.#store, plan);
    const { done: passed, total } = imagePasses(plan, done);
    const now = { at: this.#clock.now(), done: passed };
    const started = state ? Date.parse(state.started) : now.at;
    const ended = state && isOver(state.stage) ? Date.parse(state.updated) : now.at;
    // Seen for the first time, the job has its mean rate; watched, the rate since then.
    const watched = this.#first && rateOf(this.#first, now, total);
    this.#first ??= now;
    const mean = rateOf({ at: started, done: 0 }, { at: ended, done: passed }, total);
    return {
      job: plan.job,
      stage: state?.stage ?? 'plan',
      error: state?.error ?? null,
      images: plan.images,
      rejected: await this.#countRejected(plan, done),
      stages: Object.entries(countPieces(plan, done)).map(([stage, counts]) => ({
        stage,
        ...counts,
        failed: state?.stages[stage]?.failed ?? 0,
      })),
      seconds: Math.max(0, (ended - started) / 1000),
      ...(watched?.imagesPerSecond && !isOver(state?.stage ?? '') ? watched : mean),
    };
  }

  /** Every image is read by the first stage that goes over all of them. */
  async #countRejected(plan: Plan, done: ReadonlySet<string>): Promise<number> {
    const stage = plan.request.kind === 'run' ? 'embed' : 'label';
    const fresh = plan.shards.filter(shard => done.has(`${stage}/${shard}`) && !this.#rejected.has(shard));
    const count = async (shard: string) => {
      const { summary } = await readMarker<{ images: { state: string }[] }>(this.#store, plan, stage, shard);
      this.#rejected.set(shard, summary.images.filter(({ state }) => state === 'rejected').length);
    };
    for await (const _ of mapInOrder(fresh, atOnce, count));
    return plan.shards.reduce((sum, shard) => sum + (this.#rejected.get(shard) ?? 0), 0);
  }
}

export const isOver = (stage: string): boolean => stage === 'done' || stage === 'failed';

const unplanned = (job: string, state: JobState | undefined): JobStatus => ({
  job,
  stage: state?.stage ?? 'waiting',
  error: state?.error ?? null,
  images: null,
  rejected: 0,
  stages: [],
  seconds: 0,
  imagesPerSecond: null,
  secondsLeft: null,
});
