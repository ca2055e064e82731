/** Segments against regions found by flooding, pixel by pixel, and confidences against their definition. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mostSegments } from '#core/api/limits';
import { segmentsOf } from '#core/api/segments';
import { connectedComponents } from '#core/formats/components';
import { fillPolygons } from '#core/formats/polygons';
import { decompressCounts, maskOfCounts } from '#core/formats/rle';
import type { LabelMap } from '#core/labels/label-map';
import { margin } from '#core/labels/pseudo-label';
import { regionConfidence } from '#core/labels/region-confidence';

const anyMap = fc
  .record({ width: fc.integer({ min: 1, max: 9 }), height: fc.integer({ min: 1, max: 9 }) })
  .chain(({ width, height }) =>
    fc
      .array(fc.integer({ min: 0, max: 3 }), { minLength: width * height, maxLength: width * height })
      .map((ids): LabelMap => ({ width, height, data: Uint16Array.from(ids) })),
  );

/** Pixels of the region around `start`, by flooding along edges. */
function flood({ width, height, data }: LabelMap, start: number): Set<number> {
  const found = new Set([start]);
  for (const i of found) {
    const [x, y] = [i % width, Math.floor(i / width)];
    const next = [x > 0 && i - 1, x < width - 1 && i + 1, y > 0 && i - width, y < height - 1 && i + width];
    for (const j of next) if (j !== false && data[j] === data[start]) found.add(j);
  }
  return found;
}

function regionsOf(map: LabelMap): Set<number>[] {
  const seen = new Set<number>();
  const regions: Set<number>[] = [];
  for (let i = 0; i < map.data.length; i++) {
    if (map.data[i] === 0 || seen.has(i)) continue;
    regions.push(flood(map, i));
    for (const pixel of regions.at(-1)!) seen.add(pixel);
  }
  return regions;
}

const certain = ({ count }: { count: number }) => new Float64Array(count).fill(1);

describe('segments', () => {
  it('are the regions, each exactly once, however they are written', () => {
    fc.assert(
      fc.property(anyMap, map => {
        const { segments, classes, total } = segmentsOf(map, certain, { rle: true, polygons: true });
        const regions = regionsOf(map).sort((a, b) => b.size - a.size);
        expect([segments.length, total]).toEqual([regions.length, regions.length]);
        expect(segments.map(({ area }) => area)).toEqual(regions.map(region => region.size));
        const left = new Set(regions.map(region => [...region].sort((a, b) => a - b).join()));
        for (const { rle, polygon, box, classId } of segments) {
          const mask = maskOfCounts(decompressCounts(rle!.counts), map.width, map.height);
          const rings = [polygon!.outer, ...polygon!.holes].map(ring => Int32Array.from(ring));
          expect(fillPolygons(rings, map.width, map.height)).toEqual(mask);
          const pixels = [...mask.keys()].filter(i => mask[i]);
          expect(left.delete(pixels.join())).toBe(true);
          const [xs, ys] = [pixels.map(i => i % map.width), pixels.map(i => Math.floor(i / map.width))];
          const [x, y] = [Math.min(...xs), Math.min(...ys)];
          expect(box).toEqual([x, y, Math.max(...xs) - x + 1, Math.max(...ys) - y + 1]);
          expect(pixels.every(i => map.data[i] === classId)).toBe(true);
        }
        for (const { id, pixels, segments: own } of classes) {
          expect(pixels).toBe(map.data.filter(one => one === id).length);
          expect(own).toBe(segments.filter(({ classId }) => classId === id).length);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('are the largest where there are too many, and classes count all', () => {
    const [width, height] = [80, 80];
    const data = Uint16Array.from({ length: width * height }, (_, i) => ((i % width) + Math.floor(i / width)) % 2);
    data.fill(2, 0, 10);
    const { segments, total, classes } = segmentsOf({ width, height, data }, certain, { rle: false, polygons: false });
    expect(segments).toHaveLength(mostSegments);
    expect(segments[0]).toMatchObject({ classId: 2, area: 10, box: [0, 0, 10, 1] });
    expect(classes.reduce((sum, item) => sum + item.segments, 0)).toBe(total);
    expect(total).toBeGreaterThan(3000);
  });
});

describe('the confidence of a region', () => {
  it('is the mean margin over its grid positions, or that under its first pixel', () => {
    // Grid 2 × 2 over 4 × 4 pixels; the middle pixels of the positions are (1 or 3, 1 or 3).
    const map: LabelMap = { width: 4, height: 4, data: Uint16Array.of(1, 1, 0, 0, 1, 1, 0, 2, 1, 1, 0, 0, 1, 1, 3, 0) };
    const scores = { data: Float32Array.of(0.9, 0.8, 0.7, 0.6, 0.1, 0.2, 0.3, 0.4), classes: 2, width: 2, height: 2 };
    const at = (position: number) => margin(scores, position, 1);
    const [left, right, corner] = regionConfidence(connectedComponents(map), map, scores, 1);
    expect(left).toBeCloseTo((at(0) + at(2)) / 2, 6);
    expect(right).toBeCloseTo(at(1), 6);
    expect(corner).toBeCloseTo(at(3), 6);
  });
});
