/** A message that is ours for a while: renewed every third of that, and given up at once when it turns out to be lost. */
import type { Queue, ReceivedMessage } from '#pipeline/ports';

/** Somebody else may have the message: nothing of it may be finished here. */
export class LostLease extends Error {
  override name = 'LostLease';
}

/** SQS lets nobody keep a message for longer; pieces take minutes. */
const longestSeconds = 11.5 * 3600;

/** After a failure, times the tries so far: what was the matter may pass. */
const pauseSeconds = 10;

export class Lease {
  readonly message: ReceivedMessage;
  readonly #queue: Queue;
  readonly #visibilitySeconds: number;
  readonly #abort = new AbortController();
  readonly #heart: NodeJS.Timeout;
  readonly #receivedAt = Date.now();
  /** When the message is shown to others unless it is renewed. */
  #until: number;

  constructor(queue: Queue, message: ReceivedMessage, visibilitySeconds: number) {
    this.#queue = queue;
    this.message = message;
    this.#visibilitySeconds = visibilitySeconds;
    this.#until = Date.now() + visibilitySeconds * 1000;
    this.#heart = setInterval(() => void this.#beat(), (visibilitySeconds * 1000) / 3);
  }

  /** Aborted when the work must stop. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  abort(reason: Error = new Error('the task is being stopped')): void {
    this.#abort.abort(reason);
  }

  /** The work, or the reason why it must stop, whichever is first: work that does not listen is left behind. */
  async during(work: Promise<void>): Promise<void> {
    const { signal } = this.#abort;
    signal.throwIfAborted();
    let listener: (() => void) | undefined;
    const aborted = new Promise<never>((_, reject) => {
      listener = () => reject(signal.reason as Error);
      signal.addEventListener('abort', listener);
    });
    // Work that is left behind may still fail; nobody waits for it then.
    work.catch(() => undefined);
    try {
      await Promise.race([work, aborted]);
    } finally {
      signal.removeEventListener('abort', listener!);
    }
  }

  /** After a failure: others may try after a moment. If that fails too, the message shows when its time is over. */
  async showSoon(): Promise<void> {
    this.end();
    const seconds = Math.min(pauseSeconds * this.message.receives, this.#visibilitySeconds);
    await this.#queue.extend(this.message.receipt, seconds).catch(() => undefined);
  }

  end(): void {
    clearInterval(this.#heart);
  }

  async #beat(): Promise<void> {
    if (Date.now() - this.#receivedAt > longestSeconds * 1000) return this.#lose('it was held for almost 12 hours');
    try {
      await this.#queue.extend(this.message.receipt, this.#visibilitySeconds);
      this.#until = Date.now() + this.#visibilitySeconds * 1000;
    } catch (error) {
      // A queue that cannot be asked is tried again as long as the message is surely ours.
      const refused = /no longer ours/.test((error as Error).message);
      if (refused || Date.now() + (this.#visibilitySeconds * 1000) / 3 > this.#until)
        this.#lose((error as Error).message);
    }
  }

  #lose(why: string): void {
    this.end();
    this.abort(new LostLease(`the message is somebody else's now: ${why}`));
  }
}
