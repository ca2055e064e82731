/** EXIF orientation: written into a JPEG, and worked out on pixels from the definition. */
import type { RgbImage } from '#core/image/rgb-image';

/** The same JPEG with an EXIF segment that says how to show it (1 … 8, EXIF 2.3, tag 0x0112). */
export function withOrientation(jpeg: Uint8Array, orientation: number): Uint8Array {
  const tiff = Buffer.from([
    ...Buffer.from('Exif\0\0MM\0*\0\0\0\x08\0\x01', 'latin1'),
    ...[0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0],
  ]);
  const segment = Buffer.from([0xff, 0xe1, 0, tiff.length + 2]);
  return Buffer.concat([jpeg.subarray(0, 2), segment, tiff, jpeg.subarray(2)]);
}

/** Where the stored pixel (x, y) of a w × h picture is shown, by orientation. */
const shownAt: Record<number, (x: number, y: number, w: number, h: number) => [number, number]> = {
  1: (x, y) => [x, y],
  2: (x, y, w) => [w - 1 - x, y],
  3: (x, y, w, h) => [w - 1 - x, h - 1 - y],
  4: (x, y, _, h) => [x, h - 1 - y],
  5: (x, y) => [y, x],
  6: (x, y, _, h) => [h - 1 - y, x],
  7: (x, y, w, h) => [h - 1 - y, w - 1 - x],
  8: (x, y, w) => [y, w - 1 - x],
};

/** The picture as it is to be shown. */
export function upright({ width, height, data }: RgbImage, orientation: number): RgbImage {
  const turned = orientation > 4;
  const shown = { width: turned ? height : width, height: turned ? width : height, data: new Uint8Array(data.length) };
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [u, v] = shownAt[orientation]!(x, y, width, height);
      const p = (y * width + x) * 3;
      shown.data.set(data.subarray(p, p + 3), (v * shown.width + u) * 3);
    }
  }
  return shown;
}
