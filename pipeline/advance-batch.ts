/** A batch of control messages: each job is advanced once, however many of them name it. */
import { PermanentError } from '#core/errors';
import { advance, failJob } from './advance.ts';
import { type AdvanceMessage, parseMessage } from './messages.ts';
import type { Ports } from './ports.ts';
import { type Queues, sendWork } from './queues.ts';

export interface BatchItem {
  readonly id: string;
  readonly body: string;
}

export interface BatchOutcome {
  /** The messages it stands for. */
  readonly ids: readonly string[];
  /** Undefined where the message could not be read. */
  readonly job: string | undefined;
  /** The job's stage now; undefined if something failed. */
  readonly stage?: string;
  /** What failed: these messages are to come again. */
  readonly error?: string;
}

/** One outcome per job, and one per message that is none of ours. One job that fails holds up no other. */
export async function advanceBatch(
  ports: Pick<Ports, 'store' | 'clock'>,
  queues: Queues,
  items: readonly BatchItem[],
): Promise<BatchOutcome[]> {
  const outcomes: BatchOutcome[] = [];
  const jobs = new Map<string, { ids: string[]; resume: boolean }>();
  for (const { id, body } of items) {
    try {
      const { job, resume = false } = controlMessage(body);
      const known = jobs.get(job) ?? { ids: [], resume: false };
      jobs.set(job, { ids: [...known.ids, id], resume: known.resume || resume });
    } catch (error) {
      outcomes.push({ ids: [id], job: undefined, error: (error as Error).message });
    }
  }
  for (const [job, { ids, resume }] of jobs)
    outcomes.push({ ids, job, ...(await advanceOne(ports, queues, job, resume)) });
  return outcomes;
}

function controlMessage(body: string): AdvanceMessage {
  const message = parseMessage(body);
  if (message.stage !== 'advance') throw new PermanentError(`a message of stage ${message.stage} in the control queue`);
  return message;
}

async function advanceOne(
  ports: Pick<Ports, 'store' | 'clock'>,
  queues: Queues,
  job: string,
  resume: boolean,
): Promise<{ stage: string } | { error: string }> {
  try {
    const { stage } = await advance(ports, job, messages => sendWork(queues, messages), { resume });
    return { stage };
  } catch (error) {
    if (error instanceof PermanentError) await failJob(ports, job, error.message);
    return { error: (error as Error).message };
  }
}
