/** Several equal sessions behind one model; each run takes one that is free. */
import type { Model, RunResult, Tensors } from '#pipeline/ports';
import type { Session } from './session.ts';

const closeAll = async (sessions: readonly Session[]): Promise<void> => {
  await Promise.all(sessions.map(session => session.close()));
};

export interface PoolOptions {
  /** Sessions there may be; more than the first are opened when a run finds none free. */
  readonly most: number;
  open(): Promise<Session>;
  /** Takes the sessions over when the model is released. Default: they are closed. */
  letGo?(sessions: readonly Session[]): Promise<void>;
}

export class SessionPool implements Model {
  readonly #sessions: Session[];
  readonly #free: Session[];
  readonly #waiting: { resolve(session: Session): void; reject(error: Error): void }[] = [];
  readonly #running = new Set<Promise<unknown>>();
  readonly #opening = new Set<Promise<void>>();
  /** How many more may be opened. */
  #more: number;
  /** Gone when no more are: it holds the model. */
  #open: PoolOptions['open'] | undefined;
  readonly #letGo: NonNullable<PoolOptions['letGo']>;
  #released = false;

  constructor(first: Session, { most, open, letGo = closeAll }: PoolOptions) {
    this.#sessions = [first];
    this.#free = [first];
    this.#more = most - 1;
    this.#open = this.#more > 0 ? open : undefined;
    this.#letGo = letGo;
  }

  get inputs(): readonly string[] {
    return this.#sessions[0]!.inputs;
  }

  get outputs(): readonly string[] {
    return this.#sessions[0]!.outputs;
  }

  async run(feeds: Tensors, wanted: readonly string[] = this.outputs): Promise<RunResult> {
    if (this.#released) throw new Error('the model was released');
    const run = this.#runOnFree(feeds, wanted);
    this.#running.add(run);
    try {
      return await run;
    } finally {
      this.#running.delete(run);
    }
  }

  /** Runs under way are finished, new ones refused. */
  async release(): Promise<void> {
    if (this.#released) return;
    this.#released = true;
    await Promise.allSettled(this.#running);
    await Promise.all(this.#opening);
    await this.#letGo(this.#sessions);
  }

  async #runOnFree(feeds: Tensors, wanted: readonly string[]): Promise<RunResult> {
    const session = await this.#take();
    try {
      return await session.run(feeds, wanted);
    } finally {
      this.#giveBack(session);
    }
  }

  #take(): Promise<Session> {
    while (this.#free.length > 0) {
      const free = this.#free.shift()!;
      if (!free.ended) return Promise.resolve(free);
    }
    const ended = this.#allEnded();
    if (ended) return Promise.reject(ended);
    const taken = new Promise<Session>((resolve, reject) => this.#waiting.push({ resolve, reject }));
    this.#grow();
    return taken;
  }

  /** One more session, if there may be one, for whoever waits longest by then; if it cannot be opened, that one is told. */
  #grow(): void {
    const open = this.#open;
    if (!open) return;
    this.#more--;
    if (this.#more === 0) this.#open = undefined;
    const opening = open()
      .then(
        session => {
          this.#sessions.push(session);
          this.#giveBack(session);
        },
        (error: Error) => this.#waiting.shift()?.reject(error),
      )
      .finally(() => this.#opening.delete(opening));
    this.#opening.add(opening);
  }

  /** A session that broke down is not used again; when none is left, whoever waits is told. */
  #giveBack(session: Session): void {
    if (session.ended) {
      const ended = this.#allEnded();
      if (ended) for (const { reject } of this.#waiting.splice(0)) reject(ended);
      return;
    }
    const next = this.#waiting.shift();
    if (next) next.resolve(session);
    // The first one may have more threads: whoever comes alone gets it.
    else if (session === this.#sessions[0]) this.#free.unshift(session);
    else this.#free.push(session);
  }

  #allEnded(): Error | undefined {
    if (this.#opening.size > 0) return undefined;
    return this.#sessions.every(session => session.ended) ? this.#sessions[0]!.ended : undefined;
  }
}
