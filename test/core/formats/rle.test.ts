/** Run-length encoding: by hand, as pycocotools writes it, and there and back. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { classRuns, compressCounts, decompressCounts, maskOfCounts, pictureRuns, rowRuns } from '#core/formats/rle';
import type { LabelMap } from '#core/labels/label-map';
import { drawnMap, idsIn, labelMaps, maskOf } from './label-maps.ts';

interface Case {
  name: string;
  width: number;
  height: number;
  ids: number[] | 'rectangles';
  masks: { id: number; counts: string; area: number; bbox: number[] }[];
}

/** The large map of the fixture, as its header describes it. */
const idInRectangles = (x: number, y: number) => (y >= 40 && y <= 289 && x >= 3 && x <= 198 && y !== 150 ? 5 : 0);

function mapOfCase({ width, height, ids }: Case): LabelMap {
  const data = Uint16Array.from({ length: width * height }, (_, i) =>
    ids === 'rectangles' ? idInRectangles(i % width, Math.floor(i / width)) : ids[i]!,
  );
  return { width, height, data };
}

describe('COCO', () => {
  it('writes the example of the format note', () => {
    const [runs] = classRuns(drawnMap('.1.', '11.'));
    expect(runs).toEqual({ id: 1, area: 3, box: { left: 0, top: 0, width: 2, height: 2 }, counts: [1, 3, 2] });
    expect(compressCounts(runs!.counts)).toBe('132');
  });

  const fixture = JSON.parse(readFileSync(new URL('../../fixtures/rle-pycocotools.json', import.meta.url), 'utf8'));
  it.each(fixture.cases as Case[])('writes what pycocotools writes: $name', item => {
    const ours = classRuns(mapOfCase(item)).map(({ id, counts, area, box }) => ({
      id,
      counts: compressCounts(counts),
      area,
      bbox: [box.left, box.top, box.width, box.height],
    }));
    expect(ours).toEqual(item.masks);
    for (const { id, counts } of item.masks) {
      expect(maskOfCounts(decompressCounts(counts), item.width, item.height)).toEqual(maskOf(mapOfCase(item), id));
    }
  });

  it('gives back the mask of every id of any map, in ascending order of ids', () => {
    fc.assert(
      fc.property(labelMaps({ side: 15, ids: [1, 3, 700] }), map => {
        const runs = classRuns(map);
        expect(runs.map(({ id }) => id)).toEqual(idsIn(map));
        for (const { id, counts, area, box } of runs) {
          const mask = maskOf(map, id);
          expect(maskOfCounts(counts, map.width, map.height)).toEqual(mask);
          const inside = [...mask.keys()].filter(i => mask[i] === 1);
          const [xs, ys] = [inside.map(i => i % map.width), inside.map(i => Math.floor(i / map.width))];
          expect(area).toBe(inside.length);
          expect([box.left, box.top]).toEqual([Math.min(...xs), Math.min(...ys)]);
          expect([box.left + box.width - 1, box.top + box.height - 1]).toEqual([Math.max(...xs), Math.max(...ys)]);
        }
      }),
    );
  });

  it('compresses any counts and reads them back', () => {
    const counts = fc.array(fc.integer({ min: 0, max: 50_000_000 }), { maxLength: 30 });
    fc.assert(
      fc.property(counts, list => {
        expect(decompressCounts(compressCounts(list))).toEqual(list);
      }),
    );
  });

  it('refuses runs that do not fit', () => {
    expect(() => maskOfCounts([1, 2], 2, 2)).toThrow(/3 pixels of a 2×2/);
    expect(() => decompressCounts('P')).toThrow(/within a number/);
  });
});

describe('over the whole picture, row by row', () => {
  it('are the runs of each mask', () => {
    fc.assert(
      fc.property(labelMaps({ side: 12, ids: [1, 4, 300] }), map => {
        const runs = pictureRuns(map);
        expect([...runs.keys()]).toEqual(idsIn(map));
        for (const [id, lengths] of runs) {
          expect(lengths.flatMap((length, i) => new Array<number>(length).fill(i % 2))).toEqual([...maskOf(map, id)]);
          expect(lengths.slice(1).every(length => length > 0)).toBe(true);
        }
      }),
    );
  });
});

describe('CVAT', () => {
  it('writes the example of the format note', () => {
    const map = drawnMap('.1.', '11.');
    expect(rowRuns(map, 1, classRuns(map)[0]!.box)).toEqual([1, 3]);
  });
  it('writes the example of CVAT’s own format page', () => {
    // docs.cvat.ai, "XML annotation format": a disc 13 wide and 15 high.
    const runs = [3, 5, 7, 7, 5, 9, 3, 11, 2, 11, 2, 12, 1, 12, 1, 26, 1, 12, 1, 12, 2, 11, 3, 9, 5, 7, 7, 5, 3];
    const data = Uint16Array.from(runs.flatMap((length, i) => new Array<number>(length).fill(i % 2)));
    const map = { width: 13, height: 15, data };
    const [disc] = classRuns(map);
    expect(disc!.box).toEqual({ left: 0, top: 0, width: 13, height: 15 });
    expect(rowRuns(map, 1, disc!.box)).toEqual(runs);
  });
});
