import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { inkOn, safeColor } from '#core/pages/class-color';

/** Contrast of two sRGB colours, written from WCAG 2.2. */
function contrast(a: string, b: string): number {
  const luminance = (color: string): number => {
    const value = Number.parseInt(color.slice(1), 16);
    const [red, green, blue] = [value >> 16, (value >> 8) & 255, value & 255]
      .map(part => part / 255)
      .map(part => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
  };
  const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (light! + 0.05) / (dark! + 0.05);
}

describe('colours of classes', () => {
  test('the number on a swatch can be read on every colour', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffffff }), value => {
        const color = `#${value.toString(16).padStart(6, '0')}`;
        expect(contrast(color, inkOn(color) === '#000' ? '#000000' : '#ffffff')).toBeGreaterThanOrEqual(4.5);
      }),
      { numRuns: 2000 },
    );
  });

  test.each(['red', '#fff', '#12345g', '#123456;background:url(//x)', ''])('%j is not let into a style', color => {
    expect(safeColor(color)).toBe('#808080');
  });
});
