/** What a task does with one message, and what it tells about it: a line per event, and metrics per piece. */
import type { StructuredLog } from '#adapters/aws/structured-log';
import { labelLive } from '#pipeline/live';
import { parseMessage } from '#pipeline/messages';
import type { Ports, ReceivedMessage } from '#pipeline/ports';
import type { Queues } from '#pipeline/queues';
import { maxReceives, metrics, type TaskName } from '#pipeline/settings';
import { reportFailure, runMessage } from '#pipeline/stages';
import { guardedStore } from './guarded-store.ts';
import type { WorkerEvent, WorkerOptions } from './worker.ts';

interface PieceWorld {
  readonly ports: Ports;
  readonly queues: Queues;
  readonly log: StructuredLog;
  readonly task: TaskName;
  readonly environment: string;
}

export function pieceWork(world: PieceWorld): Pick<WorkerOptions, 'work' | 'report'> {
  const { log, task, environment } = world;
  const count = (name: string, value: number, unit: 'Count' | 'Seconds' = 'Count') =>
    log.measure(environment, ['Stage', task], [{ name, value, unit }]);
  return {
    async work(message, signal) {
      const started = Date.now();
      await workOn(world, message, signal);
      count(metrics.pieces, 1);
      count(metrics.pieceSeconds, (Date.now() - started) / 1000, 'Seconds');
    },
    report(event) {
      log.say(fieldsOf(event));
      if (event.kind === 'failed') count(metrics.failures, 1);
    },
  };
}

async function workOn(world: PieceWorld, message: ReceivedMessage, signal: AbortSignal): Promise<void> {
  const ports = { ...world.ports, store: guardedStore(world.ports.store, signal) };
  if (world.task === 'live') {
    world.log.say({ ...(await labelLive(ports, message.body)) });
    return;
  }
  try {
    await runMessage(ports, world.queues, message.body);
  } catch (error) {
    if (!signal.aborted) await reportLast(world, message, error as Error);
    throw error;
  }
}

/** Before a message goes to the dead-letter queue, the job's state says so. */
async function reportLast(
  { ports, task }: PieceWorld,
  { body, receives }: ReceivedMessage,
  error: Error,
): Promise<void> {
  if (receives < maxReceives(task)) return;
  const parsed = attempt(() => parseMessage(body));
  const reason = `${error.message}; tried ${receives} times, put aside: remove the cause, then selflabel redrive`;
  if (parsed) await reportFailure(ports, parsed, reason);
}

function attempt<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch {
    // What cannot be read belongs to no job.
    return undefined;
  }
}

function fieldsOf(event: WorkerEvent): Record<string, string | number> {
  if (event.kind === 'no-answer') return { event: event.kind, error: event.error.message };
  const { body, receives } = event.message;
  return { event: event.kind, body, receives, ...('error' in event && { error: event.error.message }) };
}
