/** Counting labels, and telling what an edit changes, held against looking at every pixel. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ignoreClasses, mergeClasses, renameClass } from '#core/labels/class-edits';
import { applyClasses, type ClassMap, defaultClasses } from '#core/labels/class-map';
import { LabelCounter, occurrenceOfClass, parseLabelCounts, previewEdit } from '#core/labels/label-counts';
import type { LabelMap } from '#core/labels/label-map';

const mapOf = (labels: number[]): LabelMap => ({ width: labels.length, height: 1, data: Uint16Array.from(labels) });
const countsOf = (maps: LabelMap[]) => {
  const counter = new LabelCounter();
  for (const map of maps) counter.add(map);
  return counter.counts();
};

describe('label counts', () => {
  it('by hand', () => {
    const counts = countsOf([mapOf([0, 1, 1, 2]), mapOf([2, 2]), mapOf([0]), mapOf([2])]);
    expect(counts).toEqual({
      images: 4,
      pixels: [
        [0, 2],
        [1, 2],
        [2, 4],
      ],
      sets: [
        [[0, 1, 2], 1],
        [[2], 2],
        [[0], 1],
      ],
    });
    expect(occurrenceOfClass(counts, mergeClasses(defaultClasses(2), ['1', '2']).classes[0]!)).toEqual({
      pixels: 6,
      images: 3,
    });
    expect(parseLabelCounts(JSON.parse(JSON.stringify(counts)))).toEqual(counts);
    expect(parseLabelCounts({ images: 'many' })).toBeUndefined();
  });

  const edits: ((m: ClassMap) => ClassMap)[] = [
    m => renameClass(m, '2', 'cat'),
    m => mergeClasses(m, ['1', '3']),
    m => mergeClasses(m, ['3', '1', '4'], 'x'),
    m => ignoreClasses(m, ['4'], true),
    m => m,
  ];
  it('a preview counts the pixels and images that exports describe in another way', () => {
    const maps = fc.array(fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 8 }).map(mapOf), {
      maxLength: 8,
    });
    fc.assert(
      fc.property(maps, fc.constantFrom(...edits), (list, edit) => {
        const before = defaultClasses(4);
        const after = edit(before);
        const described = (classes: ClassMap, map: LabelMap) =>
          [...applyClasses(map, classes).data].map(id => classes.classes.find(item => item.id === id)?.name ?? '');
        let [pixels, images] = [0, 0];
        for (const map of list) {
          const [was, is] = [described(before, map), described(after, map)];
          const idsWere = applyClasses(map, before).data;
          const idsAre = applyClasses(map, after).data;
          const changed = was.filter((name, i) => name !== is[i] || idsWere[i] !== idsAre[i]).length;
          pixels += changed;
          images += Number(changed > 0);
        }
        expect(previewEdit(before, after, countsOf(list))).toEqual({ pixels, images });
      }),
    );
  });
});
