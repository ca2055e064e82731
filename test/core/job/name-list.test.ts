/** Many names in little memory. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareBytes, NameList } from '#core/job/name-list';

test('gives back every name, whatever its letters', () => {
  const name = fc.string({ unit: 'grapheme', maxLength: 40 });
  fc.assert(
    fc.property(fc.array(name, { maxLength: 400 }), names => {
      const list = NameList.of(names);
      expect(Array.from({ length: list.length }, (_, i) => list.at(i))).toEqual(names);
    }),
    { numRuns: 30 },
  );
});

test('grows beyond its first memory, names in order as bytes', () => {
  const list = new NameList();
  for (let i = 0; i < 3000; i++) list.add(`\ufeffbild ${String(i).padStart(5, '0')} – ü😀.jpg`);
  expect([list.length, list.at(0), list.at(2999)]).toEqual([
    3000,
    '\ufeffbild 00000 – ü😀.jpg',
    '\ufeffbild 02999 – ü😀.jpg',
  ]);
  for (let i = 1; i < 3000; i++) expect(compareBytes(list.bytesAt(i - 1), list.bytesAt(i))).toBeLessThan(0);
  expect(compareBytes(list.bytesAt(7), list.bytesAt(7).subarray(0, 4))).toBeGreaterThan(0);
});
