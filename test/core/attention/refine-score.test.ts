import fc from 'fast-check';
import { expect, test } from 'vitest';
import { guidedCoefficients } from '#core/attention/guided-filter';
import { refineScore } from '#core/attention/refine-score';
import { resizeMap } from '#core/image/resize-map';
import { Random } from '#core/random';

const epsilon = 1e-3;

function randomCase(width: number, height: number, seed: number) {
  const random = new Random(seed);
  const grid = { width: 3, height: 2 };
  return {
    score: { ...grid, data: Float32Array.from({ length: grid.width * grid.height }, () => random.normal()) },
    guide: { width, height, grey: Uint8Array.from({ length: width * height }, () => random.integer(256)) },
  };
}

/** Mean grey of the pixels whose cell is (x, y), pixel by pixel. */
function shrunk(grey: Uint8Array, width: number, height: number, w: number, h: number): Uint8Array {
  const [sums, counts] = [new Float64Array(w * h), new Float64Array(w * h)];
  const cellOf = (at: number, from: number, to: number) =>
    Array.from({ length: to }, (_, i) => i).findLast(i => Math.floor((i * from) / to) <= at)!;
  for (let i = 0; i < grey.length; i++) {
    const cell = cellOf(Math.floor(i / width), height, h) * w + cellOf(i % width, width, w);
    sums[cell]! += grey[i]!;
    counts[cell]!++;
  }
  return Uint8Array.from(sums, (sum, i) => Math.floor(sum / counts[i]! + 0.5));
}

test('lines fitted to a smaller picture, upsampled and applied to the full one', () => {
  const side = fc.integer({ min: 2, max: 24 });
  fc.assert(
    fc.property(side, side, fc.integer({ min: 4, max: 30 }), fc.integer(), (width, height, workingSide, seed) => {
      const { score, guide } = randomCase(width, height, seed);
      const shrink = Math.min(1, workingSide / Math.max(width, height));
      const [w, h] = [Math.max(1, Math.round(width * shrink)), Math.max(1, Math.round(height * shrink))];
      const small = shrunk(guide.grey, width, height, w, h);
      const coarse = resizeMap(score.data, score.height, score.width, h, w);
      const radius = Math.max(1, Math.round((32 * Math.max(w, h)) / 320));
      const { slope, offset } = guidedCoefficients(coarse, small, { width: w, height: h, radius, epsilon });
      const [slopes, offsets] = [slope, offset].map(map => resizeMap(map, h, w, height, width)) as [
        Float32Array,
        Float32Array,
      ];
      const found = refineScore(score, guide, { radius: 32, workingSide, epsilon });
      expect(found).toHaveLength(width * height);
      found.forEach((value, i) => {
        expect(value).toBeCloseTo(slopes[i]! * (guide.grey[i]! / 255) + offsets[i]!, 4);
      });
    }),
    { numRuns: 60 },
  );
});

test('a picture of one grey keeps the upsampled score away from its borders', () => {
  const [width, height] = [40, 40];
  const score = { width: 2, height: 1, data: Float32Array.of(0, 1) };
  const grey = new Uint8Array(width * height).fill(90);
  const refined = refineScore(score, { grey, width, height }, { radius: 16, workingSide: 160, epsilon });
  expect(refined[20 * width]).toBeCloseTo(0, 1);
  expect(refined[20 * width + 39]).toBeCloseTo(1, 1);
});
