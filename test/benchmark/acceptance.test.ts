/** The acceptance checks of the benchmark (method 10) at the size of ImageNet-S-919. The fifth needs released weights and photos. */
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { decodeIndexPng, encodeImageNetSPng } from '#core/formats/png-index';
import { boundaryMap } from '#core/labels/boundary';
import type { LabelMap } from '#core/labels/label-map';
import { finish, type Metrics } from '#core/metrics/finish';
import { assign, coOccurrences, pixelOverlaps, withTieBreak } from '#core/metrics/matching';
import { Tally } from '#core/metrics/tally';
import { Random } from '#core/random';
import { deflate, inflate } from '../core/formats/zlib-port.ts';
import { randomMap, range } from '../core/metrics/scenes.ts';
import { erodedBoundary, type Pair, slowDistance } from '../core/metrics/slow-evaluation.ts';

const classes = 919;
const ignore = [1000];
const awkward = [0, 1, 255, 256, 257, 511, 512, 767, 768, 918, 919, 1000];

function tallyOf(pairs: readonly Pair[]): Tally {
  const tally = new Tally('auto');
  for (const { prediction, truth } of pairs) tally.add(prediction, truth, ignore);
  return tally;
}

const measure = (pairs: readonly Pair[], matching: 'image' | 'none', count = classes): Metrics =>
  finish(tallyOf(pairs), { matching, classes: count });

/** Whether one matching is the best of all, by images and pixels, and by pixels alone. */
function isUnique(pairs: readonly Pair[]): boolean {
  const tally = tallyOf(pairs);
  const [images, pixels] = [coOccurrences(tally, classes + 1), pixelOverlaps(tally, classes + 1)];
  return [withTieBreak(images, pixels.values), pixels.values].every(weights => assign(images, weights).unique);
}

/** Masks with one to three classes out of 919, background, and ignored pixels. */
function masks(random: Random, count: number): LabelMap[] {
  return range(1, count).map(() =>
    randomMap(random, 8 + random.integer(20), 8 + random.integer(20), [
      0,
      ...range(1, 3).map(() => 1 + random.integer(classes)),
      1000,
    ]),
  );
}

const counted = (truths: readonly LabelMap[]) =>
  new Set(truths.flatMap(({ data }) => [...data].filter(id => id !== 1000)));

describe('acceptance check 1: the boundary by windows', () => {
  it('equals iterated erosion, with ids up to 1000', () => {
    const random = new Random(101);
    for (let round = 0; round < 600; round++) {
      const [width, height] = [1 + random.integer(30), 1 + random.integer(30)];
      const map = randomMap(random, width, height, awkward);
      expect(boundaryMap(map)).toEqual(erodedBoundary(map, slowDistance(width, height)));
    }
  });

  it('equals it where the boundary is several pixels wide', () => {
    const random = new Random(102);
    for (const [width, height] of [
      [120, 90],
      [64, 200],
      [151, 149],
    ] as const) {
      expect(slowDistance(width, height)).toBeGreaterThan(3);
      const map = randomMap(random, width, height, awkward);
      expect(boundaryMap(map)).toEqual(erodedBoundary(map, slowDistance(width, height)));
    }
  });
});

describe('acceptance check 2: a prediction that is the ground truth', () => {
  it.each([
    [919, 40],
    [919, 1],
    [300, 20],
    [50, 60],
  ])('of %i classes on %i masks has the classes present over N + 1', (count, images) => {
    const truths = masks(new Random(103 + count + images), images).map(map => ({
      ...map,
      data: map.data.map(id => (id === 0 || id === 1000 ? id : 1 + (id % count))),
    }));
    const present = counted(truths).size;
    for (const matching of ['none', 'image'] as const) {
      const pairs = truths.map(truth => ({ prediction: truth, truth }));
      const metrics = measure(pairs, matching, count);
      if (matching === 'image' && metrics.matchingTied) continue;
      expect(metrics.miou).toBeCloseTo(present / (count + 1), 9);
      expect(metrics.miouForeground).toBeCloseTo(1, 9);
      expect(metrics.boundaryMiou).toBeCloseTo(present / (count + 1), 9);
    }
    expect(present).toBeLessThan(count + 1);
  });
});

describe('acceptance check 3: nothing but background', () => {
  it('has the IoU of background over N + 1, accuracy 0, F-beta 0', () => {
    const truths = masks(new Random(104), 50);
    const pairs = truths.map(truth => ({ truth, prediction: { ...truth, data: new Uint16Array(truth.data.length) } }));
    const metrics = measure(pairs, 'image');
    const all = truths.flatMap(({ data }) => [...data].filter(id => id !== 1000));
    expect(metrics.miou).toBeCloseTo(all.filter(id => id === 0).length / all.length / (classes + 1), 12);
    expect(metrics.perClass.slice(1).every(({ iou }) => iou === 0)).toBe(true);
    expect(metrics).toMatchObject({ imageAccuracy: 0, fBeta: 0, foregroundIou: 0 });
  });
});

describe('acceptance check 4: the numbering of clusters', () => {
  it('does not matter: 919 clusters in another order leave every number as it is', () => {
    const random = new Random(105);
    const order = [0, ...random.shuffle(range(1, classes))];
    let compared = 0;
    for (let round = 0; round < 12; round++) {
      const wrong = range(1, 12).map(() => 1 + random.integer(classes));
      const some = range(1, 12).map(() => 1 + random.integer(classes));
      const pairs = range(1, 60).map(i => {
        const truth = randomMap(random, 14, 11, [0, some[i % 12]!, some[random.integer(12)]!, 1000]);
        const guess = (id: number) => (random.integer(6) === 0 ? wrong[random.integer(12)]! : id === 1000 ? 0 : id);
        return { truth, prediction: { ...truth, data: truth.data.map(guess) } };
      });
      const renamed = pairs.map(({ truth, prediction }) => ({
        truth,
        prediction: { ...prediction, data: prediction.data.map(id => order[id]!) },
      }));
      const numbers = ({ matching: _, pixelMatched: { matching: __, ...pixel }, ...rest }: Metrics) => ({
        ...rest,
        pixel,
      });
      const [first, second] = [measure(pairs, 'image'), measure(renamed, 'image')];
      if (!isUnique(pairs)) continue;
      compared++;
      expect(numbers(second)).toEqual(numbers(first));
      expect(second.matching[order[some[0]!]!]).toBe(first.matching[some[0]!]);
    }
    expect(compared).toBeGreaterThan(5);
  });
});

describe('acceptance check 6: ids as PNG', () => {
  it('come back as they were: 0, 255, 256, 919, 1000, of which the last is (232, 3, 0)', async () => {
    const map = { width: 5, height: 1, data: Uint16Array.of(0, 255, 256, 919, 1000) };
    const png = await encodeImageNetSPng(map, deflate);
    const { ids, kind } = await decodeIndexPng(png, inflate);
    expect([kind, [...ids]]).toEqual(['rgb', [0, 255, 256, 919, 1000]]);
    const { data, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true });
    expect([info.channels, [...data]]).toEqual([3, [0, 0, 0, 255, 0, 0, 0, 1, 0, 151, 3, 0, 232, 3, 0]]);
  });
});
