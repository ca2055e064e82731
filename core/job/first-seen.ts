/** Which digest was seen first where, for jobs of any size: sixteen bytes an image, where a Map ends at sixteen million. */

/** Words of a slot: 96 bits of the digest, and the number of the first image plus one; 0 is an empty slot. */
const slotWords = 4;
const hexPerWord = 8;
/** Fuller tables make long walks. */
const mostFull = 0.75;

/** Of 100 million different images two are taken for one with a chance of one in 10¹³. */
export class FirstSeen {
  #slots: Uint32Array;
  #count = 0;

  /** @param expected images that will come, if known: the table need not grow then */
  constructor(expected = 0) {
    const slots = 2 ** Math.max(6, Math.ceil(Math.log2((expected + 1) / mostFull)));
    this.#slots = new Uint32Array(slots * slotWords);
  }

  /** @returns the number of the first image with this digest (SHA-256, hex): this one's own where none came before */
  enter(sha256: string, image: number): number {
    if (this.#count >= mostFull * (this.#slots.length / slotWords)) this.#grow();
    const word = (i: number) => Number.parseInt(sha256.slice(i * hexPerWord, (i + 1) * hexPerWord), 16) >>> 0;
    return this.#put(word(0), word(1), word(2), image + 1) - 1;
  }

  #put(a: number, b: number, c: number, entry: number): number {
    const slots = this.#slots;
    const last = slots.length / slotWords - 1;
    for (let slot = a & last; ; slot = (slot + 1) & last) {
      const at = slot * slotWords;
      const found = slots[at + 3]!;
      if (found === 0) {
        slots.set([a, b, c, entry], at);
        this.#count++;
        return entry;
      }
      if (slots[at] === a && slots[at + 1] === b && slots[at + 2] === c) return found;
    }
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Uint32Array(2 * old.length);
    this.#count = 0;
    for (let at = 0; at < old.length; at += slotWords)
      if (old[at + 3]) this.#put(old[at]!, old[at + 1]!, old[at + 2]!, old[at + 3]!);
  }
}
