/** Rows of counts under integer keys, most of which never occur. */

/** Sums are exact up to 2^53. Memory grows with the keys seen, not with the range of keys. */
export class CountTable {
  /** Counts per row. */
  readonly width: number;
  readonly #rows = new Map<number, number>();
  #counts = new Float64Array(0);

  constructor(width: number) {
    this.width = width;
  }

  /** Rows so far. */
  get size(): number {
    return this.#rows.size;
  }

  /** [size, width]: all counts, row by row. Stale once a row is added. */
  get counts(): Float64Array {
    return this.#counts;
  }

  /** Offset of a key's counts, or undefined where the key has not been seen. */
  find(key: number): number | undefined {
    return this.#rows.get(key);
  }

  /** Offset of a key's counts; a new key starts with zeros. */
  row(key: number): number {
    const known = this.#rows.get(key);
    if (known !== undefined) return known;
    const offset = this.#rows.size * this.width;
    if (offset === this.#counts.length) this.#grow();
    this.#rows.set(key, offset);
    return offset;
  }

  /** Key and offset of every row, in the order in which they came. */
  entries(): IterableIterator<[key: number, offset: number]> {
    return this.#rows.entries();
  }

  /** Adds another table's counts. @throws RangeError if the widths differ. */
  merge(other: CountTable): void {
    if (other.width !== this.width) throw new RangeError(`${other.width} counts per row, not ${this.width}`);
    for (const [key, from] of other.entries()) {
      const to = this.row(key);
      for (let i = 0; i < this.width; i++) this.#counts[to + i]! += other.counts[from + i]!;
    }
  }

  #grow(): void {
    const larger = new Float64Array(Math.max(16 * this.width, 2 * this.#counts.length));
    larger.set(this.#counts);
    this.#counts = larger;
  }
}
