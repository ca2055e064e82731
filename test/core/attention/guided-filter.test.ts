import fc from 'fast-check';
import { expect, test } from 'vitest';
import { GuidedScratch, guidedCoefficients } from '#core/attention/guided-filter';
import { Random } from '#core/random';

interface Size {
  width: number;
  height: number;
  radius: number;
  epsilon: number;
}

/** From the paper: every window summed anew. */
function slowGuidedFilter(map: Float32Array, guide: Uint8Array, { width, height, radius, epsilon }: Size): number[] {
  const mean = (at: number, value: (i: number) => number) => {
    const [y, x] = [Math.floor(at / width), at % width];
    let [sum, count] = [0, 0];
    for (let v = Math.max(0, y - radius); v <= Math.min(height - 1, y + radius); v++) {
      for (let u = Math.max(0, x - radius); u <= Math.min(width - 1, x + radius); u++) {
        sum += value(v * width + u);
        count++;
      }
    }
    return sum / count;
  };
  const grey = (i: number) => guide[i]! / 255;
  const pixels = [...map.keys()];
  const a = pixels.map(i => {
    const [meanGuide, meanMap] = [mean(i, grey), mean(i, j => map[j]!)];
    const covariance = mean(i, j => grey(j) * map[j]!) - meanGuide * meanMap;
    return covariance / (mean(i, j => grey(j) ** 2) - meanGuide ** 2 + epsilon);
  });
  const b = pixels.map(i => mean(i, j => map[j]!) - a[i]! * mean(i, grey));
  return pixels.map(i => mean(i, j => a[j]!) * grey(i) + mean(i, j => b[j]!));
}

/** The filtered map: the coefficients, applied to the guide they were fitted to. */
function guidedFilter(map: Float32Array, guide: Uint8Array, options: Size, scratch?: GuidedScratch): Float32Array {
  const { slope, offset } = guidedCoefficients(map, guide, options, scratch);
  return slope.map((a, i) => a * (guide[i]! / 255) + offset[i]!);
}

function randomCase(width: number, height: number, seed: number) {
  const random = new Random(seed);
  return {
    map: Float32Array.from({ length: width * height }, () => random.normal()),
    guide: Uint8Array.from({ length: width * height }, () => random.integer(256)),
  };
}

test('equals the paper, window by window, with scratch buffers used again for other sizes', () => {
  const scratch = new GuidedScratch();
  const size = fc.integer({ min: 1, max: 14 });
  fc.assert(
    fc.property(size, size, fc.integer({ min: 0, max: 16 }), fc.integer(), (width, height, radius, seed) => {
      const options = { width, height, radius, epsilon: 1e-2 };
      const { map, guide } = randomCase(width, height, seed);
      const expected = slowGuidedFilter(map, guide, options);
      const found = guidedFilter(map, guide, options, scratch);
      for (let i = 0; i < expected.length; i++) expect(found[i]).toBeCloseTo(expected[i]!, 4);
    }),
    { numRuns: 60 },
  );
});

test('a constant map stays as it is', () => {
  const { guide } = randomCase(30, 20, 1);
  const options = { width: 30, height: 20, radius: 4, epsilon: 1e-3 };
  for (const value of guidedFilter(new Float32Array(600).fill(0.7), guide, options)) expect(value).toBeCloseTo(0.7, 5);
});

test('a blurred map takes on the edge of the guide', () => {
  const [width, height] = [40, 20];
  const guide = Uint8Array.from({ length: width * height }, (_, i) => (i % width < 23 ? 40 : 220));
  const map = Float32Array.from({ length: width * height }, (_, i) => 1 / (1 + Math.exp(-((i % width) - 21) / 3)));
  const found = guidedFilter(map, guide, { width, height, radius: 8, epsilon: 1e-3 });
  const row = found.subarray(10 * width, 11 * width);
  expect(row[23]! - row[22]!).toBeGreaterThan(0.4);
  expect(map[23]! - map[22]!).toBeLessThan(0.1);
});

test('refuses maps of another size', () => {
  const options = { width: 3, height: 3, radius: 1, epsilon: 1e-3 };
  expect(() => guidedFilter(new Float32Array(9), new Uint8Array(8), options)).toThrow('guide of 8 pixels');
});
