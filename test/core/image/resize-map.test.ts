import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { resizeMap } from '#core/image/resize-map';

/** One sample from the definition (align_corners = false, edges repeated), in float64. */
function plainSample(map: Float32Array, height: number, width: number, y: number, x: number): number {
  const at = (q: number, p: number) => map[Math.min(q, height - 1) * width + Math.min(p, width - 1)]!;
  const top = Math.floor(y);
  const left = Math.floor(x);
  const [v, u] = [y - top, x - left];
  return (
    (1 - v) * ((1 - u) * at(top, left) + u * at(top, left + 1)) +
    v * ((1 - u) * at(top + 1, left) + u * at(top + 1, left + 1))
  );
}

const side = fc.integer({ min: 1, max: 9 });

describe('resizeMap', () => {
  it('gives the numbers of PyTorch for 2 → 4 and 4 → 2', () => {
    // interpolate([[0, 1], [2, 3]], size=(4, 4), mode='bilinear', align_corners=False), worked out by hand.
    expect([...resizeMap(Float32Array.of(0, 1, 2, 3), 2, 2, 4, 4)]).toEqual([
      0, 0.25, 0.75, 1, 0.5, 0.75, 1.25, 1.5, 1.5, 1.75, 2.25, 2.5, 2, 2.25, 2.75, 3,
    ]);
    expect([...resizeMap(Float32Array.of(0, 1, 2, 3), 1, 4, 1, 2)]).toEqual([0.5, 2.5]);
  });

  it('is bilinear at every position', () => {
    fc.assert(
      fc.property(side, side, side, side, fc.nat(), (height, width, toHeight, toWidth, seed) => {
        const map = Float32Array.from({ length: height * width }, (_, i) => Math.sin(i * 12.9898 + seed));
        const result = resizeMap(map, height, width, toHeight, toWidth);
        for (let i = 0; i < result.length; i++) {
          const y = Math.max(((Math.floor(i / toWidth) + 0.5) * height) / toHeight - 0.5, 0);
          const x = Math.max((((i % toWidth) + 0.5) * width) / toWidth - 0.5, 0);
          expect(result[i]).toBeCloseTo(plainSample(map, height, width, y, x), 5);
        }
      }),
    );
  });

  it('changes nothing where the size stays', () => {
    const map = Float32Array.of(1, -2, 3.5, 4, 5, 6);
    expect([...resizeMap(map, 2, 3, 2, 3)]).toEqual([...map]);
  });

  it('writes into the place it is given', () => {
    const place = new Float32Array(4);
    expect(resizeMap(Float32Array.of(7), 1, 1, 2, 2, place)).toBe(place);
    expect([...place]).toEqual([7, 7, 7, 7]);
  });

  it('names both sizes of a map that does not fit', () => {
    expect(() => resizeMap(new Float32Array(5), 2, 3, 4, 4)).toThrow('map: 5 values for 2 × 3');
    expect(() => resizeMap(new Float32Array(6), 2, 3, 4, 4, new Float32Array(3))).toThrow('result: 3 values for 4 × 4');
  });
});
