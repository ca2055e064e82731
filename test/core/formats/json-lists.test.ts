/** Documents of long lists have the bytes that JSON has of the whole. */
import { expect, test } from 'vitest';
import { JsonList, jsonOfLists } from '#core/formats/json-lists';

const listOf = (entries: readonly unknown[]): JsonList => {
  const list = new JsonList();
  for (const entry of entries) list.add(entry);
  return list;
};

test('entries of any kind, empty lists, and what follows', () => {
  const lists = {
    names: ['a"b.jpg', 'zwei\nZeilen', 'ü'],
    none: [],
    pairs: [
      { image: 'x', of: ['y', { z: 1 }] },
      { image: 'x2', of: [] },
    ],
    many: Array.from({ length: 20_000 }, (_, i) => `photo ${i}.jpg`),
  };
  const rest = { counts: { total: 3 }, timing: {} };
  const packed = Object.fromEntries(Object.entries(lists).map(([name, entries]) => [name, listOf(entries)]));
  const text = new TextDecoder().decode(jsonOfLists(packed, rest));
  expect(text).toBe(`${JSON.stringify({ ...lists, ...rest }, null, 2)}\n`);
});
