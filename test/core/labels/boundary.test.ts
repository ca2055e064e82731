import { describe, expect, it } from 'vitest';
import { boundaryDistance, boundaryMap } from '#core/labels/boundary';
import { rowRuns } from '#core/labels/row-runs';
import { Random } from '#core/random';
import { randomMap } from '../metrics/scenes.ts';
import { erodedBoundary, slowDistance } from '../metrics/slow-evaluation.ts';

describe('boundary distance', () => {
  it.each([
    [500, 375, 19],
    [1, 1, 1],
    [30, 40, 2], // 1.5, to even
    [70, 240, 8], // 7.5, to even
    [50, 120, 4], // 3.9
    [90, 120, 4], // 4.5, to even
  ])('of %i×%i is %i', (width, height, distance) => {
    expect(boundaryDistance(width, height)).toBe(distance);
  });

  it('rounds as the plain definition does', () => {
    for (let width = 1; width < 300; width += 7) {
      for (let height = 1; height < 300; height += 5) {
        expect(boundaryDistance(width, height)).toBe(slowDistance(width, height));
      }
    }
  });
});

describe('row runs', () => {
  it('end where the id changes and where a row ends', () => {
    expect([...rowRuns({ width: 3, height: 3, data: Uint16Array.of(5, 5, 1, 1, 1, 1, 2, 1, 2) })]).toEqual([
      2, 3, 6, 7, 8, 9,
    ]);
  });
});

describe('boundary map', () => {
  it('equals iterated erosion, label by label, on random maps', () => {
    const random = new Random(1);
    for (let round = 0; round < 1500; round++) {
      const width = 1 + random.integer(round % 10 === 0 ? 90 : 24);
      const height = 1 + random.integer(round % 10 === 0 ? 90 : 24);
      const map = randomMap(random, width, height, [0, 1, 2, 1000]);
      expect(boundaryMap(map)).toEqual(erodedBoundary(map, slowDistance(width, height)));
    }
  });

  it('writes into a longer buffer that held something else', () => {
    const map = { width: 3, height: 3, data: new Uint16Array(9) };
    const out = new Uint8Array(12).fill(7);
    boundaryMap(map, rowRuns(map), out);
    expect([...out]).toEqual([1, 1, 1, 1, 0, 1, 1, 1, 1, 7, 7, 7]);
  });
});
