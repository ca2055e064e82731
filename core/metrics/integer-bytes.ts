/** Counts as bytes: integers of 7 bits per byte, low ones first. */
import { PermanentError } from '../errors.ts';
import type { CountTable } from './count-table.ts';

/** Rows in order of their keys, so that equal tables give equal bytes. */
export function writeTable(out: IntegerWriter, table: CountTable): void {
  const rows = [...table.entries()].sort(([a], [b]) => a - b);
  out.write(rows.length);
  let last = 0;
  for (const [key, at] of rows) {
    out.write(key - last);
    last = key;
    for (let i = 0; i < table.width; i++) out.write(table.counts[at + i]!);
  }
}

/** Adds the rows that `writeTable` wrote. @throws PermanentError if the bytes are cut off */
export function readTable(input: IntegerReader, table: CountTable): void {
  let key = 0;
  for (let rows = input.read(); rows > 0; rows--) {
    key += input.read();
    const at = table.row(key);
    for (let i = 0; i < table.width; i++) table.counts[at + i] = input.read();
  }
}

/** Integers from 0 to 2^53 − 1. */
export class IntegerWriter {
  #data = new Uint8Array(1024);
  #length = 0;

  write(value: number): void {
    if (this.#length + 8 > this.#data.length) this.#grow();
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.#data[this.#length++] = (rest % 128) + 128;
    this.#data[this.#length++] = rest;
  }

  bytes(): Uint8Array {
    return this.#data.slice(0, this.#length);
  }

  #grow(): void {
    const larger = new Uint8Array(2 * this.#data.length);
    larger.set(this.#data);
    this.#data = larger;
  }
}

export class IntegerReader {
  readonly #data: Uint8Array;
  #at = 0;

  constructor(data: Uint8Array) {
    this.#data = data;
  }

  read(): number {
    let value = 0;
    for (let unit = 1; ; unit *= 128) {
      const byte = this.#data[this.#at++];
      if (byte === undefined) throw new PermanentError('a tally is cut off; count the shard again');
      value += (byte % 128) * unit;
      if (byte < 128) return value;
    }
  }
}
