/** What keeps a stage from being faster: decoding pictures or running the model. Measured by the clock, at a few readings per image. */
import type { Clock, Ports } from './ports.ts';

/** What one shard, or many, took. */
export interface PaceSummary {
  readonly decoded: number;
  /** Time that decoding would have taken alone, on all threads. */
  readonly decodeSeconds: number;
  readonly modelRuns: number;
  /** Time that the model would have taken alone, in all sessions. */
  readonly modelSeconds: number;
  /** Time in which a session had nothing to do, in the mean of the sessions. */
  readonly modelWaitedSeconds: number;
  /** Time in which a picture was ready and no session free. */
  readonly picturesWaitedSeconds: number;
}

type Kind = 'decode' | 'model';

/**
 * Follows what is under way. Sessions on a processor share its threads with decoding: while more is under way than there
 * are threads, each gets its share of them, and only that share counts as work.
 */
export class Pace {
  readonly #clock: Clock;
  readonly #threads: number;
  readonly #sessions: number;
  readonly #shared: boolean;
  readonly #underWay = { decode: 0, model: 0 };
  readonly #count = { decode: 0, model: 0 };
  /** Thread-milliseconds and session-milliseconds. */
  readonly #work = { decode: 0, model: 0 };
  readonly #waited = { model: 0, pictures: 0 };
  #last: number;

  constructor({ clock, tuning: { threads }, models }: Pick<Ports, 'clock' | 'tuning' | 'models'>, sessions: number) {
    this.#clock = clock;
    this.#threads = threads;
    this.#sessions = sessions;
    this.#shared = models.device === 'cpu';
    this.#last = clock.now();
  }

  /** Does the work and counts it. */
  async during<T>(kind: Kind, work: () => Promise<T>): Promise<T> {
    this.#moveOn();
    this.#underWay[kind]++;
    try {
      return await work();
    } finally {
      this.#moveOn();
      this.#underWay[kind]--;
      this.#count[kind]++;
    }
  }

  summary(): PaceSummary {
    const seconds = (milliseconds: number) => Math.round(milliseconds) / 1000;
    return {
      decoded: this.#count.decode,
      decodeSeconds: seconds(this.#work.decode / this.#threads),
      modelRuns: this.#count.model,
      modelSeconds: seconds(this.#work.model / this.#sessions),
      modelWaitedSeconds: seconds(this.#waited.model),
      picturesWaitedSeconds: seconds(this.#waited.pictures),
    };
  }

  /** Accounts for the time since the last change. */
  #moveOn(): void {
    const now = this.#clock.now();
    // A clock that was set back is no work.
    const passed = Math.max(0, now - this.#last);
    this.#last = now;
    const decoding = Math.min(this.#underWay.decode, this.#threads);
    const running = Math.min(this.#underWay.model, this.#sessions);
    const share = this.#shared ? Math.min(1, this.#threads / Math.max(1, decoding + running)) : 1;
    this.#work.decode += passed * decoding * share;
    this.#work.model += passed * running * share;
    if (decoding + running === 0) return;
    this.#waited.model += passed * (1 - running / this.#sessions);
    if (this.#underWay.model > this.#sessions) this.#waited.pictures += passed;
  }
}

/** What limited a stage, and what each side could do alone. */
export interface Bound {
  readonly by: 'decode' | 'model' | 'balanced';
  readonly decodeSeconds: number;
  readonly modelSeconds: number;
  /** Images per second. */
  readonly decodeRate: number;
  readonly modelRate: number;
}

/** Within a quarter of each other, neither clearly limits. */
const clearly = 1.25;

/** Of several shards together; null where the time was too short to measure. */
export function boundOf(paces: readonly PaceSummary[]): Bound | null {
  const sum = (key: keyof PaceSummary) => paces.reduce((total, pace) => total + pace[key], 0);
  const [decodeSeconds, modelSeconds] = [sum('decodeSeconds'), sum('modelSeconds')];
  if (!(decodeSeconds > 0 && modelSeconds > 0)) return null;
  const by =
    decodeSeconds > clearly * modelSeconds ? 'decode' : modelSeconds > clearly * decodeSeconds ? 'model' : 'balanced';
  return {
    by,
    decodeSeconds,
    modelSeconds,
    decodeRate: sum('decoded') / decodeSeconds,
    modelRate: sum('modelRuns') / modelSeconds,
  };
}
