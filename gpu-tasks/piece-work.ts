/** What a task does with one message, and what it tells about it: a line per event, and metrics per piece. */
import type { StructuredLog } from '#adapters/aws/structured-log';
import { reportLastTry } from '#pipeline/last-try';
import { labelLive } from '#pipeline/live';
import type { Ports, ReceivedMessage } from '#pipeline/ports';
import type { Queues } from '#pipeline/queues';
import { metrics, type TaskName } from '#pipeline/settings';
import { runMessage } from '#pipeline/stages';
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
    if (!signal.aborted) await reportLastTry(world.ports, world.task, message, error as Error);
    throw error;
  }
}

function fieldsOf(event: WorkerEvent): Record<string, string | number> {
  if (event.kind === 'no-answer') return { event: event.kind, error: event.error.message };
  const { body, receives } = event.message;
  return { event: event.kind, body, receives, ...('error' in event && { error: event.error.message }) };
}
