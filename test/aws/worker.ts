/** What a worker in the cloud does with a queue: takes a message, keeps it while it works, gives it back when it fails. */
import { Crash } from '#adapters/local/memory-store';
import type { Queue, ReceivedMessage } from '#pipeline/ports';

export interface Work {
  readonly queue: Queue;
  /** Seconds a received message stays hidden. */
  readonly visibilitySeconds: number;
  readonly run: (body: string) => Promise<void>;
  /** False ends the loop. */
  readonly goesOn: () => boolean;
}

/** Delivers every message twice at least. Ends early with the Crash of a process that died; its message comes again by itself. */
export async function workOn({ queue, visibilitySeconds, run, goesOn }: Work): Promise<void> {
  while (goesOn()) {
    for (const message of await queue.receive(1, 1)) await handle(queue, visibilitySeconds, message, run);
  }
}

async function handle(
  queue: Queue,
  visibilitySeconds: number,
  message: ReceivedMessage,
  run: (body: string) => Promise<void>,
): Promise<void> {
  // A heartbeat that fails means that the message comes again: to be borne, since every piece may be done twice.
  const beat = () => queue.extend(message.receipt, visibilitySeconds).catch(() => undefined);
  const heart = setInterval(() => void beat(), (visibilitySeconds * 1000) / 3);
  try {
    await run(message.body);
    if (message.receives > 1) await queue.delete(message.receipt);
    else await showAgain(queue, message);
  } catch (error) {
    if (error instanceof Crash) throw error;
    await showAgain(queue, message);
  } finally {
    clearInterval(heart);
  }
}

/** If that fails, the message comes again a little later by itself. */
const showAgain = (queue: Queue, { receipt }: ReceivedMessage) => queue.extend(receipt, 0).catch(() => undefined);
