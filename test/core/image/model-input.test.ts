import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { methodSizeRule, modelSize, productSizeRule, toNchw } from '#core/image/model-input';

describe('modelSize', () => {
  it.each([
    [
      { width: 500, height: 375 },
      { width: 352, height: 256 },
    ],
    [
      { width: 375, height: 500 },
      { width: 256, height: 352 },
    ],
    [
      { width: 320, height: 240 },
      { width: 352, height: 256 },
    ],
    [
      { width: 256, height: 256 },
      { width: 256, height: 256 },
    ],
    [
      { width: 10, height: 12 },
      { width: 256, height: 320 },
    ],
    [
      { width: 13, height: 169 },
      { width: 256, height: 1024 },
    ],
    [
      { width: 9000, height: 2 },
      { width: 1024, height: 256 },
    ],
  ])('%o becomes %o by the rule of the product', (size, expected) => {
    expect(modelSize(size, productSizeRule)).toEqual(expected);
  });

  it.each([
    [
      { width: 500, height: 375 },
      { width: 341, height: 256 },
    ],
    [
      { width: 375, height: 500 },
      { width: 256, height: 341 },
    ],
    [
      { width: 500, height: 333 },
      { width: 384, height: 256 },
    ],
    [
      { width: 640, height: 427 },
      { width: 383, height: 256 },
    ],
  ])('%o becomes %o by the rule of the method', (size, expected) => {
    expect(modelSize(size, methodSizeRule)).toEqual(expected);
  });

  it('gives multiples within bounds, and the transposed size for the transposed picture', () => {
    const rule = fc.record({
      shorterSide: fc.integer({ min: 1, max: 600 }),
      multiple: fc.integer({ min: 1, max: 64 }),
      longestSide: fc.integer({ min: 64, max: 2000 }),
    });
    const side = fc.integer({ min: 1, max: 20000 });
    fc.assert(
      fc.property(rule, side, side, (rule, width, height) => {
        const size = modelSize({ width, height }, rule);
        for (const side of [size.width, size.height]) {
          expect(side % rule.multiple).toBe(0);
          expect(side).toBeGreaterThan(0);
          expect(side).toBeLessThanOrEqual(rule.longestSide);
        }
        const turned = modelSize({ width: height, height: width }, rule);
        expect([turned.height, turned.width]).toEqual([size.width, size.height]);
      }),
    );
  });

  it('refuses what has no size', () => {
    expect(() => modelSize({ width: 0, height: 5 }, productSizeRule)).toThrow('0 × 5');
    expect(() => modelSize({ width: 5, height: 5 }, { ...productSizeRule, longestSide: 31 })).toThrow('multiple of 32');
  });
});

describe('toNchw', () => {
  const image = { width: 2, height: 1, data: Uint8Array.of(1, 2, 3, 255, 128, 0) };

  it('separates the planes', () => {
    expect([...toNchw(image)]).toEqual([1, 255, 2, 128, 3, 0]);
  });

  it('fills its part of a batch and nothing else', () => {
    const batch = new Float32Array(18).fill(-1);
    expect(toNchw(image, batch, 6)).toBe(batch);
    expect([...batch]).toEqual([-1, -1, -1, -1, -1, -1, 1, 255, 2, 128, 3, 0, -1, -1, -1, -1, -1, -1]);
    expect(() => toNchw(image, batch, 13)).toThrow('does not fit');
  });
});
