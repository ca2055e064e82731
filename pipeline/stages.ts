/** The table of stages, and what happens to one message. */
import { PermanentError } from '#core/errors';
import { keys } from '#core/job/keys';
import type { Plan } from '#core/job/plan';
import type { Stage } from '#core/job/stage';
import { advance, failJob } from './advance.ts';
import { attend } from './attend.ts';
import { cluster } from './cluster.ts';
import { readJson } from './documents.ts';
import { embed } from './embed.ts';
import { evaluate } from './evaluate.ts';
import { writeFailure } from './failures.ts';
import { finetune } from './finetune.ts';
import { label } from './label.ts';
import { hasMarker } from './marker.ts';
import { type Message, parseMessage, type WorkMessage } from './messages.ts';
import { plan } from './plan.ts';
import type { Ports } from './ports.ts';
import { publish } from './publish.ts';
import { type Queues, sendWork } from './queues.ts';
import { workInSlices } from './slices.ts';

export type { Queues } from './queues.ts';

type StageFunction = (ports: Ports, plan: Plan, piece: string) => Promise<void>;

export const stageFunctions: Readonly<Record<Exclude<Stage, 'plan'>, StageFunction>> = {
  attend,
  embed,
  cluster,
  label,
  finetune,
  evaluate,
  publish,
};

/**
 * Does what one message asks for: the piece, unless its marker says it is done, then word to `advance`. Of a piece that takes
 * long a slice, then the message of the next.
 * A PermanentError ends the job with its reason; any other error flies on, so that the queue tries again.
 */
export async function runMessage(ports: Ports, queues: Queues, body: string): Promise<void> {
  const message = parseMessage(body);
  try {
    await runParsed(ports, queues, message);
  } catch (error) {
    if (error instanceof PermanentError) await reportFailure(ports, message, error.message);
    throw error;
  }
}

/** Says in the job's state what failed. A job without a plan has no pieces that could fail. */
export async function reportFailure(
  ports: Pick<Ports, 'store' | 'clock'>,
  message: Message,
  error: string,
): Promise<void> {
  const hasPieces = message.stage !== 'advance' && message.stage !== 'plan';
  if (hasPieces && (await ports.store.head(keys.plan(message.job)))) await writeFailure(ports, message, error);
  await failJob(ports, message.job, error);
}

async function runParsed(ports: Ports, queues: Queues, message: Message): Promise<void> {
  if (message.stage === 'advance') {
    await advance(ports, message.job, messages => sendWork(queues, messages), { resume: message.resume ?? false });
    return;
  }
  if (!(await runPiece(ports, queues, message))) return;
  const finished: Message = { v: 1, job: message.job, stage: 'advance' };
  await queues.control.send([JSON.stringify(finished)]);
}

/** @returns whether it is done now, by whomever */
async function runPiece(ports: Ports, queues: Queues, message: WorkMessage): Promise<boolean> {
  const { job, stage, piece } = message;
  if (stage === 'plan') {
    await plan(ports, job);
    return true;
  }
  const planned = await readJson<Plan>(ports.store, keys.plan(job));
  if (await hasMarker(ports.store, planned, stage, piece)) return true;
  return workInSlices(ports, queues, planned, message, own => stageFunctions[stage](own, planned, piece));
}
