/** What a task does all its life: takes messages, works them off one at a time, keeps the one in hand and the next one hidden. */
import type { Queue, ReceivedMessage } from '#pipeline/ports';
import { Lease, LostLease } from './lease.ts';

export interface WorkerOptions {
  readonly queue: Queue;
  /** How long a message stays hidden without a heartbeat. */
  readonly visibilitySeconds: number;
  /** Longest wait for a message in one question. */
  readonly pollSeconds: number;
  /** Does what the message says. Must stop soon, with an error, once the signal is aborted. */
  readonly work: (message: ReceivedMessage, signal: AbortSignal) => Promise<void>;
  /** Told when work begins and when there is none: protects the task from being scaled in meanwhile. */
  readonly protect: (on: boolean) => Promise<void>;
  readonly report: (event: WorkerEvent) => void;
}

export type WorkerEvent =
  | { readonly kind: 'done' | 'handed-back'; readonly message: ReceivedMessage }
  | { readonly kind: 'failed' | 'lost'; readonly message: ReceivedMessage; readonly error: Error }
  | { readonly kind: 'no-answer'; readonly error: Error };

/** After the queue itself failed to answer. */
const pauseSeconds = 5;

export class Worker {
  readonly #options: WorkerOptions;
  readonly #stopping = new AbortController();
  /** The one in hand, and at most one that waits for its turn. */
  readonly #leases = new Set<Lease>();
  #fetching: Promise<Lease | undefined> | undefined;

  constructor(options: WorkerOptions) {
    this.#options = options;
  }

  /** Works until `stop`. Whatever is in hand then is handed back. */
  async run(): Promise<void> {
    let isProtected = false;
    while (!this.#stopped) {
      const lease = await this.#take();
      if (!lease) {
        if (isProtected) await this.#options.protect(false);
        isProtected = false;
        continue;
      }
      // With every message: protection runs out.
      await this.#options.protect(true);
      isProtected = true;
      // The next message waits here, hidden, while this one is worked off.
      if (!this.#stopped) this.#fetching ??= this.#fetch(0);
      await this.#workOff(lease);
    }
    const waiting = await this.#fetching;
    if (waiting) await this.#handBack(waiting);
    if (isProtected) await this.#options.protect(false);
  }

  /** Takes nothing more, breaks off what is in hand, and hands it back as if it had never been received. */
  stop(): void {
    this.#stopping.abort();
    for (const lease of this.#leases) lease.abort();
  }

  get #stopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  async #take(): Promise<Lease | undefined> {
    const fetching = this.#fetching ?? this.#fetch(this.#options.pollSeconds);
    this.#fetching = undefined;
    const waiting = await fetching;
    // Nothing came along while the last one was worked off: now there is time to wait.
    return waiting ?? (this.#stopped ? undefined : this.#fetch(this.#options.pollSeconds));
  }

  async #fetch(waitSeconds: number): Promise<Lease | undefined> {
    const { queue, visibilitySeconds, report } = this.#options;
    try {
      const [message] = await queue.receive(1, waitSeconds);
      if (!message) return undefined;
      const lease = new Lease(queue, message, visibilitySeconds);
      this.#leases.add(lease);
      return lease;
    } catch (error) {
      report({ kind: 'no-answer', error: error as Error });
      await new Promise(resolve => setTimeout(resolve, pauseSeconds * 1000));
      return undefined;
    }
  }

  async #workOff(lease: Lease): Promise<void> {
    const { queue, work, report } = this.#options;
    const { message, signal } = lease;
    try {
      if (this.#stopped) return await this.#handBack(lease);
      await lease.during(work(message, signal));
      await queue.delete(message.receipt);
      report({ kind: 'done', message });
    } catch (error) {
      if (error instanceof LostLease) report({ kind: 'lost', message, error });
      else if (this.#stopped) await this.#handBack(lease);
      else {
        report({ kind: 'failed', message, error: error as Error });
        await lease.showSoon();
      }
    } finally {
      this.#end(lease);
    }
  }

  /** The same body is sent anew and the original deleted, so that an interruption never counts as a failed try. */
  async #handBack(lease: Lease): Promise<void> {
    const { queue, report } = this.#options;
    const { message } = lease;
    try {
      await queue.send([message.body]);
      await queue.delete(message.receipt);
      report({ kind: 'handed-back', message });
    } catch (error) {
      // It comes again by itself when its time is over.
      report({ kind: 'failed', message, error: error as Error });
    } finally {
      this.#end(lease);
    }
  }

  #end(lease: Lease): void {
    lease.end();
    this.#leases.delete(lease);
  }
}
