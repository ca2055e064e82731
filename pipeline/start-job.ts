/** A request has arrived: the job is planned, or its state says what is wrong with the request. */
import { PermanentError } from '#core/errors';
import { keys } from '#core/job/keys';
import { isJobName } from '#core/job/request';
import { failJob, type JobState, readState } from './advance.ts';
import { toJson } from './documents.ts';
import { writeFailure } from './failures.ts';
import { parseMessage } from './messages.ts';
import { plan } from './plan.ts';
import type { ObjectStore, Ports } from './ports.ts';
import type { Queues } from './queues.ts';
import { type CreatedObject, parseS3Event } from './s3-event.ts';

export interface Started {
  readonly job: string | undefined;
  /** `planned`, `unfinished` (a message to go on is on its way), `refused`, or `ignored`: not a request at all. */
  readonly outcome: 'planned' | 'unfinished' | 'refused' | 'ignored';
  readonly reason?: string;
}

/** More is no request. */
const largestRequest = 2 ** 20;

/**
 * @param body what S3 sends, or a message of stage plan
 * @param goesOn asked between blocks of a long listing; false: stop, and send a message to go on
 * @returns one outcome per request; what is refused need not come again
 * @throws whatever may pass when tried again
 */
export async function startJobs(
  ports: Ports,
  queues: Queues,
  body: string,
  goesOn: () => boolean = () => true,
): Promise<Started[]> {
  const started: Started[] = [];
  for (const job of jobsOf(body))
    started.push(typeof job === 'string' ? await startJob(ports, queues, job, goesOn) : job);
  return started;
}

function jobsOf(body: string): (string | Started)[] {
  const document: unknown = JSON.parse(body);
  if (typeof document !== 'object' || document === null || !('stage' in document))
    return parseS3Event(document).map(requestedJob);
  const message = parseMessage(body);
  if (message.stage !== 'plan') throw new PermanentError(`a message of stage ${message.stage} in the queue of plan`);
  return [message.job];
}

/** Only `jobs/<name>/request.json` starts a job. */
function requestedJob({ key }: CreatedObject): string | Started {
  const [, name] = /^jobs\/([^/]+)\/request\.json$/.exec(key) ?? [];
  if (name !== undefined && isJobName(name)) return name;
  const reason = `${key} starts no job: expected jobs/<name>/request.json, the name of letters, digits, ".", "_" and "-"`;
  return { job: undefined, outcome: 'ignored', reason };
}

async function startJob(ports: Ports, queues: Queues, job: string, goesOn: () => boolean): Promise<Started> {
  try {
    const resume = await announce(ports, job);
    await assertSmall(ports.store, keys.request(job));
    if (!(await plan(ports, job, goesOn))) {
      await queues.work('plan').send([JSON.stringify({ v: 1, job, stage: 'plan', piece: 'plan' })]);
      return { job, outcome: 'unfinished' };
    }
    await forgetRefusals(ports.store, job);
    await ports.store.put(keys.running(job), toJson({ job }));
    await queues.control.send([JSON.stringify({ v: 1, job, stage: 'advance', ...(resume && { resume }) })]);
    return { job, outcome: 'planned' };
  } catch (error) {
    if (!(error instanceof PermanentError)) throw error;
    await refuse(ports, job, error.message);
    return { job, outcome: 'refused', reason: error.message };
  }
}

/** A job that runs already goes on as it was planned, but its state keeps saying what is wrong with the new request. */
async function refuse(ports: Ports, job: string, reason: string): Promise<void> {
  if (await ports.store.head(keys.plan(job)))
    await writeFailure(ports, { v: 1, job, stage: 'plan', piece: 'request' }, reason);
  await failJob(ports, job, reason);
}

async function forgetRefusals(store: ObjectStore, job: string): Promise<void> {
  for await (const key of store.keys(`${keys.failures(job)}plan/`)) await store.delete(key);
}

/** People see at once that the request has arrived. True for a job that had failed: its missing pieces are wanted again. */
async function announce({ store, clock }: Pick<Ports, 'store' | 'clock'>, job: string): Promise<boolean> {
  const now = new Date(clock.now()).toISOString();
  const state: JobState = { job, stage: 'plan', stages: {}, started: now, updated: now, error: null, claimed: '' };
  if (await store.swap(keys.state(job), toJson(state), undefined)) return false;
  return (await readState(store, job))?.state.stage === 'failed';
}

async function assertSmall(store: ObjectStore, key: string): Promise<void> {
  const found = await store.head(key);
  if (!found) throw new PermanentError(`${key} is missing; upload it last, when its images are there`);
  if (found.size > largestRequest)
    throw new PermanentError(`${key} has ${found.size} bytes; a request is a small JSON document`);
}
