import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { resize, resizeLabelMap, resizeNearest } from '#core/image/resize';
import type { RgbImage } from '#core/image/rgb-image';
import golden from '../../fixtures/resize-pillow.json' with { type: 'json' };

/** The picture of the fixture's header. */
function formulaPicture(width: number, height: number): RgbImage {
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < data.length; i++) {
    const c = i % 3;
    const x = Math.floor(i / 3) % width;
    const y = Math.floor(i / (3 * width));
    data[i] = 7 * x * x + 13 * y * c + 5 * x * y + 101 * c + 31 * y;
  }
  return { width, height, data };
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** One sample straight from the definition: triangle-weighted mean in float64, no rounding in between. */
function plainSample(image: RgbImage, width: number, height: number, x: number, y: number, c: number): number {
  const weightsOf = (from: number, to: number, i: number) => {
    const scale = from / to;
    const support = Math.max(scale, 1);
    return Array.from({ length: from }, (_, p) => Math.max(0, 1 - Math.abs((p + 0.5 - (i + 0.5) * scale) / support)));
  };
  const across = weightsOf(image.width, width, x);
  const down = weightsOf(image.height, height, y);
  let sum = 0;
  let total = 0;
  for (let q = 0; q < image.height; q++) {
    for (let p = 0; p < image.width; p++) {
      const weight = across[p]! * down[q]!;
      sum += weight * image.data[(q * image.width + p) * 3 + c]!;
      total += weight;
    }
  }
  return sum / total;
}

const pictures = fc
  .record({ width: fc.integer({ min: 1, max: 12 }), height: fc.integer({ min: 1, max: 12 }), seed: fc.nat() })
  .map(({ width, height, seed }) => ({
    width,
    height,
    data: Uint8Array.from({ length: width * height * 3 }, (_, i) => Math.imul(i + 1, 2654435761 + seed) >>> 24),
  }));
const side = fc.integer({ min: 1, max: 20 });

describe('resize', () => {
  it.each(golden.cases)('$from → $to equals Pillow byte by byte', ({ from, to, ...expected }) => {
    const picture = formulaPicture(from[0]!, from[1]!);
    const bilinear = resize(picture, to[0]!, to[1]!);
    if (expected.bilinear) expect([...bilinear.data]).toEqual(expected.bilinear);
    expect(sha256(bilinear.data)).toBe(expected.bilinearSha256);
    const nearest = resizeNearest(picture, to[0]!, to[1]!);
    if (expected.nearest) expect([...nearest.data]).toEqual(expected.nearest);
    if (expected.nearestSha256) expect(sha256(nearest.data)).toBe(expected.nearestSha256);
  });

  it('is the triangle-weighted mean of its definition to within the rounding of two passes', () => {
    fc.assert(
      fc.property(pictures, side, side, fc.nat(2), (image, width, height, c) => {
        const { data } = resize(image, width, height);
        const x = width >> 1;
        const y = height >> 1;
        const exact = plainSample(image, width, height, x, y, c);
        expect(Math.abs(data[(y * width + x) * 3 + c]! - exact)).toBeLessThanOrEqual(1.01);
      }),
    );
  });

  it('keeps a picture of one colour and the range of values', () => {
    const flat = { width: 7, height: 3, data: new Uint8Array(63).fill(255) };
    expect(resize(flat, 50, 2).data.every(value => value === 255)).toBe(true);
    expect(resize(flat, 2, 50).data.every(value => value === 255)).toBe(true);
  });

  it('gives a copy, not the same bytes in memory, where the size stays', () => {
    const picture = formulaPicture(5, 4);
    const copy = resize(picture, 5, 4);
    expect(copy.data).toEqual(picture.data);
    expect(copy.data).not.toBe(picture.data);
  });

  it('refuses sides that are no positive whole numbers', () => {
    expect(() => resize(formulaPicture(5, 4), 0, 3)).toThrow('cannot resize to 0 × 3');
    expect(() => resizeNearest(formulaPicture(5, 4), 2, 1.5)).toThrow('cannot resize to 2 × 1.5');
  });
});

describe('resizeLabelMap', () => {
  it('takes the id under the centre of each pixel', () => {
    const map = { width: 2, height: 2, data: Uint16Array.of(0, 1000, 65535, 7) };
    expect([...resizeLabelMap(map, 4, 2).data]).toEqual([0, 0, 1000, 1000, 65535, 65535, 7, 7]);
    expect([...resizeLabelMap({ width: 4, height: 1, data: Uint16Array.of(1, 2, 3, 4) }, 2, 1).data]).toEqual([2, 4]);
  });

  it('agrees with the nearest neighbour of pictures and never invents an id', () => {
    fc.assert(
      fc.property(pictures, side, side, (image, width, height) => {
        const red = Uint16Array.from({ length: image.width * image.height }, (_, i) => image.data[3 * i]!);
        const map = resizeLabelMap({ ...image, data: red }, width, height);
        const picture = resizeNearest(image, width, height);
        expect([...map.data]).toEqual(Array.from({ length: width * height }, (_, i) => picture.data[3 * i]!));
      }),
    );
  });
});
