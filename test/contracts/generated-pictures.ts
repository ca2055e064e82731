/** Pictures made from formulas, for suites that need no test data. */
import type { RgbImage } from '#core/image/rgb-image';
import { Random } from '#core/random';

function painted(width: number, height: number, colour: (x: number, y: number, c: number) => number): RgbImage {
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < data.length; i++) {
    const pixel = Math.floor(i / 3);
    data[i] = colour(pixel % width, Math.floor(pixel / width), i % 3);
  }
  return { width, height, data };
}

/** Smooth waves, different in every corner and channel: turning, mirroring or shifting it shows. */
export const waves = (width: number, height: number): RgbImage =>
  painted(
    width,
    height,
    (x, y, c) => 128 + 60 * Math.sin(x / (17 + 4 * c) + y / 29) + (50 * x) / width - (40 * y) / height,
  );

/** Independent noise: the hardest picture for a resizing filter. */
export function noise(width: number, height: number, seed = 1): RgbImage {
  const random = new Random(seed);
  return painted(width, height, () => random.integer(256));
}

/** Black and white squares of 5 pixels: sharp edges. */
export const checkers = (width: number, height: number): RgbImage =>
  painted(width, height, (x, y) => (((x / 5) & 1) === ((y / 5) & 1) ? 255 : 0));

/** Mean and largest absolute difference of two pictures' values. */
export function difference(a: RgbImage, b: RgbImage): { mean: number; max: number } {
  if (a.width !== b.width || a.height !== b.height) {
    throw new Error(`${a.width} × ${a.height} against ${b.width} × ${b.height}`);
  }
  let sum = 0;
  let max = 0;
  for (let i = 0; i < a.data.length; i++) {
    const distance = Math.abs(a.data[i]! - b.data[i]!);
    sum += distance;
    max = Math.max(max, distance);
  }
  return { mean: sum / a.data.length, max };
}
