/** Threads that count batches of an evaluation side by side. */
import { existsSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { PermanentError } from '#core/errors';
import type { CountBatch } from '#pipeline/evaluate-folders';
import type { BatchAnswer } from './evaluate-worker.ts';
import type { EvaluationPlaces } from './evaluation-places.ts';

/** Beside the bundle in dist; there is none beside the source, which Node 20 could not run. */
const script = new URL('./evaluate-worker.mjs', import.meta.url);

export interface EvaluationThreads {
  readonly countBatch: CountBatch;
  close(): Promise<void>;
}

/** Undefined for a single core, or where the program is not bundled: then counting happens where it is asked for. */
export function startThreads(places: EvaluationPlaces, count: number): EvaluationThreads | undefined {
  if (count < 2 || !existsSync(script)) return undefined;
  const workers = Array.from({ length: count }, () => new Worker(script, { workerData: places }));
  const free = [...workers];
  const waiting: ((worker: Worker) => void)[] = [];
  const giveBack = (worker: Worker) => {
    const next = waiting.shift();
    if (next) next(worker);
    else free.push(worker);
  };
  return {
    async countBatch(request, names) {
      const worker = free.pop() ?? (await new Promise<Worker>(resolve => waiting.push(resolve)));
      try {
        const answer = await ask(worker, { request, names });
        if ('counted' in answer) return answer.counted;
        throw answer.permanent ? new PermanentError(answer.failed) : new Error(answer.failed);
      } finally {
        giveBack(worker);
      }
    },
    async close() {
      await Promise.all(workers.map(worker => worker.terminate()));
    },
  };
}

/** One question at a time. @throws Error if the thread ends instead of answering */
function ask(worker: Worker, question: unknown): Promise<BatchAnswer> {
  return new Promise((resolve, reject) => {
    const ended = (code: number) => reject(new Error(`a thread of evaluate ended (exit code ${code})`));
    const settle =
      <T>(act: (value: T) => void) =>
      (value: T) => {
        worker.removeAllListeners();
        act(value);
      };
    worker.once('message', settle(resolve)).once('error', settle(reject)).once('exit', settle(ended));
    worker.postMessage(question);
  });
}
