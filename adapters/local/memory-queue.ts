/** A queue in memory: the laptop's, and in tests as unkind as a real one may be. */
import { Random } from '#core/random';
import type { Clock, Queue, ReceivedMessage } from '#pipeline/ports';
import { systemClock } from './system-clock.ts';

export interface MemoryQueueOptions {
  readonly clock?: Clock;
  /** How long a received message stays hidden. Default 300. */
  readonly visibilitySeconds?: number;
  /** Hands messages out in a random order, and each with this probability a second time although it was received. Default: neither. */
  readonly disorder?: { readonly seed: number; readonly twice: number };
}

/** setTimeout takes no more. */
const longestTimer = 2 ** 31 - 1;

interface Message {
  readonly body: string;
  receives: number;
  /** Names the latest hand-out. */
  receipt: string;
  /** Milliseconds; hidden before. */
  visibleFrom: number;
  mayComeTwice: boolean;
}

export class MemoryQueue implements Queue {
  readonly #clock: Clock;
  readonly #visibilitySeconds: number;
  readonly #disorder: { readonly random: Random; readonly twice: number } | undefined;
  readonly #messages = new Set<Message>();
  #receipts = 0;
  /** Wake those who wait for a message. */
  #waiting: (() => void)[] = [];

  constructor({ clock = systemClock, visibilitySeconds = 300, disorder }: MemoryQueueOptions = {}) {
    this.#clock = clock;
    this.#visibilitySeconds = visibilitySeconds;
    this.#disorder = disorder && { random: new Random(disorder.seed), twice: disorder.twice };
  }

  /** Messages that are not deleted, hidden ones included. */
  get size(): number {
    return this.#messages.size;
  }

  async send(bodies: readonly string[]): Promise<void> {
    for (const body of bodies) {
      this.#messages.add({
        body,
        receives: 0,
        receipt: '',
        visibleFrom: 0,
        mayComeTwice: this.#disorder !== undefined,
      });
    }
    for (const wake of this.#waiting.splice(0)) wake();
  }

  async receive(max: number, waitSeconds: number): Promise<ReceivedMessage[]> {
    let left = waitSeconds * 1000;
    for (;;) {
      const visible = this.#visible();
      if (visible.length > 0 || left <= 0) return visible.slice(0, max).map(message => this.#handOut(message));
      const pause = Math.min(left, this.#untilNext());
      await this.#arrivalWithin(pause);
      left -= pause;
    }
  }

  async delete(receipt: string): Promise<void> {
    const message = this.#find(receipt);
    if (message) this.#messages.delete(message);
  }

  async extend(receipt: string, seconds: number): Promise<void> {
    const message = this.#find(receipt);
    if (!message || message.visibleFrom <= this.#clock.now())
      throw new Error('the message is no longer ours to extend');
    message.visibleFrom = this.#clock.now() + seconds * 1000;
  }

  #visible(): Message[] {
    const now = this.#clock.now();
    const visible = [...this.#messages].filter(message => message.visibleFrom <= now);
    return this.#disorder ? this.#disorder.random.shuffle(visible) : visible;
  }

  #handOut(message: Message): ReceivedMessage {
    const again = message.mayComeTwice && this.#disorder!.random.uniform() < this.#disorder!.twice;
    if (again) message.mayComeTwice = false;
    else message.visibleFrom = this.#clock.now() + this.#visibilitySeconds * 1000;
    message.receives++;
    message.receipt = `receipt-${++this.#receipts}`;
    return { body: message.body, receives: message.receives, receipt: message.receipt };
  }

  /** Milliseconds until the next hidden message shows again. */
  #untilNext(): number {
    const times = [...this.#messages].map(message => message.visibleFrom - this.#clock.now());
    return Math.max(Math.min(...times), 1);
  }

  async #arrivalWithin(milliseconds: number): Promise<void> {
    await new Promise<void>(wake => {
      const timer = setTimeout(wake, Math.min(milliseconds, longestTimer));
      this.#waiting.push(() => {
        clearTimeout(timer);
        wake();
      });
    });
  }

  /** Only the latest hand-out counts: whoever was too slow has lost the message. */
  #find(receipt: string): Message | undefined {
    return [...this.#messages].find(message => message.receipt === receipt);
  }
}
