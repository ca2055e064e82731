/** Colours of classes as the page may use them. */

const neutral = '#808080';

/** The colour if it is `#rrggbb`, grey otherwise: it goes into a style attribute, where escaping alone is no fence. */
export const safeColor = (color: string): string => (/^#[0-9a-f]{6}$/i.test(color) ? color : neutral);

/** Black or white, whichever reads better on the colour; one of them always has a contrast of 4.5 or more (WCAG 2.2, 1.4.3). */
export const inkOn = (color: string): string => (luminance(safeColor(color)) > 0.179 ? '#000' : '#fff');

/** Relative luminance of sRGB, 0 … 1 (WCAG 2.2, glossary). */
function luminance(color: string): number {
  const [red, green, blue] = [1, 3, 5].map(at => linear(Number.parseInt(color.slice(at, at + 2), 16) / 255));
  return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
}

const linear = (value: number): number => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
