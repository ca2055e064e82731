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
  const bodies = new Map<Message['stage'], string[]>();
  for (const message of messages) {
    const waiting = bodies.get(message.stage) ?? [];
    waiting.push(JSON.stringify(message));
    bodies.set(message.stage, waiting);
  }
  for (const [stage, waiting] of bodies) {
    await (stage === 'advance' ? queues.control : queues.work(stage)).send(waiting);
  }
}
