/** Many names in memory for little more than their letters, where a string for each takes three times that and more. */

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
/** UTF-8 bytes of one UTF-16 unit at most. */
const widest = 3;

/** A list of names that only grows: their UTF-8 bytes, one name behind the other. */
export class NameList {
  #bytes = new Uint8Array(1 << 12);
  /** Where each name ends. */
  #ends = new Uint32Array(1 << 8);
  #count = 0;

  static of(names: Iterable<string>): NameList {
    const list = new NameList();
    for (const name of names) list.add(name);
    return list;
  }

  get length(): number {
    return this.#count;
  }

  add(name: string): void {
    const start = this.#startOf(this.#count);
    const needed = start + widest * name.length;
    if (needed > this.#bytes.length) this.#bytes = grown(this.#bytes, new Uint8Array(Math.max(needed, 2 * start)));
    if (this.#count === this.#ends.length) this.#ends = grown(this.#ends, new Uint32Array(2 * this.#count));
    this.#ends[this.#count++] = start + encoder.encodeInto(name, this.#bytes.subarray(start)).written;
  }

  at(index: number): string {
    return decoder.decode(this.bytesAt(index));
  }

  /** A view, until the next name is added. */
  bytesAt(index: number): Uint8Array {
    return this.#bytes.subarray(this.#startOf(index), this.#ends[index]);
  }

  #startOf(index: number): number {
    return index === 0 ? 0 : this.#ends[index - 1]!;
  }
}

function grown<T extends Uint8Array | Uint32Array>(old: T, larger: T): T {
  larger.set(old);
  return larger;
}

/** Order of bytes, as of keys: negative where `a` comes first. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}
