/** A tally as bytes, so that shards can be counted apart: integers of 7 bits per byte, low ones first. */
import { PermanentError } from '#core/errors';
import type { CountTable } from './count-table.ts';
import { Tally } from './tally.ts';

const magic = 0x7a11f;
const version = 1;

/** Canonical: equal tallies give equal bytes, in whatever order their cells came. */
export function tallyToBytes(tally: Tally): Uint8Array {
  const out = new IntegerWriter();
  out.write(magic);
  out.write(version);
  out.write(tally.firstClass);
  writeTable(out, tally.cells);
  writeTable(out, tally.places);
  out.write(tally.images);
  out.write(tally.facts.data.length);
  for (const value of tally.facts.data) out.write(value);
  return out.bytes();
}

/** @throws PermanentError if the bytes are not a tally's */
export function tallyFromBytes(bytes: Uint8Array): Tally {
  const input = new IntegerReader(bytes);
  if (input.read() !== magic || input.read() !== version) {
    throw new PermanentError('not a tally of this version; count the shard again');
  }
  const tally = new Tally(input.read() === 0 ? 'none' : 'auto');
  readTable(input, tally.cells);
  readTable(input, tally.places);
  const images = input.read();
  tally.facts.append(
    Int32Array.from({ length: input.read() }, () => input.read()),
    images,
  );
  return tally;
}

function writeTable(out: IntegerWriter, table: CountTable): void {
  const rows = [...table.entries()].sort(([a], [b]) => a - b);
  out.write(rows.length);
  let last = 0;
  for (const [key, at] of rows) {
    out.write(key - last);
    last = key;
    for (let i = 0; i < table.width; i++) out.write(table.counts[at + i]!);
  }
}

function readTable(input: IntegerReader, table: CountTable): void {
  let key = 0;
  for (let rows = input.read(); rows > 0; rows--) {
    key += input.read();
    const at = table.row(key);
    for (let i = 0; i < table.width; i++) table.counts[at + i] = input.read();
  }
}

/** Integers from 0 to 2^53 − 1. */
class IntegerWriter {
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

class IntegerReader {
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
