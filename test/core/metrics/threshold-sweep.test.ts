import { describe, expect, it } from 'vitest';
import type { LabelMap } from '#core/labels/label-map';
import { CandidateRank } from '#core/metrics/candidate-rank';
import { matchedCounts } from '#core/metrics/confusion';
import { meanIou } from '#core/metrics/iou';
import { solveMatching } from '#core/metrics/matching';
import { Tally } from '#core/metrics/tally';
import { methodCandidates, ThresholdSweep } from '#core/metrics/threshold-sweep';
import { Random } from '#core/random';
import { randomMap, range } from './scenes.ts';

interface Scored {
  labels: LabelMap;
  score: Float32Array;
  truth: LabelMap;
}
const ignore = [1000];

/** Scores are higher on objects and often exactly a candidate. */
function scored(random: Random, labels: readonly number[]): Scored {
  const width = 5 + random.integer(20);
  const height = 5 + random.integer(20);
  const truth = randomMap(random, width, height, [0, 0, 1, 2, 3, 1000]);
  const score = Float32Array.from(truth.data, id => {
    const value = (id > 0 ? 0.45 : 0.25) + 0.3 * random.uniform();
    return random.integer(4) === 0 ? Math.round(value * 100) / 100 : value;
  });
  return { labels: randomMap(random, width, height, labels), score, truth };
}

/** One whole evaluation per candidate. */
function slowCurve(images: readonly Scored[], candidates: readonly number[], classes: number): number[] {
  return candidates.map(threshold => {
    const tally = new Tally('auto');
    for (const { labels, score, truth } of images) {
      const data = labels.data.map((id, i) => (score[i]! < threshold ? 0 : id));
      tally.add({ ...labels, data }, truth, ignore);
    }
    const { classOf } = solveMatching(tally, 'image', classes + 1);
    return meanIou(matchedCounts(tally, classOf, classes + 1).whole.pixels);
  });
}

describe('threshold sweep', () => {
  it.each([
    ["the method's 81 candidates", methodCandidates],
    ['a few uneven candidates', [-1, 0.3, 0.31, 0.5, 0.50001, 0.9]],
    ['one candidate', [0.5]],
    ['128 candidates', range(0, 127).map(i => 0.2 + i / 200)],
  ])('equals evaluating every one of %s', (_, candidates) => {
    const random = new Random(candidates.length);
    for (let round = 0; round < 10; round++) {
      const labels = range(round % 3 === 0 ? 0 : 1, 1 + random.integer(7));
      const images = range(0, random.integer(8)).map(() => scored(random, labels));
      const sweep = new ThresholdSweep(candidates);
      for (const { labels, score, truth } of images) sweep.add(labels, score, truth, ignore);
      const best = sweep.best(5);
      const slow = slowCurve(images, candidates, 4);
      expect([...best.curve]).toEqual(slow);
      expect(best.miou).toBe(Math.max(...slow));
      expect(best.threshold).toBe(candidates[slow.indexOf(best.miou)]);
    }
  });

  it('takes the first of equal candidates', () => {
    const map = (...ids: number[]) => ({ width: 2, height: 1, data: Uint16Array.from(ids) });
    const sweep = new ThresholdSweep([0.1, 0.2, 0.3, 0.4]);
    sweep.add(map(1, 1), Float32Array.of(0.15, 0.35), map(0, 1), ignore);
    expect(sweep.best(2).threshold).toBe(0.2);
  });

  it('refuses candidates that do not ascend, and maps of several sizes', () => {
    expect(() => new ThresholdSweep([0.2, 0.1])).toThrow('ascending');
    expect(() => new ThresholdSweep([])).toThrow('ascending');
    const map = { width: 2, height: 1, data: new Uint16Array(2) };
    expect(() => new ThresholdSweep().add(map, new Float32Array(3), map, [])).toThrow('one size');
  });
});

describe('candidate rank', () => {
  it('counts the candidates that a value reaches', () => {
    const random = new Random(51);
    for (const candidates of [methodCandidates, [0.5], [-3, -2.999, 7], range(1, 128).map(i => i ** 3)]) {
      const rank = new CandidateRank(candidates);
      const low = candidates[0]!;
      const span = candidates.at(-1)! - low || 1;
      const values = Array.from({ length: 5000 }, () => low + span * (1.2 * random.uniform() - 0.1));
      for (const value of [...values, ...candidates]) {
        expect(rank.of(value)).toBe(candidates.filter(candidate => candidate <= value).length);
      }
    }
  });
});
