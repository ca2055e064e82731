/** Jobs over HTTP: reading their state, and starting one by writing its request object. */
import { PermanentError } from '#core/errors';
import { keys } from '#core/job/keys';
import { parseRequest } from '#core/job/request';
import { type JobState, readState } from '../advance.ts';
import { fromJson, toJson } from '../documents.ts';
import type { ObjectStore } from '../ports.ts';
import type { ServePorts } from './api-ports.ts';
import { Problem } from './problem.ts';

/** What clients see of a job. */
export interface Job {
  readonly id: string;
  readonly stage: string;
  readonly stages: JobState['stages'];
  readonly started?: string;
  readonly updated?: string;
  readonly error: string | null;
}

export interface NewJob {
  readonly id?: string;
  readonly request: object;
}

type JobPorts = Pick<ServePorts, 'store' | 'digest' | 'clock' | 'newId'>;

/** @throws Problem 503 where jobs cannot be kept */
function storeOf({ store }: JobPorts): ObjectStore {
  if (store) return store;
  throw new Problem(
    'no-store',
    'this server serves a model from a folder; jobs need a bucket, or `selflabel run` on this machine',
  );
}

const describe = ({ job, stage, stages, started, updated, error }: JobState): Job => ({
  id: job,
  stage,
  stages: Object.fromEntries(
    Object.entries(stages).map(([name, { done, total, failed }]) => [name, { done, total, failed }]),
  ),
  started,
  updated,
  error,
});

/** @throws Problem 404 */
export async function readJob({ store }: JobPorts, id: string): Promise<Job> {
  const job = store && (await foundJob(store, id));
  if (job) return job;
  throw new Problem('unknown-job', 'there is no job of this name; GET /v1/jobs lists them');
}

async function foundJob(store: ObjectStore, id: string): Promise<Job | undefined> {
  const found = await readState(store, id);
  if (found) return describe(found.state);
  if (await store.head(keys.request(id))) return { id, stage: 'requested', stages: {}, error: null };
  return undefined;
}

const jobKey = /^jobs\/([^/]+)\//;

/** Behind every key of a job and before those of the next: “0” follows “/”. */
const endOf = (id: string): string => `${keys.jobsPrefix}${id}0`;

/** Keys of one job that are passed over before the rest of them is skipped with another listing. */
const manyKeys = 1000;

/** In the order of their keys, in which `a-b` comes before `a`. A job may have a hundred thousand keys: they are not all listed. */
async function* jobIds(store: ObjectStore, after: string): AsyncGenerator<string> {
  let from = after === '' ? undefined : endOf(after);
  for (let whole = false; !whole; ) {
    whole = true;
    let [last, passed] = ['', 0];
    for await (const { key } of store.list(keys.jobsPrefix, from)) {
      const id = jobKey.exec(key)?.[1];
      if (id === undefined || (from !== undefined && key <= from)) continue;
      if (id !== last) {
        [last, passed] = [id, 0];
        yield id;
      } else if (++passed === manyKeys) {
        [from, whole] = [endOf(id), false];
        break;
      }
    }
  }
}

/** In the order of their keys. @param after only jobs behind this one */
export async function listJobs(
  ports: JobPorts,
  limit: number,
  after = '',
): Promise<{ jobs: readonly Job[]; next?: string }> {
  const { store } = ports;
  if (!store) return { jobs: [] };
  const ids: string[] = [];
  for await (const id of jobIds(store, after)) if (ids.push(id) > limit) break;
  const page = ids.slice(0, limit);
  const found = await Promise.all(page.map(id => foundJob(store, id)));
  const jobs = found.filter(job => job !== undefined);
  return ids.length > limit ? { jobs, next: page.at(-1)! } : { jobs };
}

/** What an Idempotency-Key stands for. */
interface Wish {
  readonly job: string;
  /** Of the request as it was first made. */
  readonly sha256: string;
}

/**
 * Writes the request object that starts the job.
 * @param idempotencyKey the same with the same body: the same job
 * @param subject whose key it is
 * @throws Problem 422 if the request is not usable, the id is taken, or the key was used for something else
 */
export async function createJob(
  ports: JobPorts,
  { id, request }: NewJob,
  idempotencyKey: string | undefined,
  subject: string,
): Promise<Job> {
  const store = storeOf(ports);
  assertUsable(request);
  const bytes = toJson(request);
  const given = id ?? freshName(ports);
  const job =
    idempotencyKey === undefined
      ? given
      : await wishedJob(ports, store, `${subject}\n${idempotencyKey}`, given, id, bytes);
  if (!(await store.putNew(keys.request(job), bytes))) {
    const before = await store.get(keys.request(job));
    const same = before !== undefined && Buffer.compare(before, bytes) === 0;
    if (!same || idempotencyKey === undefined) {
      throw new Problem('unprocessable', `there is a job ${job} already; choose another id`);
    }
  }
  return readJob(ports, job);
}

function assertUsable(request: object): void {
  try {
    parseRequest(request);
  } catch (error) {
    if (error instanceof PermanentError) throw new Problem('unprocessable', error.message, { cause: error });
    throw error;
  }
}

/** The job that the key was first used for. */
async function wishedJob(
  { digest }: JobPorts,
  store: ObjectStore,
  key: string,
  fresh: string,
  id: string | undefined,
  request: Uint8Array,
): Promise<string> {
  const encoder = new TextEncoder();
  const sha256 = digest.sha256(encoder.encode(`${id ?? ''}\n${digest.sha256(request)}`));
  const place = keys.wish(digest.sha256(encoder.encode(key)));
  const wish: Wish = { job: fresh, sha256 };
  if (await store.putNew(place, toJson(wish))) return fresh;
  const first = fromJson<Wish>((await store.get(place))!);
  if (first.sha256 !== sha256) {
    throw new Problem('unprocessable', 'this Idempotency-Key was used for another request; use a new one');
  }
  return first.job;
}

/** Names sort by the time they were made. */
function freshName({ clock, newId }: JobPorts): string {
  const time = new Date(clock.now())
    .toISOString()
    .replace(/[-:]|\.\d+Z/g, '')
    .toLowerCase();
  return `job-${time}-${newId()
    .replace(/[^a-z0-9]/gi, '')
    .slice(0, 8)}`;
}
