/** How many of some ascending numbers are at most a given one, in about one look-up. */

const bins = 1024;

export class CandidateRank {
  readonly #candidates: Float64Array;
  readonly #low: number;
  readonly #binsPerUnit: number;
  /** Per bin a rank that is not too high for any value in it. */
  readonly #start = new Uint8Array(bins);

  /** @param candidates ascending, at most 255 */
  constructor(candidates: readonly number[]) {
    this.#candidates = Float64Array.from(candidates);
    this.#low = candidates[0]!;
    this.#binsPerUnit = bins / (candidates.at(-1)! - this.#low || 1);
    for (let bin = 0; bin < bins; bin++) {
      // One bin of margin covers the rounding of the division.
      const surelyBelow = this.#low + (bin - 1) / this.#binsPerUnit;
      this.#start[bin] = candidates.filter(candidate => candidate < surelyBelow).length;
    }
  }

  of(value: number): number {
    const candidates = this.#candidates;
    const bin = Math.max(0, Math.min(bins - 1, Math.floor((value - this.#low) * this.#binsPerUnit)));
    let rank = this.#start[bin]!;
    while (rank < candidates.length && value >= candidates[rank]!) rank++;
    return rank;
  }
}
