/** A threshold sweep as bytes, so that parts of a set can be counted apart. */
import { PermanentError } from '../errors.ts';
import { IntegerReader, IntegerWriter, readTable, writeTable } from './integer-bytes.ts';
import { ThresholdSweep } from './threshold-sweep.ts';

const magic = 0x53eeb;

/** The candidates are not written: both sides know them. */
export function sweepToBytes({ counts }: ThresholdSweep): Uint8Array {
  const out = new IntegerWriter();
  out.write(magic);
  out.write(counts.candidates.length);
  writeTable(out, counts.cells);
  writeTable(out, counts.truth);
  out.write(counts.presence.length);
  for (const value of counts.presence) out.write(value);
  return out.bytes();
}

/** @param candidates as in the sweep that was written. @throws PermanentError if the bytes are not such a sweep's */
export function sweepFromBytes(bytes: Uint8Array, candidates?: readonly number[]): ThresholdSweep {
  const input = new IntegerReader(bytes);
  const sweep = new ThresholdSweep(candidates);
  if (input.read() !== magic || input.read() !== sweep.counts.candidates.length) {
    throw new PermanentError('not a threshold sweep over these candidates; count again');
  }
  readTable(input, sweep.counts.cells);
  readTable(input, sweep.counts.truth);
  for (let rest = input.read(); rest > 0; rest--) sweep.counts.presence.push(input.read());
  return sweep;
}
