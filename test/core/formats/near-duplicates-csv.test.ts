/** near-duplicates.csv goes and comes back. */
import { expect, test } from 'vitest';
import { parseNearDuplicatesCsv, writeNearDuplicatesCsv } from '#core/formats/near-duplicates-csv';

test('rows read back as they were written', () => {
  const rows = [
    { group: 1, image: 'a "b",c.jpg', like: 'ü.jpg', cosine: 0.997 },
    { group: 1, image: 'ü.jpg', like: 'a "b",c.jpg', cosine: 0.997 },
  ];
  const text = writeNearDuplicatesCsv(rows);
  expect(text.split('\n')[0]).toBe('group,image,like,cosine');
  expect(parseNearDuplicatesCsv(text)).toEqual(rows);
  expect(parseNearDuplicatesCsv(writeNearDuplicatesCsv([]))).toEqual([]);
  expect(() => parseNearDuplicatesCsv('image,cluster\n')).toThrow('near-duplicates.csv: the first line must read');
});
