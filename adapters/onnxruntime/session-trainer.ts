/** A training behind its session. */
import type { Tensors, Trainer, TrainingState, UpdateOptions } from '#pipeline/ports';
import type { Session } from './session.ts';

export class SessionTrainer implements Trainer {
  readonly #session: Session;
  readonly #letGo: (session: Session) => Promise<void>;
  /** What was asked for last. */
  #asked: Promise<unknown> = Promise.resolve();
  #released = false;

  /** @param letGo takes the session over when the training is released */
  constructor(session: Session, letGo: (session: Session) => Promise<void>) {
    this.#session = session;
    this.#letGo = letGo;
  }

  put(state: TrainingState): Promise<void> {
    return this.#ask(() => this.#session.putState(state));
  }

  take(): Promise<TrainingState> {
    return this.#ask(() => this.#session.takeState());
  }

  gradients(batch: Tensors, aside = false): Promise<Readonly<Record<string, number>>> {
    return this.#ask(() => this.#session.gradients(batch, aside));
  }

  update(options: UpdateOptions): Promise<void> {
    return this.#ask(() => this.#session.update(options));
  }

  /** What is under way is finished, more is refused. */
  async release(): Promise<void> {
    if (this.#released) return;
    this.#released = true;
    // Whoever asked is told; here only the end of it counts.
    await this.#asked.catch(() => undefined);
    await this.#letGo(this.#session);
  }

  async #ask<T>(what: () => Promise<T>): Promise<T> {
    if (this.#released) throw new Error('the training was released');
    const asked = what();
    this.#asked = asked;
    return asked;
  }
}
