/** Pieces that could not be done: written down beside the markers, so that the state of a job stays a function of what lies in the store. */
import { keys } from '#core/job/keys';
import type { Plan } from '#core/job/plan';
import { type Stage, stages } from '#core/job/stage';
import { fromJson, readJson, toJson } from './documents.ts';
import type { WorkMessage } from './messages.ts';
import type { ObjectStore, Ports } from './ports.ts';

export interface Failure {
  readonly stage: Stage;
  readonly piece: string;
  readonly error: string;
  readonly at: string;
}

/** Of the plan as it is now; an earlier one is replaced. */
export async function writeFailure(
  { store, clock }: Pick<Ports, 'store' | 'clock'>,
  { job, stage, piece }: WorkMessage,
  error: string,
): Promise<void> {
  const plan = await readJson<Plan>(store, keys.plan(job));
  const failure: Failure = { stage, piece, error, at: new Date(clock.now()).toISOString() };
  await store.put(keys.failure(job, stage, plan.fingerprints[stage], piece), toJson(failure));
}

/** Pieces of this plan that failed and were not done since, as `stage/piece`, with the key of what is known about each. */
export async function failuresOf(
  store: ObjectStore,
  plan: Plan,
  done: ReadonlySet<string>,
): Promise<Map<string, string>> {
  const failed = new Map<string, string>();
  const prefix = keys.failures(plan.job);
  for await (const key of store.keys(prefix)) {
    const [stage, file = ''] = key.slice(prefix.length).split('/') as [Stage, string?];
    if (!stages.includes(stage)) continue;
    const start = keys.failure(plan.job, stage, plan.fingerprints[stage], '').slice(prefix.length, -'.json'.length);
    const piece = file.slice(start.length - stage.length - 1, -'.json'.length);
    if (`${stage}/${file}`.startsWith(start) && !done.has(`${stage}/${piece}`)) failed.set(`${stage}/${piece}`, key);
  }
  return failed;
}

export async function readFailure(store: ObjectStore, key: string): Promise<Failure | undefined> {
  const bytes = await store.get(key);
  return bytes && fromJson<Failure>(bytes);
}
