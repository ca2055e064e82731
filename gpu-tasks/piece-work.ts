/** What a task does with one message, and what it tells about it: a line per event, and metrics per piece. */
import type { Metric, StructuredLog } from '#adapters/aws/structured-log';
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
  const measure = (values: readonly Metric[]) => log.measure(environment, ['Stage', task], values);
  return {
    async work(message, signal) {
      const started = Date.now();
      await workOn(world, message, signal);
      const seconds = (Date.now() - started) / 1000;
      measure([
        { name: metrics.pieces, value: 1, unit: 'Count' },
        { name: metrics.pieceSeconds, value: seconds, unit: 'Seconds' },
      ]);
    },
    report(event) {
      log.say(fieldsOf(event));
      if (event.kind === 'failed') measure([{ name: metrics.failures, value: 1, unit: 'Count' }]);
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
