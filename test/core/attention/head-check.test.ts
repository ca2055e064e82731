import { expect, test } from 'vitest';
import { HeadCheck, type HeadScores } from '#core/attention/head-check';
import { Random } from '#core/random';

const [height, width] = [10, 12];

/** Scores near +1 in the middle, near −1 around it, with noise; `turn` flips them. */
function centred(random: Random, turn = 1, noise = 0.3): Float64Array {
  return Float64Array.from({ length: height * width }, (_, i) => {
    const inside = Math.hypot(Math.floor(i / width) - 4.5, (i % width) - 5.5) < 3.5;
    return turn * (inside ? 1 : -1) + noise * random.normal();
  });
}

function verdictOf(image: (random: Random) => Omit<HeadScores, 'width' | 'height'>, threshold = 0) {
  const check = new HeadCheck(threshold);
  const random = new Random(5);
  for (let i = 0; i < 20; i++) check.add({ width, height, ...image(random) });
  return check.verdict();
}

test('a head that all seeds agree with has not failed', () => {
  const verdict = verdictOf(random => ({
    combined: centred(random),
    border: centred(random),
    fiedler: centred(random),
  }));
  expect(verdict).toMatchObject({ images: 20, failed: false, reasons: [], doubts: [], allShare: 0, noneShare: 0 });
  expect(verdict.ringShare).toBeLessThan(0.02);
  expect(verdict.insideShare).toBeGreaterThan(0.4);
  expect(verdict.agreement.border).toBeGreaterThan(0.8);
});

test('a head that has turned round is found by its border, whatever it agrees with', () => {
  const verdict = verdictOf(random => {
    const combined = centred(random, -1);
    return { combined, border: centred(random), fiedler: combined };
  });
  expect(verdict.failed).toBe(true);
  expect(verdict.reasons).toHaveLength(1);
  expect(verdict.reasons[0]).toContain('image border');
});

test('a head that agrees with no seed has failed', () => {
  const verdict = verdictOf(random => ({
    combined: centred(random),
    border: centred(random, 0, 1),
    fiedler: centred(random, 0, 1),
  }));
  expect(verdict.reasons[0]).toContain('neither of its seeds');
});

test('one seed that leads elsewhere is a doubt, not a failure', () => {
  const verdict = verdictOf(random => ({
    combined: centred(random),
    border: centred(random),
    fiedler: centred(random, 0, 1),
  }));
  expect(verdict.failed).toBe(false);
  expect(verdict.doubts[0]).toContain('spectral seed alone');
});

test('all or nothing in most images is a failure', () => {
  const image = (random: Random) => ({ combined: centred(random), border: centred(random), fiedler: centred(random) });
  expect(verdictOf(image, 9).reasons).toEqual(['100 % of the images have no foreground at all']);
  expect(verdictOf(image, -9).reasons.at(-1)).toBe('100 % of the images are foreground all over');
});

test('scores that do not vary agree with nothing; no images, no head', () => {
  const verdict = verdictOf(random => ({
    combined: new Float64Array(120).fill(0.3),
    border: centred(random),
    fiedler: centred(random),
  }));
  expect(verdict.agreement).toEqual({ border: 0, fiedler: 0 });
  expect(verdict.failed).toBe(true);
  expect(new HeadCheck(0).verdict().reasons).toEqual(['no image to judge by']);
});

test('correlation equals the definition', () => {
  const check = new HeadCheck(0);
  const [a, b, c] = [Float64Array.of(1, 2, 4, 3), Float64Array.of(2, 1, 5, 3), Float64Array.of(-1, -2, -4, -3)];
  for (const [from, to] of [
    [0, 2],
    [2, 4],
  ] as const) {
    check.add({
      width: 2,
      height: 1,
      combined: a.subarray(from, to),
      border: b.subarray(from, to),
      fiedler: c.subarray(from, to),
    });
  }
  const { agreement } = check.verdict();
  // Means 2.5 and 2.75; Σ of products 5.5, of squares 5 and 8.75.
  expect(agreement.border).toBeCloseTo(5.5 / Math.sqrt(5 * 8.75), 12);
  expect(agreement.fiedler).toBeCloseTo(-1, 12);
});
