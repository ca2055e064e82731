/** Threads that count batches of an evaluation side by side. */
import { existsSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { PermanentError } from '#core/errors';
import type { CountBatch } from '#pipeline/evaluate-folders';
import type { BatchAnswer, BatchRequest } from './evaluate-worker.ts';
import type { EvaluationPlaces } from './evaluation-places.ts';

/** Beside the bundle in dist; there is none beside the source, which Node 20 could not run. */
const script = new URL('./evaluate-worker.mjs', import.meta.url);

export interface EvaluationThreads {
  readonly countBatch: CountBatch;
  close(): Promise<void>;
}

/** One thread, asked one question at a time. */
class CountingThread {
  readonly #worker: Worker;
  #pending: { resolve(answer: BatchAnswer): void; reject(error: Error): void } | undefined;
  #ended: Error | undefined;

  constructor(places: EvaluationPlaces) {
    this.#worker = new Worker(script, { workerData: places });
    this.#worker.on('message', (answer: BatchAnswer) => this.#pending?.resolve(answer));
    this.#worker.on('error', error => this.#end(error));
    this.#worker.on('exit', code => this.#end(new Error(`a thread of evaluate ended (exit code ${code})`)));
  }

  /** @throws Error if the thread ends instead of answering */
  ask(question: BatchRequest): Promise<BatchAnswer> {
    return new Promise((resolve, reject) => {
      if (this.#ended) return reject(this.#ended);
      this.#pending = { resolve, reject };
      this.#worker.postMessage(question);
    });
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #end(error: Error): void {
    this.#ended ??= error;
    this.#pending?.reject(this.#ended);
  }
}

/** Undefined for a single core, or where the program is not bundled: then counting happens where it is asked for. */
export function startThreads(places: EvaluationPlaces, count: number): EvaluationThreads | undefined {
  if (count < 2 || !existsSync(script)) return undefined;
  const threads = Array.from({ length: count }, () => new CountingThread(places));
  const free = [...threads];
  const waiting: ((thread: CountingThread) => void)[] = [];
  const giveBack = (thread: CountingThread) => {
    const next = waiting.shift();
    if (next) next(thread);
    else free.push(thread);
  };
  return {
    async countBatch(request, names) {
      const thread = free.pop() ?? (await new Promise<CountingThread>(resolve => waiting.push(resolve)));
      try {
        const answer = await thread.ask({ request, names });
        if ('counted' in answer) return answer.counted;
        throw answer.permanent ? new PermanentError(answer.failed) : new Error(answer.failed);
      } finally {
        giveBack(thread);
      }
    },
    async close() {
      await Promise.all(threads.map(thread => thread.close()));
    },
  };
}
