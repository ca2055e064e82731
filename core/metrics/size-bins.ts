/** Size bins of ImageNet-S: a class falls into one of four by the share of the image it covers. */

export const sizeBins = ['s', 'ms', 'ml', 'l'] as const;
export type SizeBin = (typeof sizeBins)[number];

/** Index into `sizeBins` of a class with so many of an image's counted pixels: at most 5 %, 25 %, 50 %, or more. */
export function sizeBinOf(pixels: number, total: number): number {
  const percent = Math.ceil((100 * pixels) / total);
  if (percent <= 5) return 0;
  if (percent <= 25) return 1;
  return percent <= 50 ? 2 : 3;
}
