/** The foreground threshold from scores alone: Otsu's method over a histogram that many images, or shards, add up to. */

const otsuBins = 400;
const otsuShares = [0.005, 0.995] as const;

/**
 * The cut that maximises the variance between the two classes (Otsu 1979). Where several cuts are equally good (an empty
 * stretch between two heaps) the middle of them is taken.
 * @param counts [bins], not negative, of equal bins from `low` to `high`
 * @returns a bin edge; scores at or above it are foreground. `high` where no cut separates anything (at most one bin is filled)
 */
export function otsu(counts: ArrayLike<number>, low: number, high: number): number {
  let total = 0;
  let moment = 0;
  for (let bin = 0; bin < counts.length; bin++) {
    total += counts[bin]!;
    moment += counts[bin]! * bin;
  }
  let best = 0;
  let first = counts.length;
  let last = counts.length;
  let below = 0;
  let momentBelow = 0;
  for (let cut = 1; cut < counts.length; cut++) {
    below += counts[cut - 1]!;
    momentBelow += counts[cut - 1]! * (cut - 1);
    const above = total - below;
    if (below === 0 || above <= 0) continue;
    const between = below * above * (momentBelow / below - (moment - momentBelow) / above) ** 2;
    if (between > best * (1 + 1e-12)) {
      best = between;
      first = cut;
    }
    if (between >= best * (1 - 1e-12) && best > 0) last = cut;
  }
  return low + ((high - low) * (first + last)) / 2 / counts.length;
}

/** Counts of scores in many narrow bins: memory does not grow with the number of pixels, and parts can be merged. */
export class ScoreHistogram {
  readonly low: number;
  readonly high: number;
  readonly counts: Float64Array;
  total = 0;

  /** @param low the range that scores are known to lie in; what falls outside counts at its end */
  constructor(low: number, high: number, bins = 1 << 16) {
    if (!(high > low)) throw new RangeError(`a histogram from ${low} to ${high} holds nothing`);
    this.low = low;
    this.high = high;
    this.counts = new Float64Array(bins);
  }

  /** @throws RangeError on NaN */
  add(scores: ArrayLike<number>): void {
    const last = this.counts.length - 1;
    const scale = this.counts.length / (this.high - this.low);
    for (let i = 0; i < scores.length; i++) {
      const bin = Math.floor((scores[i]! - this.low) * scale);
      if (Number.isNaN(bin)) throw new RangeError(`score ${i} is not a number`);
      this.counts[Math.max(0, Math.min(bin, last))]! += 1;
    }
    this.total += scores.length;
  }

  /** Adds what another histogram of the same range and bins has counted. */
  merge(other: ScoreHistogram): void {
    if (other.low !== this.low || other.high !== this.high || other.counts.length !== this.counts.length) {
      throw new RangeError('histograms of different ranges or bins cannot be merged');
    }
    for (let i = 0; i < this.counts.length; i++) this.counts[i]! += other.counts[i]!;
    this.total += other.total;
  }

  /** The score below which this share of all scores lies, linear within its bin. @param share 0 … 1 */
  quantile(share: number): number {
    if (this.total === 0) throw new RangeError('no scores, no quantiles');
    const wanted = share * this.total;
    let below = 0;
    let bin = 0;
    while (bin < this.counts.length - 1 && (this.counts[bin] === 0 || below + this.counts[bin]! < wanted)) {
      below += this.counts[bin++]!;
    }
    const within = this.counts[bin]! > 0 ? (wanted - below) / this.counts[bin]! : 0;
    return this.#edge(bin + Math.min(1, Math.max(0, within)));
  }

  /** Share of the scores at or above the threshold, 0 … 1, linear within its bin. */
  shareAbove(threshold: number): number {
    const at = ((threshold - this.low) / (this.high - this.low)) * this.counts.length;
    let above = 0;
    for (let bin = Math.max(0, Math.floor(at)); bin < this.counts.length; bin++) {
      above += this.counts[bin]! * Math.min(1, bin + 1 - Math.max(at, bin));
    }
    return above / this.total;
  }

  /** Otsu's threshold over 400 bins between the 0.5 and 99.5 percentiles; what lies outside them does not count. */
  otsuThreshold(): number {
    const [low, high] = otsuShares.map(share => this.quantile(share)) as [number, number];
    const width = (this.high - this.low) / this.counts.length;
    // All within one bin: nothing to separate, and nothing is foreground.
    if (high - low <= width) return this.#edge(Math.ceil((high - this.low) / width + 1e-6));
    return otsu(this.#rebinned(low, high), low, high);
  }

  /** The counts between two scores in equal coarser bins, each fine bin shared out by overlap. */
  #rebinned(low: number, high: number): Float64Array {
    const coarse = new Float64Array(otsuBins);
    const width = (this.high - this.low) / this.counts.length;
    const scale = otsuBins / (high - low);
    const clamp = (position: number) => Math.min(otsuBins, Math.max(0, position));
    for (let bin = 0; bin < this.counts.length; bin++) {
      const count = this.counts[bin]!;
      if (count === 0) continue;
      const from = clamp((this.#edge(bin) - low) * scale);
      const to = clamp((this.#edge(bin + 1) - low) * scale);
      for (let c = Math.floor(from); c < to; c++) {
        coarse[c]! += (count * (Math.min(to, c + 1) - Math.max(from, c))) / (width * scale);
      }
    }
    return coarse;
  }

  #edge(position: number): number {
    return this.low + ((this.high - this.low) * position) / this.counts.length;
  }
}
