/** Components and outlines, held against flood fill and the even-odd rule written from their definitions. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { connectedComponents } from '#core/formats/components';
import { fillPolygons, keyhole, type Polygon, traceRegions } from '#core/formats/polygons';
import type { LabelMap } from '#core/labels/label-map';
import { awkwardMaps, drawnMap, labelMaps } from './label-maps.ts';
import { fillByRays } from './ray-fill.ts';

const edges = [
  [1, 0],
  [-1, 0],
  [0, 1],
  [0, -1],
] as const;
const edgesAndCorners = [...edges, [1, 1], [1, -1], [-1, 1], [-1, -1]] as const;

/** Pixels reached from `start` through pixels for which `same` holds. */
function flood(
  map: LabelMap,
  start: number,
  steps: readonly (readonly [number, number])[],
  same: (i: number) => boolean,
) {
  const reached = new Set([start]);
  for (const i of reached) {
    for (const [dx, dy] of steps) {
      const [x, y] = [(i % map.width) + dx, Math.floor(i / map.width) + dy];
      if (x < 0 || y < 0 || x >= map.width || y >= map.height) continue;
      if (same(y * map.width + x)) reached.add(y * map.width + x);
    }
  }
  return reached;
}

/** How many holes a set of pixels has: parts of the rest that cannot leave the picture, not even over corners. */
function holesOf(map: LabelMap, region: Set<number>): number {
  const padded = { width: map.width + 2, height: map.height + 2, data: new Uint16Array(0) };
  const inRegion = (i: number) => {
    const [x, y] = [(i % padded.width) - 1, Math.floor(i / padded.width) - 1];
    return x >= 0 && y >= 0 && x < map.width && y < map.height && region.has(y * map.width + x);
  };
  const seen = flood(padded, 0, edgesAndCorners, i => !inRegion(i));
  let holes = 0;
  for (let i = 0; i < padded.width * padded.height; i++) {
    if (seen.has(i) || inRegion(i)) continue;
    holes++;
    for (const j of flood(padded, i, edgesAndCorners, k => !inRegion(k))) seen.add(j);
  }
  return holes;
}

const signedArea = (polygon: Polygon) => {
  let sum = 0;
  for (let i = 0; i < polygon.length; i += 2) {
    const j = (i + 2) % polygon.length;
    sum += polygon[i]! * polygon[j + 1]! - polygon[j]! * polygon[i + 1]!;
  }
  return sum / 2;
};

const small = labelMaps({ side: 11, ids: [1, 2] });

describe('connected components', () => {
  it('are what flood fill finds, numbered by first pixel', () => {
    fc.assert(
      fc.property(labelMaps({ side: 14, ids: [1, 2, 9] }), map => {
        const { component, count, ids, pixels } = connectedComponents(map);
        let next = 0;
        const expected = new Int32Array(map.data.length).fill(-1);
        for (let i = 0; i < expected.length; i++) {
          if (map.data[i] === 0 || expected[i] !== -1) continue;
          const reached = flood(map, i, edges, j => map.data[j] === map.data[i]);
          for (const j of reached) expected[j] = next;
          expect([ids[next], pixels[next]]).toEqual([map.data[i], reached.size]);
          next++;
        }
        expect(component).toEqual(expected);
        expect(count).toBe(next);
      }),
    );
  });
});

describe('outlines', () => {
  it('of an L, by hand', () => {
    const [region] = traceRegions(drawnMap('11', '1.'));
    expect([...region!.outer]).toEqual([2, 0, 2, 1, 1, 1, 1, 2, 0, 2, 0, 0]);
    expect(region!.holes).toEqual([]);
  });
  it('of a ring, by hand', () => {
    const [region] = traceRegions(drawnMap('111', '1.1', '111'));
    expect([...region!.outer]).toEqual([3, 0, 3, 3, 0, 3, 0, 0]);
    expect(region!.holes.map(hole => [...hole])).toEqual([[2, 2, 2, 1, 1, 1, 1, 2]]);
    expect(signedArea(region!.holes[0]!)).toBe(-1);
  });

  it('cuts from a hole to the nearest outline above, by hand', () => {
    const [region] = traceRegions(drawnMap('111', '1.1', '111', '1.1', '111'));
    const corners = keyhole(region!).join(' ');
    expect(corners).toContain('1 0 1 1');
    expect(corners).toContain('1 2 1 3');
  });

  const check = (map: LabelMap) => {
    const { component, count } = connectedComponents(map);
    const regions = traceRegions(map);
    expect(regions.length).toBe(count);
    regions.forEach((region, number) => {
      const pixels = new Set([...component.keys()].filter(i => component[i] === number));
      const mask = Uint8Array.from(component, value => Number(value === number));
      const loops = [region.outer, ...region.holes];
      expect(fillByRays(loops, map.width, map.height)).toEqual(mask);
      expect(fillPolygons(loops, map.width, map.height)).toEqual(mask);
      expect(region.holes.length).toBe(holesOf(map, pixels));
      expect(signedArea(region.outer)).toBeGreaterThan(0);
      for (const hole of region.holes) expect(signedArea(hole)).toBeLessThan(0);
      const joined = keyhole(region);
      expect(fillByRays([joined], map.width, map.height)).toEqual(mask);
      expect(fillPolygons([joined], map.width, map.height)).toEqual(mask);
      expect(signedArea(joined)).toBe(region.pixels);
    });
  };

  it.each(Object.entries(awkwardMaps))('give back %s', (_, map) => check(map));
  it('give back any map, holes and keyholes included', () => {
    fc.assert(fc.property(small, check), { numRuns: 150 });
  });
});
