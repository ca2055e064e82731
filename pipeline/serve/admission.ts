/** How much the server takes on at once: requests under way and bytes they may hold. Beyond that it says so at once. */
import { Problem } from './problem.ts';

export interface AdmissionLimits {
  /** Requests that hold a body. */
  readonly requests: number;
  /** Bytes of all their bodies together. */
  readonly bytes: number;
}

export class Admission {
  readonly #limits: AdmissionLimits;
  #requests = 0;
  #bytes = 0;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  /** @param bytes it may hold. @returns to be called when it is done. @throws Problem 429 */
  enter(bytes: number): () => void {
    const full =
      this.#requests >= this.#limits.requests || (this.#requests > 0 && this.#bytes + bytes > this.#limits.bytes);
    if (full) {
      throw new Problem('too-many', 'too many requests are under way; try again in a moment', {
        headers: { 'retry-after': '1' },
      });
    }
    this.#requests++;
    this.#bytes += bytes;
    return () => {
      this.#requests--;
      this.#bytes -= bytes;
    };
  }
}
