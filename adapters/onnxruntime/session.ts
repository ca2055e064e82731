/** One session in its worker thread, as seen from the main thread: one run at a time. */
import { Worker } from 'node:worker_threads';
import type { InferenceSession } from 'onnxruntime-node';
import type { RunResult, Tensors, TensorValue, TrainingGraphs, TrainingState, UpdateOptions } from '#pipeline/ports';
import type { Answer, Close, Run, Start, StartTraining, Train, Trained } from './session-worker.mjs';

/**
 * Builds of the runtime report their use to its makers and keep a file of it in the home folder, unless this is
 * set before it is loaded: nobody asked for that. Only here in the main thread does it reach the system's environment.
 */
process.env.ORT_DISABLE_TELEMETRY ??= '1';

/** Beside this file in the source, beside the bundle in dist. */
const workerUrl = new URL('./session-worker.mjs', import.meta.url);

/** Source positions, signatures and status codes that the runtime puts before what it has to say. */
const noise = /\/\S+\.(?:cc|h):\d+ .*?\)\s+(?=\[|[A-Z])|\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : /gs;

/** What the runtime said, on one line. */
export const oneLine = (message: string) => message.replace(noise, '').replace(/\s+/g, ' ').trim();

interface Waiting {
  resolve(answer: Exclude<Answer, { kind: 'failed' }>): void;
  reject(error: Error): void;
}

/**
 * The tensor, or a copy where its array does not fill its buffer, since only whole buffers can be moved.
 * @throws Error if the array does not fill the dims, as when its buffer was moved away before
 */
function movable(name: string, tensor: TensorValue): TensorValue {
  const { data, dims } = tensor;
  const count = dims.reduce((a, b) => a * b, 1);
  if (data.length !== count)
    throw new Error(
      `"${name}" holds ${data.length} numbers, not ${count}; was its buffer moved away by an earlier run?`,
    );
  const whole = data.buffer instanceof ArrayBuffer && data.byteLength === data.buffer.byteLength;
  if (whole) return tensor;
  // `slice` of a Node Buffer is a view on memory that others use.
  return { ...tensor, data: data instanceof Uint8Array ? new Uint8Array(data) : data.slice() };
}

export class Session {
  readonly #worker: Worker;
  #waiting: Waiting | undefined;
  /** The last answer asked for. */
  #asked: Promise<unknown> = Promise.resolve();
  /** Why nothing can be run any more. */
  #ended: Error | undefined;
  inputs: readonly string[] = [];
  outputs: readonly string[] = [];

  private constructor(script: URL) {
    this.#worker = new Worker(script, { execArgv: [] });
    this.#worker.on('message', (answer: Answer) => this.#answered(answer));
    this.#worker.on('error', error => this.#end(new Error(`the session broke down: ${oneLine(error.message)}`)));
    this.#worker.on('messageerror', error =>
      this.#end(new Error(`the session's answer is unreadable: ${error.message}`)),
    );
    this.#worker.on('exit', code => this.#end(new Error(`the session ended (exit code ${code})`)));
    this.#worker.unref();
  }

  /** A thread that gets ready for a model. */
  static start(): Session {
    return new Session(workerUrl);
  }

  /**
   * @param script what runs in the thread
   * @throws Error with what the runtime says if it refuses the model
   */
  static async open(
    model: Uint8Array,
    options: InferenceSession.SessionOptions,
    script: URL = workerUrl,
  ): Promise<Session> {
    const session = new Session(script);
    try {
      await session.reopen(model, options);
      return session;
    } catch (error) {
      await session.close();
      throw error;
    }
  }

  /**
   * Serves another model in the same thread, which costs far less than a new one.
   * @param given the memory may be moved to the thread
   * @returns the model's bytes as they are now
   * @throws Error with what the runtime says if it refuses the model
   */
  async reopen(model: Uint8Array, options: InferenceSession.SessionOptions, given = false): Promise<Uint8Array> {
    // Not `slice`: of a Node Buffer that is a view, and the memory would be moved away from its owner.
    const own = given && model.byteLength === model.buffer.byteLength ? model : new Uint8Array(model);
    const start: Start = { kind: 'open', model: own, options };
    const ready = await this.#answer(() => this.#worker.postMessage(start, [own.buffer as ArrayBuffer]));
    if (ready.kind !== 'ready') throw new Error('the session answered out of turn');
    Object.assign(this, { inputs: ready.inputs, outputs: ready.outputs });
    return own === model ? ready.model : model;
  }

  /** Lets go of the model; the thread waits for the next. */
  async vacate(): Promise<void> {
    const close: Close = { kind: 'close' };
    await this.#answer(() => this.#worker.postMessage(close));
  }

  get ended(): Error | undefined {
    return this.#ended;
  }

  /** Moves the feeds to the worker and back. */
  async run(feeds: Tensors, wanted: readonly string[]): Promise<RunResult> {
    const moved = Object.fromEntries(Object.entries(feeds).map(([name, tensor]) => [name, movable(name, tensor)]));
    const request: Run = { kind: 'run', feeds: moved, wanted };
    const buffers = new Set(Object.values(moved).map(({ data }) => data.buffer as ArrayBuffer));
    const done = await this.#answer(() => this.#worker.postMessage(request, [...buffers]));
    if (done.kind !== 'done') throw new Error('the session answered out of turn');
    return { outputs: done.outputs, feeds: done.feeds };
  }

  /** Serves a training instead of a model. @throws Error with what the runtime says if it refuses a graph */
  async train(graphs: TrainingGraphs, options: InferenceSession.SessionOptions): Promise<void> {
    const start: StartTraining = { kind: 'train', graphs, options };
    await this.#answer(() => this.#worker.postMessage(start));
  }

  /** Moves the state to the worker, where it stays. */
  async putState(state: TrainingState): Promise<void> {
    await this.#train({ kind: 'put', state }, state.flat());
  }

  async takeState(): Promise<TrainingState> {
    return (await this.#train({ kind: 'take' })).state ?? [];
  }

  /** Moves the batch to the worker; loss and metrics come back. */
  async gradients(batch: Tensors, aside: boolean): Promise<Readonly<Record<string, number>>> {
    const moved = Object.fromEntries(Object.entries(batch).map(([name, tensor]) => [name, movable(name, tensor)]));
    const arrays = Object.values(moved).map(({ data }) => data);
    return (await this.#train({ kind: 'gradients', batch: moved, aside }, arrays)).told ?? {};
  }

  async update(options: UpdateOptions): Promise<void> {
    await this.#train({ kind: 'update', options });
  }

  async #train(request: Train, moved: readonly TensorValue['data'][] = []): Promise<Trained> {
    const buffers = new Set(moved.map(({ buffer }) => buffer as ArrayBuffer));
    const answer = await this.#answer(() => this.#worker.postMessage(request, [...buffers]));
    if (answer.kind !== 'trained') throw new Error('the session answered out of turn');
    return answer;
  }

  /** Not before the thread has answered: stopped while it loads the runtime or a model, it would abort the whole process. */
  async close(): Promise<void> {
    const answered = this.#waiting ? this.#asked : this.vacate();
    // Whoever asked is told; here only the end of it counts.
    await answered.catch(() => undefined);
    this.#ended ??= new Error('the session was closed');
    await this.#worker.terminate();
  }

  /** Waits for the worker's next answer; meanwhile the worker keeps the process alive. */
  #answer(ask: () => void): Promise<Exclude<Answer, { kind: 'failed' }>> {
    if (this.#ended) return Promise.reject(this.#ended);
    const asked = new Promise<Exclude<Answer, { kind: 'failed' }>>((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#worker.ref();
      ask();
    });
    this.#asked = asked;
    return asked;
  }

  #settle(): Waiting | undefined {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    this.#worker.unref();
    return waiting;
  }

  #answered(answer: Answer): void {
    const waiting = this.#settle();
    if (answer.kind === 'failed') waiting?.reject(new Error(oneLine(answer.message)));
    else waiting?.resolve(answer);
  }

  #end(reason: Error): void {
    this.#ended ??= reason;
    this.#settle()?.reject(this.#ended);
  }
}
