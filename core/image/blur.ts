/** Gaussian blur of a picture: across, then down. Pixels beyond the edge are those of the edge. */
import type { RgbImage } from './rgb-image.ts';

/** Weights of the pixels at −reach … reach; what lies beyond three deviations is left out. */
function gaussian(deviation: number): Float64Array {
  const reach = Math.max(1, Math.ceil(3 * deviation));
  const weights = Float64Array.from({ length: 2 * reach + 1 }, (_, i) =>
    Math.exp(-((i - reach) ** 2) / (2 * deviation ** 2)),
  );
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map(weight => weight / sum);
}

/** @param deviation in pixels, above 0 */
export function blur({ width, height, data }: RgbImage, deviation: number): RgbImage {
  const weights = gaussian(deviation);
  const across = along(Float32Array.from(data), height, width, width * 3, 3, 3, weights);
  const down = along(across, width, height, 3, width * 3, 3, weights);
  return { width, height, data: Uint8Array.from(down, value => Math.round(value)) };
}

/**
 * One pass along an axis.
 * @param lines how many lines there are, `lineStep` apart
 * @param length pixels of a line, `pixelStep` apart
 */
function along(
  from: Float32Array,
  lines: number,
  length: number,
  lineStep: number,
  pixelStep: number,
  depth: number,
  weights: Float64Array,
): Float32Array {
  const out = new Float32Array(from.length);
  const reach = (weights.length - 1) / 2;
  for (let line = 0; line < lines; line++) {
    for (let x = 0; x < length; x++) {
      const to = line * lineStep + x * pixelStep;
      for (let k = -reach; k <= reach; k++) {
        const at = line * lineStep + Math.min(Math.max(x + k, 0), length - 1) * pixelStep;
        const weight = weights[k + reach]!;
        for (let c = 0; c < depth; c++) out[to + c] = out[to + c]! + weight * from[at + c]!;
      }
    }
  }
  return out;
}
