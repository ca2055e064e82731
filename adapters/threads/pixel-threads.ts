/** Threads for the work per pixel, so that the main thread stays free for whoever waits on it. */
import { existsSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { type LabelledPixels, labelPixels, type PixelWork } from '#core/labels/label-pixels';
import type { PixelLabeller } from '#pipeline/ports';
import type { PixelAnswer } from './pixel-worker.ts';

/** Beside the bundle in dist; there is none beside the source, which Node 20 could not run. */
const bundled = new URL('./pixel-worker.mjs', import.meta.url);

/** Nearly all that the work allocates are arrays outside of the heap: more room for the rest would fill up before it is cleared. */
const youngMegabytes = 12;

/** One thread, asked one question at a time. */
class PixelThread {
  readonly #worker: Worker;
  #pending: { resolve(labelled: LabelledPixels): void; reject(error: Error): void } | undefined;
  /** It answers at once: the thread has started. */
  ready = false;
  ended: Error | undefined;

  constructor(script: URL) {
    this.#worker = new Worker(script, { resourceLimits: { maxYoungGenerationSizeMb: youngMegabytes } });
    this.#worker.on('online', () => {
      this.ready = true;
    });
    this.#worker.on('message', (answer: PixelAnswer) => this.#answered(answer));
    this.#worker.on('error', error => this.#end(error));
    this.#worker.on('exit', code => this.#end(new Error(`a thread for pixels ended (exit code ${code})`)));
    // Last, since listening for messages keeps the process alive.
    this.#worker.unref();
  }

  /** The arrays are moved away. @throws Error of the work, or if the thread ends instead of answering */
  label(work: PixelWork): Promise<LabelledPixels> {
    return new Promise((resolve, reject) => {
      if (this.ended) return reject(this.ended);
      this.#pending = { resolve, reject };
      this.#worker.ref();
      this.#worker.postMessage(work, movable(work));
    });
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #answered(answer: PixelAnswer): void {
    const pending = this.#settle();
    if ('labelled' in answer) pending?.resolve(answer.labelled);
    else pending?.reject(answer.failed);
  }

  #end(error: Error): void {
    this.ended ??= error;
    this.#settle()?.reject(this.ended);
  }

  #settle() {
    const pending = this.#pending;
    this.#pending = undefined;
    this.#worker.unref();
    return pending;
  }
}

/** Arrays that fill their memory; others are copied. */
function movable({ scores, foreground, image }: PixelWork): ArrayBuffer[] {
  const arrays = [scores.data, image.data, ...(foreground ? [foreground.data] : [])];
  const whole = arrays.filter(
    ({ buffer, byteLength }) => buffer instanceof ArrayBuffer && buffer.byteLength === byteLength,
  );
  return [...new Set(whole.map(({ buffer }) => buffer as ArrayBuffer))];
}

export class PixelThreads implements PixelLabeller {
  readonly #script: URL;
  readonly #most: number;
  #threads: PixelThread[] = [];
  #free: PixelThread[] = [];
  readonly #waiting: ((thread: PixelThread) => void)[] = [];

  /** @param most threads; none are started where the program is not bundled: then the work is done where it is asked for */
  constructor(most: number, script: URL = bundled) {
    this.#script = script;
    this.#most = existsSync(script) ? most : 0;
  }

  /** Until the first thread has started, and where there is none, in the thread that asks: the first image waits for no thread. */
  async label(work: PixelWork): Promise<LabelledPixels> {
    this.#forget();
    if (!this.#threads.some(({ ready }) => ready)) return this.#labelHere(work);
    if (this.#free.length === 0) this.#start();
    const thread = this.#free.pop() ?? (await new Promise<PixelThread>(resolve => this.#waiting.push(resolve)));
    try {
      return await thread.label(work);
    } finally {
      this.#giveBack(thread);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.splice(0).map(thread => thread.close()));
  }

  #labelHere(work: PixelWork): LabelledPixels {
    const labelled = labelPixels(work);
    // Starting a thread takes a while: the answer goes first.
    if (this.#threads.length === 0) setImmediate(() => this.#start()).unref();
    return labelled;
  }

  #start(): void {
    if (this.#threads.length >= this.#most) return;
    const thread = new PixelThread(this.#script);
    this.#threads.push(thread);
    this.#giveBack(thread);
  }

  /** Threads that ended are replaced when they are needed. */
  #forget(): void {
    this.#threads = this.#threads.filter(({ ended }) => !ended);
    this.#free = this.#free.filter(({ ended }) => !ended);
  }

  #giveBack(thread: PixelThread): void {
    const next = this.#waiting.shift();
    if (next) next(thread);
    else this.#free.push(thread);
  }
}
