/** What has to be remembered of each image, because metrics per image depend on a matching found later. */

/** One image; ignored pixels are left out throughout. */
export interface ImageFact {
  /** Pairs of predicted id and its pixels. */
  readonly areas: Int32Array;
  /** Classes that occur. */
  readonly truths: Int32Array;
  /** Pixels that are foreground on both sides, in the prediction, in the ground truth. */
  readonly overlap: number;
  readonly predictedForeground: number;
  readonly truthForeground: number;
}

const headLength = 5;

/** Facts of many images in one flat array, in the order in which they came. */
export class ImageFacts {
  #data = new Int32Array(1024);
  #length = 0;
  #images = 0;

  get images(): number {
    return this.#images;
  }

  /** All facts as non-negative integers, to be stored and read again by `append`. */
  get data(): Int32Array {
    return this.#data.subarray(0, this.#length);
  }

  add(fact: ImageFact): void {
    const { areas, truths } = fact;
    const head = [areas.length, truths.length, fact.overlap, fact.predictedForeground, fact.truthForeground];
    this.#reserve(headLength + areas.length + truths.length);
    this.#data.set(head, this.#length);
    this.#data.set(areas, this.#length + headLength);
    this.#data.set(truths, this.#length + headLength + areas.length);
    this.#length += headLength + areas.length + truths.length;
    this.#images++;
  }

  /** Puts so many images' facts, in the form of `data`, behind one's own. */
  append(data: Int32Array, images: number): void {
    this.#reserve(data.length);
    this.#data.set(data, this.#length);
    this.#length += data.length;
    this.#images += images;
  }

  /** The views end with the next call to `add` or `append`. */
  *[Symbol.iterator](): Generator<ImageFact> {
    const data = this.#data;
    for (let at = 0; at < this.#length; ) {
      const areasAt = at + headLength;
      const truthsAt = areasAt + data[at]!;
      const end = truthsAt + data[at + 1]!;
      yield {
        areas: data.subarray(areasAt, truthsAt),
        truths: data.subarray(truthsAt, end),
        overlap: data[at + 2]!,
        predictedForeground: data[at + 3]!,
        truthForeground: data[at + 4]!,
      };
      at = end;
    }
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#data.length) return;
    const larger = new Int32Array(Math.max(2 * this.#data.length, this.#length + more));
    larger.set(this.data);
    this.#data = larger;
  }
}
