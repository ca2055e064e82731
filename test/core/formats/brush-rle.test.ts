/** Label Studio's brush masks: as its own converter writes them, and there and back. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeBrush, encodeBrush } from '#core/formats/brush-rle';

interface Case {
  name: string;
  width: number;
  height: number;
  mask: string;
  rle: number[];
}

const fixture = JSON.parse(readFileSync(new URL('../../fixtures/brush-label-studio.json', import.meta.url), 'utf8'));

/** Runs of a mask, beginning outside. */
function runsOf(mask: Uint8Array): number[] {
  const runs = [0];
  for (let i = 0; i < mask.length; i++) {
    if (mask[i] !== (runs.length - 1) % 2) runs.push(0);
    runs[runs.length - 1]!++;
  }
  return runs;
}

/** The four values of each pixel. Compared as buffers, since `toEqual` is slow on large arrays. */
const valuesOf = (mask: Uint8Array) =>
  Buffer.from(Uint8Array.from({ length: 4 * mask.length }, (_, i) => 255 * mask[i >> 2]!));

function maskOfCase({ width, height, mask }: Case): Uint8Array {
  if (/^[01]+$/.test(mask)) return Uint8Array.from(mask, Number);
  return Uint8Array.from({ length: width * height }, (_, i) => Number(i % width === 5 && i >= 130 * width));
}

describe('brush masks', () => {
  it('the example of the format note', () => {
    expect(encodeBrush([0, 1])).toEqual([0, 0, 0, 4, 57, 27, 252, 127, 224]);
    expect([...decodeBrush([0, 0, 0, 4, 57, 27, 252, 127, 224])]).toEqual([255, 255, 255, 255]);
  });
  it.each(fixture.cases as Case[])('are those of label-studio-converter, but for zeros at the end: $name', item => {
    const mask = maskOfCase(item);
    const ours = encodeBrush(runsOf(mask));
    expect(item.rle.slice(0, ours.length)).toEqual(ours);
    expect(item.rle.slice(ours.length)).toEqual(item.rle.length > ours.length ? [0] : []);
    for (const rle of [ours, item.rle]) {
      expect(valuesOf(mask).equals(decodeBrush(rle))).toBe(true);
    }
  });
  it('give back any mask', () => {
    const runs = fc.array(fc.oneof(fc.integer({ min: 1, max: 70 }), fc.integer({ min: 16380, max: 16390 })), {
      maxLength: 6,
    });
    fc.assert(
      fc.property(runs, lengths => {
        const mask = Uint8Array.from(lengths.flatMap((length, i) => new Array<number>(length).fill(i % 2)));
        expect(valuesOf(mask).equals(decodeBrush(encodeBrush(runsOf(mask))))).toBe(true);
      }),
      { numRuns: 30 },
    );
  });
  it('read runs of different values too, and notice an early end', () => {
    // 8 values: header, then 0 (different) 01 (4 bits) 0111 (8 values) and the values 1 … 8.
    const bits = `${(8).toString(2).padStart(32, '0')}00111${'0010001101111111'}0010111${[1, 2, 3, 4, 5, 6, 7, 8].map(v => v.toString(2).padStart(8, '0')).join('')}`;
    const bytes = bits.match(/.{1,8}/g)!.map(byte => Number.parseInt(byte.padEnd(8, '0'), 2));
    expect([...decodeBrush(bytes)]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(() => decodeBrush(bytes.slice(0, -2))).toThrow(RangeError);
  });
});
