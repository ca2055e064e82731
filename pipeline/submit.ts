/** Submit: a network and a request into the bucket, the request last; the same request twice is one job. */
import { PermanentError } from '#core/errors';
import { keys } from '#core/job/keys';
import { isJobName, type JobRequest } from '#core/job/request';
import { fromJson, toJson } from './documents.ts';
import type { Digest, ObjectStore } from './ports.ts';

export interface Submission {
  readonly request: JobRequest;
  /** Default: the data set's name and eight digits of the request. */
  readonly job?: string | undefined;
  /** What the request names under `backbones/`. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

export interface Submitted {
  readonly job: string;
  /** `there`: the same request had been submitted before. */
  readonly outcome: 'submitted' | 'there';
}

/** @throws PermanentError if the images are missing, a file of the same name holds something else, or the job is another one */
export async function submit(
  { store, digest }: { readonly store: ObjectStore; readonly digest: Digest },
  { request, job, files }: Submission,
): Promise<Submitted> {
  const document = toJson(request);
  const name = job ?? nameOf(request, digest.sha256(document).slice(0, 8));
  if (!isJobName(name))
    throw new PermanentError(`${name} is no name for a job; give one with --job: letters, digits, ".", "_", "-"`);
  await assertFilled(store, request.images, 'images');
  if (request.masks) await assertFilled(store, request.masks, 'masks');
  if (request.kind === 'run' && request.valImages) await assertFilled(store, request.valImages, 'validation images');
  if (request.kind === 'run' && request.valMasks) await assertFilled(store, request.valMasks, 'validation masks');
  for (const [key, bytes] of files) await putOnce(store, key, bytes);
  if (await store.putNew(keys.request(name), document)) return { job: name, outcome: 'submitted' };
  const standing = await store.get(keys.request(name));
  if (standing && sameJson(standing, document)) return { job: name, outcome: 'there' };
  throw new PermanentError(`there is a job ${name} with another request; choose a name of its own with --job`);
}

/** `datasets/birds/images/` → `birds-1a2b3c4d`. */
function nameOf({ images }: JobRequest, digits: string): string {
  const dataset = images.replace(/^datasets\//, '').replace(/(\/images)?\/?$/, '');
  return `${dataset.replaceAll(/[^A-Za-z0-9._-]+/g, '-').slice(0, 50)}-${digits}`;
}

async function assertFilled(store: ObjectStore, prefix: string, what: string): Promise<void> {
  for await (const _ of store.keys(prefix)) return;
  throw new PermanentError(`there are no ${what} under ${prefix}; upload them with selflabel push`);
}

/** Other jobs may use what is there: it never changes. */
async function putOnce(store: ObjectStore, key: string, bytes: Uint8Array): Promise<void> {
  if (await store.putNew(key, bytes)) return;
  const standing = await store.get(key);
  if (!standing || !same(standing, bytes))
    throw new PermanentError(`${key} is in the bucket with other contents; give your file another name`);
}

const same = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, i) => byte === b[i]);
const sameJson = (a: Uint8Array, b: Uint8Array): boolean => JSON.stringify(fromJson(a)) === JSON.stringify(fromJson(b));
