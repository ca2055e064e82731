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

  /** A request with a body. @param bytes it may hold. @returns to be called when it is done. @throws Problem 429 */
  enter(bytes: number): () => void {
    if (this.#requests >= this.#limits.requests) throw tooMany();
    const letGo = this.hold(bytes);
    this.#requests++;
    return () => {
      this.#requests--;
      letGo();
    };
  }

  /** Bytes that a request fetches. The only one that holds any may hold what it needs. @throws Problem 429 */
  hold(bytes: number): () => void {
    if (this.#bytes > 0 && this.#bytes + bytes > this.#limits.bytes) throw tooMany();
    this.#bytes += bytes;
    return () => {
      this.#bytes -= bytes;
    };
  }
}

const tooMany = () =>
  new Problem('too-many', 'too many requests are under way; try again in a moment', {
    headers: { 'retry-after': '1' },
  });
