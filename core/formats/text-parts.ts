/** A long text written bit by bit, kept as UTF-8 bytes. */

const blockLength = 1 << 16;

export class TextParts {
  readonly #encoder = new TextEncoder();
  readonly #blocks: Uint8Array[] = [];
  #open: string[] = [];
  #openLength = 0;

  add(text: string): this {
    this.#open.push(text);
    this.#openLength += text.length;
    if (this.#openLength > blockLength) this.#close();
    return this;
  }

  /** Takes over what another text holds so far. */
  append(other: TextParts): this {
    this.#close();
    other.#close();
    this.#blocks.push(...other.#blocks);
    return this;
  }

  #close(): void {
    this.#blocks.push(this.#encoder.encode(this.#open.join('')));
    this.#open = [];
    this.#openLength = 0;
  }

  /** Everything so far in one piece. */
  bytes(): Uint8Array {
    this.#close();
    const whole = new Uint8Array(this.#blocks.reduce((sum, block) => sum + block.length, 0));
    let at = 0;
    for (const block of this.#blocks) {
      whole.set(block, at);
      at += block.length;
    }
    return whole;
  }
}
