/**
 * Label Studio's run-length encoding of brush masks: a list of bytes, read as one string of bits.
 *
 *   32 bits      how many values follow: 4 per pixel, red, green, blue and alpha, row by row
 *    5 bits      bits per value, less 1 (7: a value has 8 bits)
 *   4 × 4 bits   the four lengths a run's length can have, in bits, less 1 (3, 4, 8 and 16 bits)
 *   then runs:   1 bit, 1: one value many times, 0: different values; 2 bits: which of the four lengths;
 *                the run's length less 1; the value, or the values
 *   zeros up to a whole byte
 *
 * A pixel inside is 255 four times, outside 0 four times; the editor goes by alpha and paints in the label's colour.
 * Example, one pixel inside, 4 values: 00 00 00 04 | 00111 0010 0011 0111 1111 | 1 00 011 11111111 | 00000, so the
 * bytes are 0 0 0 4 57 27 252 127 224. Source: rle-pack of thi.ng/umbrella, as used by Label Studio.
 */

/** Bits of a run's length, in the order of the two bits that choose among them. */
const lengthBits = [3, 4, 8, 16] as const;
const valueBits = 8;
const longestRun = 1 << 16;

class BitWriter {
  readonly bytes: number[] = [];
  #bit = 0;

  /** @param count up to 32 */
  write(value: number, count: number): void {
    for (let i = count - 1; i >= 0; i--) {
      if (this.#bit === 0) this.bytes.push(0);
      this.bytes[this.bytes.length - 1]! |= ((value >>> i) & 1) << (7 - this.#bit);
      this.#bit = (this.#bit + 1) % 8;
    }
  }
}

function writeRun(bits: BitWriter, value: number, length: number): void {
  for (let left = length; left > 0; left -= longestRun) {
    const part = Math.min(left, longestRun);
    const choice = lengthBits.findIndex(count => part <= 1 << count);
    bits.write(1, 1);
    bits.write(choice, 2);
    bits.write(part - 1, lengthBits[choice]!);
    bits.write(value, valueBits);
  }
}

/**
 * Encodes a mask.
 * @param runs pixels outside and inside in turn, beginning outside, row by row over the whole picture (`pictureRuns`)
 */
export function encodeBrush(runs: readonly number[]): number[] {
  const bits = new BitWriter();
  bits.write(4 * runs.reduce((sum, run) => sum + run, 0), 32);
  bits.write(valueBits - 1, 5);
  for (const count of lengthBits) bits.write(count - 1, 4);
  for (let i = 0; i < runs.length; i++) writeRun(bits, i % 2 === 1 ? 255 : 0, 4 * runs[i]!);
  return bits.bytes;
}

/** All values: 4 per pixel. @throws RangeError if the bytes end early */
export function decodeBrush(bytes: readonly number[]): Uint8Array {
  let at = 0;
  const read = (count: number) => {
    if (at + count > bytes.length * 8) throw new RangeError('the brush mask ends early');
    let value = 0;
    for (let i = 0; i < count; i++, at++) value = value * 2 + ((bytes[at >> 3]! >> (7 - (at & 7))) & 1);
    return value;
  };
  const values = new Uint8Array(read(32));
  const size = read(5) + 1;
  const lengths = [0, 0, 0, 0].map(() => read(4) + 1);
  for (let i = 0; i < values.length; ) {
    const same = read(1) === 1;
    const end = i + read(lengths[read(2)]!) + 1;
    if (same) values.fill(read(size), i, end);
    else for (let j = i; j < end; j++) values[j] = read(size);
    i = end;
  }
  return values;
}
