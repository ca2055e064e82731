import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  bytesText,
  countOf,
  countText,
  durationText,
  percentText,
  rateText,
  ratioText,
  roughDurationText,
  shortCount,
  timeText,
} from '#core/pages/figure-text';

describe('numbers as people read them', () => {
  test.each([
    [countText, 0, '0'],
    [countText, 999, '999'],
    [countText, 1234567, '1,234,567'],
    [countText, -1234, '-1,234'],
    [shortCount, 950, '950'],
    [shortCount, 12345, '12.3 k'],
    [shortCount, 999_600, '1.0 M'],
    [shortCount, 4_200_000, '4.2 M'],
    [shortCount, 310_000_000_000, '310 G'],
    [percentText, 0, '0.0%'],
    [percentText, 0.0004, '<0.1%'],
    [percentText, 0.386, '38.6%'],
    [percentText, 0.9996, '>99.9%'],
    [percentText, 1, '100.0%'],
    [ratioText, -0.001, '0.00'],
    [ratioText, -1.2, '−1.20'],
    [rateText, 0.828, '0.83'],
    [rateText, 9.09, '9.1'],
    [rateText, 1242.5, '1,243'],
    [durationText, 0.42, '0.4 s'],
    [durationText, 41.7, '42 s'],
    [durationText, 59.7, '1 min'],
    [durationText, 724, '12 min 4 s'],
    [durationText, 3599.6, '1 h'],
    [durationText, 12_000, '3 h 20 min'],
    [roughDurationText, 31, '40 s'],
    [roughDurationText, 1224, '20 min'],
    [roughDurationText, 7204, '2 h'],
    [roughDurationText, 10_740, '3 h'],
    [bytesText, 640_000, '640 kB'],
    [bytesText, 1_300_000_000, '1.3 GB'],
  ] as const)('%o(%d) → %s', (words, value, text) => expect(words(value)).toBe(text));

  test('one and many', () => {
    expect([countOf(1, 'image'), countOf(2, 'image'), countOf(0, 'class', 'classes')]).toEqual([
      '1 image',
      '2 images',
      '0 classes',
    ]);
  });

  test('a time in UTC; anything else stays as it is', () => {
    expect(timeText('2026-11-23T18:42:07.123Z')).toBe('23 November 2026, 18:42 UTC');
    expect(timeText('yesterday')).toBe('yesterday');
    expect(timeText('2026-13-23T18:42:07Z')).toBe('2026-13-23T18:42:07Z');
  });

  test('minutes and seconds never reach sixty', () => {
    expect([50, 50.25, 59.9].map(roughDurationText)).toEqual(['50 s', '1 min', '1 min']);
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e6, noNaN: true }), seconds => {
        for (const text of [durationText(seconds), roughDurationText(seconds)])
          expect(text).not.toMatch(/\b(?:[6-9]\d|\d{3,}) (?:s|min)\b/);
      }),
    );
  });
});
