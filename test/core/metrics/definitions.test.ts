import { describe, expect, it } from 'vitest';
import { CountTable } from '#core/metrics/count-table';
import { fBeta } from '#core/metrics/f-beta';
import { iou } from '#core/metrics/iou';
import {
  applyMatching,
  completeMatching,
  joinsIds,
  listedIds,
  readMatching,
  writeMatching,
} from '#core/metrics/saved-matching';
import { sizeBinOf, sizeBins } from '#core/metrics/size-bins';

describe('small definitions, by hand', () => {
  it.each([
    [5, 100, 's'],
    [51, 1000, 'ms'], // 5.1 % is rounded up to 6
    [25, 100, 'ms'],
    [251, 1000, 'ml'],
    [50, 100, 'ml'],
    [501, 1000, 'l'],
    [1, 1, 'l'],
  ] as const)('%i of %i pixels fall into bin %s', (pixels, total, bin) => {
    expect(sizeBins[sizeBinOf(pixels, total)]).toBe(bin);
  });

  it('IoU and F-beta', () => {
    expect(iou(2, 3, 5)).toBeCloseTo(2 / 6, 9);
    expect(iou(0, 0, 0)).toBe(0);
    // Precision 1/2, recall 1/4: 1.3 · 0.125 / (0.3 · 0.5 + 0.25).
    expect(fBeta(2, 4, 8)).toBeCloseTo(0.40625, 12);
    expect(fBeta(0, 5, 0)).toBe(0);
    expect(fBeta(0, 0, 0)).toBe(0);
  });

  it('rows of counts grow with the keys and add up', () => {
    const [a, b] = [new CountTable(2), new CountTable(2)];
    for (let key = 0; key < 100; key++) {
      const at = (key % 2 ? a : b).row(key * 1e6);
      (key % 2 ? a : b).counts.set([key, 1], at);
    }
    const shared = b.row(1e6);
    b.counts[shared] = 1000;
    a.merge(b);
    expect(a.size).toBe(100);
    expect(a.counts[a.find(99e6)!]).toBe(99);
    expect(a.counts[a.find(98e6)!]).toBe(98);
    expect(a.counts[a.find(1e6)!]).toBe(1001);
    expect(a.find(7)).toBeUndefined();
    expect(() => a.merge(new CountTable(3))).toThrow('3 counts per row, not 2');
  });
});

describe('a saved matching', () => {
  const read = (text: string, background: 'auto' | 'none' = 'auto') => readMatching(text, 'match.json', background);

  it('reads what was written', () => {
    const { classOf, kind } = read(writeMatching({ 0: 0, 3: 919, 12: 1 }));
    expect(kind).toBe('match.json');
    expect([...classOf]).toEqual([
      [0, 0],
      [3, 919],
      [12, 1],
    ]);
  });

  it('keeps background where there is one', () => {
    expect(read('{"3":1}').classOf.get(0)).toBe(0);
    expect(read('{"3":1}', 'none').classOf.has(0)).toBe(false);
    expect(read('{"0":4}', 'none').classOf.get(0)).toBe(4);
    expect(() => read('{"0":4}')).toThrow('match.json matches 0 to 4, but 0 is background');
  });

  it.each(['{"a":1}', '{"1":"2"}', '{"1":-1}', '{"1":1.5}', '{"70000":1}', '{"1":70000}'])('refuses %s', text => {
    expect(() => read(text)).toThrow('is not a predicted id and a class id');
  });

  it.each(['[1]', 'null', '7', '{'])('refuses %s, which holds none', text => {
    expect(() => read(text)).toThrow('expected {"predicted id": class id, …}');
  });

  it('may list ids that stand for no class', () => {
    const saved = read(writeMatching({ 0: 0, 1: 2 }, [3, 2]));
    expect([...saved.classOf]).toEqual([
      [0, 0],
      [1, 2],
    ]);
    expect(saved.unmatched).toEqual([2, 3]);
    expect(listedIds(saved)).toEqual([0, 1, 2, 3]);
    expect(read('{"0":null}').unmatched).toEqual([]);
  });

  it('is completed: every cluster gets a class while there are enough', () => {
    expect(completeMatching({ 0: 0, 2: 3, 4: 1 }, 4, [1, 2, 3, 4])).toEqual({
      matching: { 0: 0, 1: 2, 2: 3, 3: 4, 4: 1 },
      unmatched: [],
    });
    expect(completeMatching({ 0: 0, 2: 1 }, 3, [1, 2])).toEqual({ matching: { 0: 0, 2: 1 }, unmatched: [1, 3] });
    expect(completeMatching({ 1: 1 }, 2, [0, 1]).matching).toEqual({ 1: 1, 2: 0 });
  });

  it('says whether it joins ids, and replaces them', () => {
    expect(joinsIds(read('{"1":2,"2":1}'))).toBe(false);
    expect(joinsIds(read('{"1":2,"2":2}'))).toBe(true);
    expect(joinsIds(read('{"1":0}'))).toBe(true);
    const map = { width: 4, height: 1, data: Uint16Array.of(0, 1, 2, 9) };
    expect([...applyMatching(map, read('{"1":2,"2":2}')).data]).toEqual([0, 2, 2, 65535]);
  });
});
