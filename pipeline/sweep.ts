/** Every minute: jobs whose word of a finished piece was lost go on, and batches whose model has been published are sent. */
import { PermanentError } from '#core/errors';
import { keys } from '#core/job/keys';
import { advance } from './advance.ts';
import { type HeldBatches, releaseHeld } from './fan-out.ts';
import type { Ports, Queue } from './ports.ts';
import { type Queues, sendWork } from './queues.ts';

export interface SweptJob {
  readonly job: string;
  readonly stage?: string;
  readonly error?: string;
}

export interface Swept {
  readonly jobs: readonly SweptJob[];
  readonly held: HeldBatches;
}

/** One job that cannot be swept holds up no other. */
export async function sweep(ports: Pick<Ports, 'store' | 'clock'>, queues: Queues, live: Queue): Promise<Swept> {
  const jobs: SweptJob[] = [];
  for await (const key of ports.store.keys(keys.allRunning))
    jobs.push(await sweepJob(ports, queues, key.slice(keys.allRunning.length)));
  return { jobs, held: await releaseHeld(ports.store, live) };
}

async function sweepJob(ports: Pick<Ports, 'store' | 'clock'>, queues: Queues, job: string): Promise<SweptJob> {
  try {
    const { stage } = await advance(ports, job, messages => sendWork(queues, messages), { look: true });
    if (stage === 'done') await ports.store.delete(keys.running(job));
    return { job, stage };
  } catch (error) {
    // A job whose plan was removed needs no looking after.
    if (error instanceof PermanentError) await ports.store.delete(keys.running(job));
    return { job, error: (error as Error).message };
  }
}
