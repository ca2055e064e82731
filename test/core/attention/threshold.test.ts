import fc from 'fast-check';
import { expect, test } from 'vitest';
import { quantiles } from '#core/attention/quantiles';
import { otsu, ScoreHistogram } from '#core/attention/threshold';
import { Random } from '#core/random';

/** Otsu from the definition: every edge, both classes' means from scratch. */
function betweenVariance(counts: number[], cut: number): number {
  const part = (from: number, to: number) => {
    let [n, sum] = [0, 0];
    for (let bin = from; bin < to; bin++) {
      n += counts[bin]!;
      sum += counts[bin]! * (bin + 0.5);
    }
    return { n, mean: sum / n };
  };
  const [below, above] = [part(0, cut), part(cut, counts.length)];
  return below.n > 0 && above.n > 0 ? below.n * above.n * (below.mean - above.mean) ** 2 : 0;
}

test('no cut separates better than the one chosen', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(50), { minLength: 2, maxLength: 30 }), counts => {
      fc.pre(counts.filter(count => count > 0).length > 1);
      const threshold = otsu(counts, 0, counts.length);
      const best = Math.max(...counts.map((_, cut) => betweenVariance(counts, cut)));
      const variances = [Math.floor(threshold), Math.ceil(threshold)].map(cut => betweenVariance(counts, cut));
      expect(Math.min(...variances)).toBeGreaterThan(best * (1 - 1e-9));
    }),
  );
});

test('the middle of an empty stretch between two heaps', () => {
  expect(otsu([5, 5, 0, 0, 0, 0, 5, 5], 0, 8)).toBe(4);
  expect(otsu([5, 5, 0, 0, 0, 0, 5, 5], -1, 1)).toBe(0);
});

test('nothing to separate: nothing is foreground', () => {
  expect(otsu([0, 9, 0], 0, 3)).toBe(3);
  expect(otsu([0, 0], 0, 2)).toBe(2);
  const same = new ScoreHistogram(-1, 1);
  same.add(new Float32Array(100).fill(0.25));
  expect(same.shareAbove(same.otsuThreshold())).toBeLessThan(0.01);
});

/** Otsu over all values: 400 bins between the 0.5 and 99.5 percentiles. */
function exactOtsu(values: Float64Array): number {
  const [low, high] = quantiles(values, [0.005, 0.995]) as [number, number];
  const counts = new Array<number>(400).fill(0);
  for (const value of values) {
    if (value >= low && value <= high) counts[Math.min(399, Math.floor(((value - low) / (high - low)) * 400))]! += 1;
  }
  return otsu(counts, low, high);
}

test.each([1, 2, 3, 4])('two overlapping heaps, seed %i: as from all values at once, in parts and merged', seed => {
  const random = new Random(seed);
  const values = Float64Array.from({ length: 40_000 }, (_, i) => (i % 3 ? -0.4 : 0.6) + 0.25 * random.normal());
  const whole = new ScoreHistogram(-3, 3);
  whole.add(values);
  const parts = [values.subarray(0, 9_000), values.subarray(9_000)].map(part => {
    const histogram = new ScoreHistogram(-3, 3);
    histogram.add(part);
    return histogram;
  });
  parts[0]!.merge(parts[1]!);
  expect(parts[0]!.counts).toEqual(whole.counts);
  const threshold = whole.otsuThreshold();
  expect(parts[0]!.otsuThreshold()).toBe(threshold);
  // One of the 400 bins is about 0.005 wide; the maximum is flat, so neighbours may win.
  expect(Math.abs(threshold - exactOtsu(values))).toBeLessThan(0.016);
  for (const share of [0.005, 0.1, 0.5, 0.9, 0.995]) {
    expect(whole.quantile(share)).toBeCloseTo(quantiles(values, [share])[0]!, 2);
    expect(whole.shareAbove(whole.quantile(share))).toBeCloseTo(1 - share, 6);
  }
  const above = values.filter(value => value >= threshold).length / values.length;
  expect(whole.shareAbove(threshold)).toBeCloseTo(above, 3);
});

test('quantiles are where the counts say, within a bin', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 10, noNaN: true }), { minLength: 1, maxLength: 60 }), values => {
      const histogram = new ScoreHistogram(0, 10, 1000);
      histogram.add(values);
      const sorted = [...values].sort((a, b) => a - b);
      for (const share of [0, 0.25, 0.5, 1]) {
        const found = histogram.quantile(share);
        expect(sorted.filter(v => v < found - 0.0101).length).toBeLessThanOrEqual(share * values.length + 1e-9);
        expect(sorted.filter(v => v <= found + 0.0101).length).toBeGreaterThanOrEqual(share * values.length - 1e-9);
      }
    }),
  );
});

test('scores outside the range count at its end; NaN is refused', () => {
  const histogram = new ScoreHistogram(0, 1, 10);
  histogram.add([-5, 0.5, 7, 1]);
  expect([...histogram.counts]).toEqual([1, 0, 0, 0, 0, 1, 0, 0, 0, 2]);
  expect(() => histogram.add([Number.NaN])).toThrow('not a number');
  expect(() => new ScoreHistogram(1, 1)).toThrow('holds nothing');
  expect(() => histogram.merge(new ScoreHistogram(0, 2, 10))).toThrow('cannot be merged');
  expect(() => new ScoreHistogram(0, 1).quantile(0.5)).toThrow('no scores');
});
