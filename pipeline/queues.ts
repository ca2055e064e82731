/** Where the messages of each kind wait, and sending those of a wave. */
import type { Stage } from '#core/job/stage';
import type { Message } from './messages.ts';
import type { Queue } from './ports.ts';

/** On a laptop all are the same queue. */
export interface Queues {
  readonly work: (stage: Stage) => Queue;
  readonly control: Queue;
}

/** In as few requests as the queues allow. */
export async function sendWork(queues: Queues, messages: readonly Message[]): Promise<void> {
  const bodies = new Map<Queue, string[]>();
  for (const message of messages) {
    const queue = message.stage === 'advance' ? queues.control : queues.work(message.stage);
    const waiting = bodies.get(queue) ?? [];
    waiting.push(JSON.stringify(message));
    bodies.set(queue, waiting);
  }
  for (const [queue, waiting] of bodies) await queue.send(waiting);
}
