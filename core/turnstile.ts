/** Lets a bounded number of jobs run at once; the others wait in line. */
export class Turnstile {
  readonly #waiting: (() => void)[] = [];
  #inside = 0;
  readonly #atOnce: number;

  constructor(atOnce: number) {
    this.#atOnce = atOnce;
  }

  /** Jobs that run. */
  get inside(): number {
    return this.#inside;
  }

  async run<T>(job: () => Promise<T>): Promise<T> {
    if (this.#inside < this.#atOnce) this.#inside++;
    else await new Promise<void>(go => this.#waiting.push(go));
    try {
      return await job();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#inside--;
    }
  }
}
