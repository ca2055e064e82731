/** ONNX Runtime as the port that runs models: one worker thread per session, so that the main thread stays free. */
import { createRequire } from 'node:module';
import type { InferenceSession, listSupportedBackends as ListSupportedBackends } from 'onnxruntime-node';
import { PermanentError } from '#core/errors';
import type { Model, ModelOptions, ModelRunner, Trainer, TrainingGraphs } from '#pipeline/ports';
import { Session } from './session.ts';
import { SessionPool } from './session-pool.ts';
import { SessionTrainer } from './session-trainer.ts';

/** @throws PermanentError if this build of the runtime cannot use the device at all */
function checkDevice(device: string): void {
  if (device === 'cpu') return;
  const { listSupportedBackends } = createRequire(import.meta.url)('onnxruntime-node') as {
    listSupportedBackends: typeof ListSupportedBackends;
  };
  const names = listSupportedBackends().map(({ name }) => name);
  if (!names.includes(device))
    throw new PermanentError(`ONNX Runtime cannot run on "${device}" here; it knows ${names.join(', ')}`);
}

/**
 * Options of a session. Threads that wait do not spin: on two busy cores spinning made MobileNetV2 several times slower,
 * and on idle ones two sessions of one thread without it are as fast as anything else. Only fatal errors are logged,
 * because all others are thrown.
 */
const sessionOptions = (device: string, threads: number): InferenceSession.SessionOptions => ({
  executionProviders: [device],
  intraOpNumThreads: threads,
  interOpNumThreads: 1,
  executionMode: 'sequential',
  graphOptimizationLevel: 'all',
  logSeverityLevel: 4,
  extra: { session: { intra_op: { allow_spinning: '0' } } },
});

/** The same, but a graph that needs another device for any of its nodes is refused. */
const strictOptions = (device: string): InferenceSession.SessionOptions => {
  const options = sessionOptions(device, 1);
  return device === 'cpu' ? options : { ...options, extra: { session: { disable_cpu_ep_fallback: '1' } } };
};

/** y = x·x for a matrix: what every device can do. */
async function smallestGraph(): Promise<Uint8Array> {
  const [{ toModel }, { matmul }, { input }] = [
    await import('#core/graph/model'),
    await import('#core/graph/ops'),
    await import('#core/graph/tensor'),
  ];
  const x = input('x', 'float32', [2, 2]);
  return toModel({ name: 'probe', inputs: [x], outputs: { y: matmul(x, x) } });
}

/** Threads kept between models; starting one takes a tenth of a second. */
const mostIdle = 4;

export class OnnxRuntime implements ModelRunner {
  readonly device: string;
  readonly #models = new Set<Model | Trainer>();
  /** Threads without a model. */
  readonly #idle: Session[] = [];
  /** Models that are being loaded. */
  readonly #opening = new Set<Promise<Session>>();
  #closed = false;

  /** @throws PermanentError if the device cannot be used; it never falls back to another one */
  constructor({ device = 'cpu' }: { device?: string } = {}) {
    checkDevice(device);
    this.device = device;
  }

  /** Runs a small graph on the device and nowhere else. @throws PermanentError if the device does not do it */
  async probe(): Promise<void> {
    const refuse = (why: string) => new PermanentError(`there is no working ${this.device} device here: ${why}`);
    let y: unknown;
    try {
      const session = await Session.open(await smallestGraph(), strictOptions(this.device));
      const x = { type: 'float32', dims: [2, 2], data: Float32Array.of(1, 2, 3, 4) } as const;
      y = (await session.run({ x }, ['y'])).outputs.y?.data;
      await session.close();
    } catch (error) {
      throw refuse((error as Error).message);
    }
    if (String(y) !== '7,10,15,22') throw refuse(`it computes ${y} for a product of two matrices`);
  }

  /** Takes a thread before there is a model for it: it loads the runtime while others find the model. */
  start(session: Session = Session.start()): void {
    this.#idle.push(session);
  }

  async load(model: Uint8Array, wanted: ModelOptions): Promise<Model> {
    const { sessions, threadsPerSession, threadsAlone = threadsPerSession } = wanted;
    let bytes = model;
    const open = async (threads = threadsPerSession, given = false): Promise<Session> => {
      return this.#open(async session => {
        bytes = await session.reopen(bytes, sessionOptions(this.device, threads), given);
      });
    };
    const letGo = (letGo: readonly Session[]) => this.#keep(pool, letGo);
    const pool = new SessionPool(await open(threadsAlone, wanted.given), { most: sessions, open: () => open(), letGo });
    this.#models.add(pool);
    return pool;
  }

  async train(graphs: TrainingGraphs, { threads }: { readonly threads: number }): Promise<Trainer> {
    // The memory pattern is a second block beside what the first run took: it doubled a training step's memory.
    // A step is a thousand short operators: threads that wait a moment for the next are awake for it, a twentieth of the time.
    const extra = { session: { intra_op: { allow_spinning: '1', spin_duration_us: '30' } } };
    const options = { ...sessionOptions(this.device, threads), enableMemPattern: false, extra };
    const { withRefusedOutput } = await import('./refused-output.ts');
    const written = {
      ...graphs,
      gradients: withRefusedOutput(graphs.gradients),
      updates: graphs.updates.map(withRefusedOutput),
    };
    const session = await this.#open(session => session.train(written, options));
    const trainer: Trainer = new SessionTrainer(session, session => this.#keep(trainer, [session]));
    this.#models.add(trainer);
    return trainer;
  }

  /** Releases every model and ends every thread. */
  async close(): Promise<void> {
    this.#closed = true;
    // Whoever asked for these is told what became of them.
    await Promise.allSettled(this.#opening);
    await Promise.all([...this.#models].map(model => model.release()));
    await Promise.all(this.#idle.splice(0).map(session => session.close()));
  }

  /** A session in which something was opened. @throws PermanentError with what the runtime says if it refuses that */
  async #open(open: (session: Session) => Promise<void>): Promise<Session> {
    const opening = this.#openIn(this.#idle.pop() ?? Session.start(), open);
    this.#opening.add(opening);
    try {
      return await opening;
    } finally {
      this.#opening.delete(opening);
    }
  }

  async #openIn(session: Session, open: (session: Session) => Promise<void>): Promise<Session> {
    try {
      await open(session);
      return session;
    } catch (error) {
      await session.close();
      throw new PermanentError(`ONNX Runtime cannot load the model on ${this.device}: ${(error as Error).message}`);
    }
  }

  /** Keeps a few threads for the next model. */
  async #keep(pool: Model | Trainer, sessions: readonly Session[]): Promise<void> {
    this.#models.delete(pool);
    for (const session of sessions) {
      if (this.#closed || session.ended || this.#idle.length >= mostIdle) {
        await session.close();
        continue;
      }
      await session.vacate();
      this.#idle.push(session);
    }
  }
}
