import { describe, expect, it } from 'vitest';
import { type ClassCounts, matchedCounts } from '#core/metrics/confusion';
import { finish, type Metrics } from '#core/metrics/finish';
import { assign, coOccurrences, pixelOverlaps, withTieBreak } from '#core/metrics/matching';
import { type BackgroundRule, Tally } from '#core/metrics/tally';
import { tallyFromBytes, tallyToBytes } from '#core/metrics/tally-bytes';
import { Random } from '#core/random';
import { randomMap, range } from './scenes.ts';
import { type Pair, slowBestTotal, slowCoOccurrence, slowEvaluation } from './slow-evaluation.ts';

const ignore = [1000, 255];

function randomPairs(random: Random, predicted: readonly number[], truths: readonly number[]): Pair[] {
  return Array.from({ length: 1 + random.integer(6) }, () => {
    const width = 3 + random.integer(24);
    const height = 3 + random.integer(24);
    return { prediction: randomMap(random, width, height, predicted), truth: randomMap(random, width, height, truths) };
  });
}

function tallyOf(pairs: readonly Pair[], background: BackgroundRule = 'auto'): Tally {
  const tally = new Tally(background);
  for (const { prediction, truth } of pairs) tally.add(prediction, truth, ignore);
  return tally;
}

/** Ratios may differ by rounding only. */
const near = (actual: number | null, expected: number | null) =>
  expected === null ? expect(actual).toBeNull() : expect(Math.abs(actual! - expected)).toBeLessThan(1e-12);

function expectSlowNumbers(metrics: Metrics, slow: ReturnType<typeof slowEvaluation>): void {
  for (const key of ['miou', 'miouForeground', 'boundaryMiou', 'imageAccuracy', 'fBeta', 'foregroundIou'] as const) {
    near(metrics[key], slow[key]);
  }
  for (const [bin, name] of (['s', 'ms', 'ml', 'l'] as const).entries()) {
    near(metrics.sizes[name], slow.sizes[bin]!);
    near(metrics.boundarySizes[name], slow.boundarySizes[bin]!);
  }
  expect(metrics.perClass.map(({ pixels }) => pixels)).toEqual(slow.perClass.map(({ pixels }) => pixels));
  for (const [id, each] of metrics.perClass.entries()) {
    near(each.iou, slow.perClass[id]!.iou);
    near(each.boundaryIou, slow.perClass[id]!.boundaryIou);
  }
}

/** Integers: predicted, true and common pixels of every class, in the whole, on boundaries, and in each size bin. */
function expectSlowCounts(
  tally: Tally,
  matching: Readonly<Record<string, number>>,
  { counts }: ReturnType<typeof slowEvaluation>,
) {
  const { whole, bins } = matchedCounts(tally, classOf(matching), counts.whole.G.length);
  const plain = ({ predicted, truth, both }: ClassCounts) => ({ P: [...predicted], G: [...truth], I: [...both] });
  expect(plain(whole.pixels)).toEqual(counts.whole);
  expect(plain(whole.boundary)).toEqual(counts.onBoundary);
  expect(bins.map(({ pixels }) => plain(pixels))).toEqual(counts.bins);
  expect(bins.map(({ boundary }) => plain(boundary))).toEqual(counts.boundaryBins);
}

const classOf = (matching: Readonly<Record<string, number>>) =>
  new Map(Object.entries(matching).map(([predicted, id]) => [Number(predicted), id]));

const isSolvable = (pairs: readonly Pair[]) => pairs.some(({ truth }) => truth.data.some(id => !ignore.includes(id)));

describe('one pass equals matching every image and counting then', () => {
  it.each([
    ['image', 'auto'],
    ['pixel', 'auto'],
    ['none', 'auto'],
    ['image', 'none'],
    ['pixel', 'none'],
    ['none', 'none'],
  ] as const)('matching %s, background %s', (matching, background) => {
    const random = new Random(matching.length * 10 + background.length);
    for (let round = 0; round < 120; round++) {
      const classes = 1 + random.integer(5);
      const truths = background === 'auto' ? range(0, classes) : range(0, classes - 1);
      const clusters = range(background === 'auto' ? 0 : 1, 1 + random.integer(8));
      const pairs = randomPairs(random, clusters, [...truths, ...(random.integer(2) ? ignore : [])]);
      if (!isSolvable(pairs)) continue;
      const tally = tallyOf(pairs, background);
      const metrics = finish(tally, { matching, classes });
      const slow = (matched: Readonly<Record<string, number>>) =>
        slowEvaluation(pairs, { ignore, classOf: classOf(matched), classes, background });
      expectSlowNumbers(metrics, slow(metrics.matching));
      expectSlowCounts(tally, metrics.matching, slow(metrics.matching));
      const pixelMatched = slow(metrics.pixelMatched.matching);
      near(metrics.pixelMatched.miou, pixelMatched.miou);
      near(metrics.pixelMatched.miouForeground, pixelMatched.miouForeground);
      near(metrics.pixelMatched.pixelAccuracy, pixelMatched.pixelAccuracy);
      expect(metrics.matchingKind).toBe(matching);
    }
  });
});

describe('matching', () => {
  const sumOver = (matching: Readonly<Record<string, number>>, weight: (predicted: number, id: number) => number) =>
    Object.entries(matching).reduce((sum, [p, id]) => (p === '0' ? sum : sum + weight(Number(p), id)), 0);

  it('is the best by images, and by pixels, and one to one; background stays background', () => {
    const random = new Random(11);
    for (let round = 0; round < 200; round++) {
      const clusters = range(1, 1 + random.integer(6));
      const classes = range(1, 1 + random.integer(5));
      const pairs = randomPairs(random, [0, ...clusters], [0, ...classes, ...ignore]);
      if (!isSolvable(pairs)) continue;
      const images = (p: number, id: number) => slowCoOccurrence(pairs, ignore, p, id);
      const pixels = (p: number, id: number) =>
        pairs.reduce(
          (sum, pair) => sum + pair.truth.data.filter((t, i) => t === id && pair.prediction.data[i] === p).length,
          0,
        );
      const tally = tallyOf(pairs);
      const best = finish(tally, { matching: 'image', classes: classes.length });
      expect(best.matching[0]).toBe(0);
      expect(new Set(Object.values(best.matching)).size).toBe(Object.keys(best.matching).length);
      expect(sumOver(best.matching, images)).toBe(slowBestTotal(clusters.map(p => classes.map(id => images(p, id)))));
      expect(sumOver(best.pixelMatched.matching, pixels)).toBe(
        slowBestTotal(clusters.map(p => classes.map(id => pixels(p, id)))),
      );
    }
  });

  it('breaks ties between images by pixels in common', () => {
    // Both clusters meet both classes in the one image: 1→1, 2→2 shares 2 pixels, 1→2, 2→1 shares 4.
    const prediction = { width: 6, height: 1, data: Uint16Array.of(1, 2, 1, 1, 2, 2) };
    const truth = { width: 6, height: 1, data: Uint16Array.of(1, 2, 2, 2, 1, 1) };
    expect(finish(tallyOf([{ prediction, truth }]), { matching: 'image' }).matching).toEqual({ 0: 0, 1: 2, 2: 1 });
  });

  it('does not take a cluster without a partner for background', () => {
    const truth = { width: 4, height: 1, data: Uint16Array.of(0, 0, 1, 1) };
    const prediction = { width: 4, height: 1, data: Uint16Array.of(0, 7, 3, 3) };
    const metrics = finish(tallyOf([{ prediction, truth }]), { matching: 'image' });
    expect(metrics.matching).toEqual({ 0: 0, 3: 1 });
    expect(metrics.perClass.map(({ iou }) => iou)).toEqual([expect.closeTo(0.5, 9), expect.closeTo(1, 9)]);
    expect(metrics.foregroundIou).toBeCloseTo(2 / 3, 9);
  });
});

describe('what the method promises', () => {
  const random = new Random(21);
  const scenes = Array.from({ length: 20 }, () => randomMap(random, 30, 22, [0, 1, 2, 4, 1000]));

  it('scores a perfect prediction by the classes present', () => {
    const metrics = finish(tallyOf(scenes.map(truth => ({ prediction: truth, truth }))), {
      matching: 'none',
      classes: 6,
    });
    expect(metrics.miou).toBeCloseTo(4 / 7, 12);
    expect(metrics.boundaryMiou).toBeCloseTo(4 / 7, 12);
    expect(metrics.miouForeground).toBeCloseTo(1, 12);
  });

  it('scores an all-background prediction by background alone', () => {
    const prediction = { width: 30, height: 22, data: new Uint16Array(660) };
    const metrics = finish(tallyOf(scenes.map(truth => ({ prediction, truth }))), { matching: 'image', classes: 4 });
    expect(metrics.miou).toBeCloseTo(metrics.perClass[0]!.iou / 5, 12);
    expect(metrics.imageAccuracy).toBe(0);
    expect(metrics.fBeta).toBe(0);
    expect(metrics.baselines.allBackground?.miou).toBeCloseTo(metrics.miou, 12);
  });

  it('does not depend on how clusters are numbered', () => {
    let compared = 0;
    for (let round = 0; round < 100; round++) {
      const pairs = randomPairs(random, range(0, 5), [0, 1, 2, 3, 1000]);
      if (!isSolvable(pairs)) continue;
      const images = coOccurrences(tallyOf(pairs), 4);
      const pixels = pixelOverlaps(tallyOf(pairs), 4).values;
      // Where several matchings are equally good in every respect, any of them may come out.
      if (![withTieBreak(images, pixels), pixels].every(weights => assign(images, weights).unique)) continue;
      compared++;
      const ids = random.shuffle(range(1, 5));
      const renamed = pairs.map(({ prediction, truth }) => ({
        prediction: { ...prediction, data: prediction.data.map(id => (id === 0 ? 0 : ids[id - 1]! * 100)) },
        truth,
      }));
      const { matching: _, pixelMatched, ...numbers } = finish(tallyOf(pairs), { matching: 'image', classes: 3 });
      const again = finish(tallyOf(renamed), { matching: 'image', classes: 3 });
      expect(again).toMatchObject(numbers);
      expect(again.pixelMatched.miou).toBe(pixelMatched.miou);
    }
    expect(compared).toBeGreaterThan(30);
  });
});

describe('shards', () => {
  it('merged, and stored and read again, are one tally', () => {
    const random = new Random(31);
    for (let round = 0; round < 50; round++) {
      const pairs = randomPairs(random, range(0, 6), [0, 1, 2, 3, 1000]);
      if (!isSolvable(pairs)) continue;
      const cut = random.integer(pairs.length + 1);
      const merged = tallyFromBytes(tallyToBytes(tallyOf(pairs.slice(0, cut))));
      merged.merge(tallyFromBytes(tallyToBytes(tallyOf(pairs.slice(cut)))));
      expect(finish(merged, { matching: 'image' })).toEqual(finish(tallyOf(pairs), { matching: 'image' }));
      expect(tallyToBytes(merged)).toEqual(tallyToBytes(tallyOf(pairs)));
    }
  });

  it('keeps counts beyond 32 bits', () => {
    const tally = new Tally('auto');
    const at = tally.cells.row(77);
    tally.cells.counts[at] = 2 ** 52 + 12345;
    expect(tallyFromBytes(tallyToBytes(tally)).cells.counts[0]).toBe(2 ** 52 + 12345);
  });

  it('refuses bytes that are something else or cut off', () => {
    const bytes = tallyToBytes(tallyOf(randomPairs(new Random(1), [0, 1], [0, 1])));
    expect(() => tallyFromBytes(bytes.subarray(1))).toThrow('not a tally');
    expect(() => tallyFromBytes(bytes.subarray(0, bytes.length - 1))).toThrow('cut off');
    expect(() => new Tally('auto').merge(new Tally('none'))).toThrow('do not add up');
  });
});

describe('what cannot be measured', () => {
  const map = (...ids: number[]) => ({ width: ids.length, height: 1, data: Uint16Array.from(ids) });

  it('is said', () => {
    expect(() => finish(new Tally('auto'), { matching: 'image' })).toThrow('no image');
    const ignored = tallyOf([{ prediction: map(1, 2), truth: map(1000, 1000) }]);
    expect(() => finish(ignored, { matching: 'image' })).toThrow('every pixel');
    const high = tallyOf([{ prediction: map(1, 2), truth: map(0, 9) }]);
    expect(() => finish(high, { matching: 'image', classes: 5 })).toThrow('class 9');
    expect(() => new Tally('auto').add(map(1, 2), map(1), [])).toThrow('2×1 for ground truth of 1×1');
  });

  it('counts an image that is ignored altogether as wrong, and nowhere else', () => {
    const pairs = [
      { prediction: map(0, 1), truth: map(0, 1) },
      { prediction: map(1, 1), truth: map(1000, 255) },
    ];
    const metrics = finish(tallyOf(pairs), { matching: 'image' });
    expect(metrics).toMatchObject({ images: 2, imageAccuracy: 0.5, fBeta: expect.closeTo(0.5, 12) });
    expect(metrics.miou).toBeCloseTo(1, 9);
  });

  it('is null where there is no background', () => {
    const metrics = finish(tallyOf([{ prediction: map(1, 2, 2), truth: map(0, 1, 1) }], 'none'), { matching: 'pixel' });
    expect(metrics).toMatchObject({ classes: 2, fBeta: null, foregroundIou: null, matching: { 1: 0, 2: 1 } });
    expect(metrics.miou).toBeCloseTo(1, 9);
    expect(metrics.baselines).toMatchObject({ allBackground: null, centredEllipse: null });
    expect(metrics.baselines.allForeground.pixelAccuracy).toBeCloseTo(2 / 3, 12);
  });
});
