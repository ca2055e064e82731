/** Asking again when the service is busy, as long as it asks to wait, and no longer than the caller wants. */
import { ApiProblem } from './api-problem.ts';

export interface Patience {
  /** How often a request is repeated at most. */
  readonly retries: number;
  /** No single wait is longer; a service that asks for more is not asked again. In seconds. */
  readonly longestWait: number;
}

/** Repeats on 429 and 503 that may pass. @throws ApiProblem the last one; whatever `signal` was aborted with */
export async function retrying<T>(
  { retries, longestWait }: Patience,
  signal: AbortSignal | undefined,
  ask: () => Promise<T>,
): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof ApiProblem) || !passes(error) || attempt >= retries) throw error;
      const seconds = error.retryAfter ?? backoff(attempt);
      if (seconds > longestWait) throw error;
      await pause(seconds, signal);
    }
  }
}

/** The service says when to come back where that helps; what stands before it (a gateway, a proxy) may say nothing. */
const passes = ({ status, retryAfter, kind }: ApiProblem): boolean =>
  (status === 429 || status === 503) && (retryAfter !== undefined || kind === '');

/** Half a second, doubled each time, with jitter so that many clients do not come back at once. */
const backoff = (attempt: number): number => 0.5 * 2 ** attempt * (0.5 + Math.random() / 2);

function pause(seconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const timer = setTimeout(done, seconds * 1000);
    signal?.addEventListener('abort', stop, { once: true });
    function done(): void {
      signal?.removeEventListener('abort', stop);
      resolve();
    }
    function stop(): void {
      clearTimeout(timer);
      reject(signal!.reason);
    }
  });
}
