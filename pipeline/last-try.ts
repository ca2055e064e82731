/** What is said before a message goes to the dead-letter queue. */
import { type Message, parseMessage } from './messages.ts';
import type { Ports } from './ports.ts';
import { maxReceives, type QueueName } from './settings.ts';
import { reportFailure } from './stages.ts';

/** After the last try the job's state says what failed and what to do; before, nothing: it may still pass. */
export async function reportLastTry(
  ports: Pick<Ports, 'store' | 'clock'>,
  queue: QueueName,
  { body, receives }: { readonly body: string; readonly receives: number },
  error: Error,
): Promise<void> {
  if (receives < maxReceives(queue)) return;
  const message = readable(body);
  const reason = `${error.message}; tried ${receives} times, put aside: remove the cause, then selflabel redrive`;
  if (message) await reportFailure(ports, message, reason);
}

/** What cannot be read belongs to no job. */
function readable(body: string): Message | undefined {
  try {
    return parseMessage(body);
  } catch {
    return undefined;
  }
}
