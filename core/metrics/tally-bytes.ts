/** A tally as bytes, so that shards can be counted apart. */
import { PermanentError } from '#core/errors';
import { IntegerReader, IntegerWriter, readTable, writeTable } from './integer-bytes.ts';
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
