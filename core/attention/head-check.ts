/** Tells, without labels, whether a foreground head has failed: a self-trained head can turn round and call background an object. */
import { ringPositions } from './ring.ts';

/** Grid scores of one image, each [height, width], from the head in use and from heads that started from one seed alone. */
export interface HeadScores {
  readonly width: number;
  readonly height: number;
  readonly combined: Float64Array | Float32Array;
  readonly border: Float64Array | Float32Array;
  readonly fiedler: Float64Array | Float32Array;
}

export interface HeadVerdict {
  readonly images: number;
  /** Correlation (−1 … 1) of the head's scores with those of the head from each seed; 0 where scores do not vary. */
  readonly agreement: { readonly border: number; readonly fiedler: number };
  /** Share of the outermost ring, and of the positions inside it, that are foreground. */
  readonly ringShare: number;
  readonly insideShare: number;
  /** Share of images that are foreground (nearly) everywhere, and (nearly) nowhere. */
  readonly allShare: number;
  readonly noneShare: number;
  readonly failed: boolean;
  /** Why it failed, for people; empty if it did not. */
  readonly reasons: readonly string[];
  /** What people should know although it did not fail. */
  readonly doubts: readonly string[];
}

/** An image is "all" or "none" from this share of one side on. */
const nearly = 0.98;
/** Heads that worked correlated at 0.85 or more with one of the two at least, a turned one at 0.3 with the better. */
export const leastAgreement = 0.5;
/** Ring share over inside share: heads that worked stayed below 0.45, a turned one had 0.65, chance has 1. */
export const mostRing = 0.5;
export const mostOneSided = 0.5;

/** Collects images one by one; memory does not grow with their number. */
export class HeadCheck {
  readonly #threshold: number;
  readonly #border = new Correlation();
  readonly #fiedler = new Correlation();
  #images = 0;
  #ring = { foreground: 0, positions: 0 };
  #inside = { foreground: 0, positions: 0 };
  #all = 0;
  #none = 0;

  /** @param threshold scores of the combined head at or above it are foreground */
  constructor(threshold: number) {
    this.#threshold = threshold;
  }

  add({ width, height, combined, border, fiedler }: HeadScores): void {
    this.#border.add(combined, border);
    this.#fiedler.add(combined, fiedler);
    let foreground = 0;
    for (const score of combined) if (score >= this.#threshold) foreground++;
    const ring = ringPositions(height, width);
    let onRing = 0;
    for (const position of ring) if (combined[position]! >= this.#threshold) onRing++;
    this.#ring.foreground += onRing;
    this.#ring.positions += ring.length;
    this.#inside.foreground += foreground - onRing;
    this.#inside.positions += combined.length - ring.length;
    this.#images++;
    if (foreground >= nearly * combined.length) this.#all++;
    if (foreground <= (1 - nearly) * combined.length) this.#none++;
  }

  verdict(): HeadVerdict {
    const measured = {
      images: this.#images,
      agreement: { border: this.#border.value(), fiedler: this.#fiedler.value() },
      ringShare: share(this.#ring.foreground, this.#ring.positions),
      insideShare: share(this.#inside.foreground, this.#inside.positions),
      allShare: share(this.#all, this.#images),
      noneShare: share(this.#none, this.#images),
    };
    const reasons = reasonsOf(measured);
    return { ...measured, failed: reasons.length > 0, reasons, doubts: reasons.length > 0 ? [] : doubtsOf(measured) };
  }
}

type Measured = Omit<HeadVerdict, 'failed' | 'reasons' | 'doubts'>;

function reasonsOf({ images, agreement, ringShare, insideShare, allShare, noneShare }: Measured): string[] {
  if (images === 0) return ['no image to judge by'];
  const reasons: string[] = [];
  if (Math.max(agreement.border, agreement.fiedler) < leastAgreement) {
    reasons.push(
      `the head agrees with neither of its seeds (correlation ${agreement.border.toFixed(2)} with the border's, ${agreement.fiedler.toFixed(2)} with the spectral one)`,
    );
  }
  if (ringShare > mostRing * insideShare && ringShare > 0) {
    reasons.push(
      `the image border counts as foreground nearly as often as the inside (${percent(ringShare)} against ${percent(insideShare)}): objects fill these images, or the head has turned round`,
    );
  }
  if (allShare > mostOneSided) reasons.push(`${percent(allShare)} of the images are foreground all over`);
  if (noneShare > mostOneSided) reasons.push(`${percent(noneShare)} of the images have no foreground at all`);
  return reasons;
}

function doubtsOf({ agreement, allShare, noneShare }: Measured): string[] {
  const doubts: string[] = [];
  const [weaker, lower] =
    agreement.border < agreement.fiedler ? ['border', agreement.border] : ['spectral', agreement.fiedler];
  if (lower < leastAgreement) {
    doubts.push(
      `the ${weaker} seed alone would lead elsewhere (correlation ${lower.toFixed(2)}); the head follows the other`,
    );
  }
  const oneSided = allShare + noneShare;
  if (oneSided > mostOneSided / 2)
    doubts.push(`${percent(oneSided)} of the images are all foreground or all background`);
  return doubts;
}

/** Pearson's correlation of pairs that arrive in pieces. */
class Correlation {
  #count = 0;
  #x = 0;
  #y = 0;
  #xx = 0;
  #yy = 0;
  #xy = 0;

  add(xs: ArrayLike<number>, ys: ArrayLike<number>): void {
    for (let i = 0; i < xs.length; i++) {
      const x = xs[i]!;
      const y = ys[i]!;
      this.#x += x;
      this.#y += y;
      this.#xx += x * x;
      this.#yy += y * y;
      this.#xy += x * y;
    }
    this.#count += xs.length;
  }

  value(): number {
    const varianceX = this.#xx * this.#count - this.#x ** 2;
    const varianceY = this.#yy * this.#count - this.#y ** 2;
    const least = 1e-12 * this.#count;
    if (!(varianceX > least * this.#xx && varianceY > least * this.#yy)) return 0;
    return (this.#xy * this.#count - this.#x * this.#y) / Math.sqrt(varianceX * varianceY);
  }
}

const share = (part: number, whole: number): number => (whole > 0 ? part / whole : 0);
const percent = (value: number): string => `${Math.round(value * 100)} %`;
