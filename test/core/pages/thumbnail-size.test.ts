import fc from 'fast-check';
import { expect, test } from 'vitest';
import { thumbnailSize } from '#core/pages/thumbnail-size';

test.each([
  [640, 480, 320, 240],
  [480, 640, 240, 320],
  [100, 50, 100, 50],
  [10000, 3, 320, 1],
])('%d × %d → %d × %d', (width, height, w, h) => expect(thumbnailSize(width, height)).toEqual({ width: w, height: h }));

test('never larger than asked for or than the image, in proportion to half a pixel', () => {
  const side = fc.integer({ min: 1, max: 20_000 });
  fc.assert(
    fc.property(side, side, fc.integer({ min: 1, max: 500 }), (width, height, longest) => {
      const small = thumbnailSize(width, height, longest);
      expect(Math.max(small.width, small.height)).toBe(Math.min(longest, Math.max(width, height)));
      const scale = Math.min(1, longest / Math.max(width, height));
      expect(Math.abs(small.width - Math.max(1, width * scale))).toBeLessThanOrEqual(0.5);
      expect(Math.abs(small.height - Math.max(1, height * scale))).toBeLessThanOrEqual(0.5);
    }),
  );
});
