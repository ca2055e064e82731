/** Parts of a set add up, and coarser levels equal relabelling every pixel: integers alike, ratios within 1e-12. */
import { describe, expect, it } from 'vitest';
import { levelMetrics, readHierarchy } from '#core/metrics/hierarchy';
import { solveMatching } from '#core/metrics/matching';
import { sweepFromBytes, sweepToBytes } from '#core/metrics/sweep-bytes';
import { Tally } from '#core/metrics/tally';
import { methodCandidates, ThresholdSweep } from '#core/metrics/threshold-sweep';
import { Random } from '#core/random';
import { randomMap, range } from '../core/metrics/scenes.ts';
import { slowEvaluation } from '../core/metrics/slow-evaluation.ts';

const parents = '{"1": "animal", "2": "animal", "3": "thing", "animal": "entity", "thing": "entity"}';

describe('coarser levels', () => {
  it('equal evaluating maps in which every class is its parent', () => {
    const random = new Random(17);
    const levels = readHierarchy(parents, 'up.json', new Map(), 4);
    expect(levels.map(level => [...level.values()])).toEqual([
      ['animal', 'animal', 'thing', 'class 4'],
      ['entity', 'entity', 'entity', 'class 4'],
    ]);
    for (let round = 0; round < 200; round++) {
      const fine = new Tally('auto');
      const pairs = range(1, 1 + random.integer(4)).map(() => {
        const [width, height] = [3 + random.integer(12), 3 + random.integer(12)];
        return [
          randomMap(random, width, height, range(0, 6)),
          randomMap(random, width, height, [0, 1, 2, 3, 4, 1000]),
        ] as const;
      });
      for (const [prediction, truth] of pairs) fine.add(prediction, truth, [1000]);
      if (fine.cells.size === 0) continue;
      const { classOf } = solveMatching(fine, 'image', 5);
      for (const [i, got] of levelMetrics(fine, classOf, levels).entries()) {
        const names = [...new Set(levels[i]!.values())].sort();
        const up = (id: number) => (id === 0 || id === 1000 ? id : names.indexOf(levels[i]!.get(id)!) + 1);
        const coarse = pairs.map(([prediction, truth]) => ({
          // 99: matched to nothing.
          prediction: { ...prediction, data: prediction.data.map(id => (classOf.has(id) ? up(classOf.get(id)!) : 99)) },
          truth: { ...truth, data: truth.data.map(up) },
        }));
        const wanted = slowEvaluation(coarse, {
          ignore: [1000],
          classOf: new Map(range(0, names.length).map(id => [id, id])),
          classes: names.length,
          background: 'auto',
        });
        expect(Math.abs(got.miou - wanted.miou)).toBeLessThan(1e-12);
        expect(Math.abs((got.miouForeground ?? -1) - (wanted.miouForeground ?? -1))).toBeLessThan(1e-12);
        expect(Math.abs(got.imageAccuracy - wanted.imageAccuracy)).toBeLessThan(1e-12);
        for (const [id, { iou }] of got.perClass.entries())
          expect(Math.abs(iou - wanted.perClass[id]!.iou)).toBeLessThan(1e-12);
        expect(got.perClass.map(({ pixels }) => pixels)).toEqual(wanted.perClass.map(({ pixels }) => pixels));
      }
    }
  });
});

describe('a threshold sweep', () => {
  it('equals thresholding, and evaluating by the definitions, at every one of the 81', () => {
    const random = new Random(19);
    const classOf = new Map([
      [0, 0],
      [1, 2],
      [2, 1],
      [4, 3],
    ]);
    for (let round = 0; round < 25; round++) {
      const sweep = new ThresholdSweep();
      const images = range(1, 1 + random.integer(3)).map(() => {
        const [width, height] = [3 + random.integer(6), 3 + random.integer(6)];
        const truth = randomMap(random, width, height, [0, 1, 2, 3, 1000]);
        const labels = randomMap(random, width, height, [0, 1, 2, 3, 4]);
        const score = Float32Array.from(truth.data, id => 0.2 + 0.5 * random.uniform() + (id > 0 ? 0.1 : 0));
        sweep.add(labels, score, truth, [1000]);
        return { labels, score, truth };
      });
      if (sweep.counts.truth.size === 0) continue;
      const { curve } = sweep.best(4, classOf);
      for (const [at, threshold] of methodCandidates.entries()) {
        const pairs = images.map(({ labels, score, truth }) => ({
          prediction: { ...labels, data: labels.data.map((id, i) => (score[i]! < threshold ? 0 : id)) },
          truth,
        }));
        const slow = slowEvaluation(pairs, { ignore: [1000], classOf, classes: 3, background: 'auto' });
        expect(Math.abs(curve[at]! - slow.miou)).toBeLessThan(1e-12);
      }
    }
  });

  it('counted in parts, stored and read again, is that of the whole, for every kind of matching', () => {
    const random = new Random(18);
    const candidates = [0.2, 0.4, 0.6];
    for (let round = 0; round < 20; round++) {
      const whole = new ThresholdSweep(candidates);
      const merged = new ThresholdSweep(candidates);
      for (const _ of [1, 2, 3]) {
        const part = new ThresholdSweep(candidates);
        const labels = randomMap(random, 12, 9, [0, 1, 2, 3]);
        const truth = randomMap(random, 12, 9, [0, 1, 2]);
        const score = Float32Array.from(labels.data, () => random.uniform());
        for (const sweep of [whole, part]) sweep.add(labels, score, truth, [1000]);
        merged.merge(sweepFromBytes(sweepToBytes(part), candidates));
      }
      for (const matching of [
        'image',
        'pixel',
        new Map([
          [1, 2],
          [2, 1],
          [3, 1],
        ]),
      ] as const) {
        expect(merged.best(3, matching)).toEqual(whole.best(3, matching));
      }
    }
    expect(() => sweepFromBytes(sweepToBytes(new ThresholdSweep()), candidates)).toThrow('not a threshold sweep');
  });
});
