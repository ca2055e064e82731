/** Redrive: a job that failed or hangs goes on; pieces that are done stay done. */
import { PermanentError } from '#core/errors';
import { keys } from '#core/job/keys';
import { failJob, readState } from './advance.ts';
import type { Ports, Queue } from './ports.ts';

export interface Redriven {
  /** Pieces that had failed, as their records were named. */
  readonly failures: readonly string[];
  /** Dead letters of this job that were removed: their pieces are sent anew. */
  readonly letters: number;
}

/**
 * Takes back what is known of failures and puts the request once more: the planner sees a job that failed and asks for every
 * missing piece again.
 * @param deadLetters queues of dead letters to clear of this job's
 * @throws PermanentError if there is no such job, or it is done
 */
export async function redrive(
  ports: Pick<Ports, 'store' | 'clock'>,
  job: string,
  deadLetters: readonly Queue[] = [],
): Promise<Redriven> {
  const { store } = ports;
  const request = await store.get(keys.request(job));
  if (!request) throw new PermanentError(`there is no job ${job}; selflabel submit starts one`);
  const known = await readState(store, job);
  if (known?.state.stage === 'done') throw new PermanentError(`the job ${job} is done; there is nothing to redrive`);
  const failures: string[] = [];
  const prefix = keys.published(job, 'failed/');
  for await (const key of store.keys(prefix)) failures.push(key.slice(prefix.length));
  for (const name of failures) await store.delete(prefix + name);
  if (known && known.state.stage !== 'failed') await failJob(ports, job, 'asked to go on by redrive');
  let letters = 0;
  for (const queue of deadLetters) letters += await clear(queue, job);
  await store.put(keys.request(job), request);
  return { failures, letters };
}

const hiddenSeconds = 30;

/** Removes this job's messages; others come back into view. */
async function clear(queue: Queue, job: string): Promise<number> {
  let cleared = 0;
  const kept: string[] = [];
  for (;;) {
    const messages = await queue.receive(10, 0);
    for (const { body, receipt } of messages) {
      if (jobOf(body) === job) {
        await queue.delete(receipt);
        cleared++;
      } else {
        await queue.extend(receipt, hiddenSeconds);
        kept.push(receipt);
      }
    }
    if (!messages.length) break;
  }
  // Shown at once where that works; else by itself when its time is over.
  for (const receipt of kept) await queue.extend(receipt, 0).catch(() => undefined);
  return cleared;
}

/** What is no JSON is no message of ours, and so of no job. */
function jobOf(body: string): string | undefined {
  try {
    const { job } = JSON.parse(body) as { job?: string };
    return job;
  } catch {
    return undefined;
  }
}
