import { describe, expect, it } from 'vitest';
import type { LabelMap } from '#core/labels/label-map';
import { groundTruthBaselines, pixelKmeansBaseline } from '#core/metrics/baselines';
import { finish } from '#core/metrics/finish';
import { Tally } from '#core/metrics/tally';
import { Random } from '#core/random';
import { randomMap, range } from './scenes.ts';
import { slowBestTotal, slowEvaluation } from './slow-evaluation.ts';

const ignore = [1000];

function tallyOf(predictions: readonly LabelMap[], truths: readonly LabelMap[]): Tally {
  const tally = new Tally('auto');
  for (const [i, truth] of truths.entries()) tally.add(predictions[i]!, truth, ignore);
  return tally;
}

const constantMap = ({ width, height }: LabelMap, id: number): LabelMap => ({
  width,
  height,
  data: new Uint16Array(width * height).fill(id),
});

/** The ellipse's definition pixel by pixel: a pixel is placed in one of 32 × 32 bins by its distance from the centre. */
function ellipseMap({ width, height }: LabelMap, down: number, across: number, id: number): LabelMap {
  const place = (pixel: number, size: number) =>
    (Math.floor((Math.abs(pixel + 0.5 - size / 2) / (size / 2)) * 32) + 0.5) / 32;
  const data = Uint16Array.from({ length: width * height }, (_, i) => {
    const x = place(i % width, width) / across;
    const y = place(Math.floor(i / width), height) / down;
    return x * x + y * y <= 1 ? id : 0;
  });
  return { width, height, data };
}

const slow = (predictions: readonly LabelMap[], truths: readonly LabelMap[], classes: number) =>
  slowEvaluation(
    truths.map((truth, i) => ({ prediction: predictions[i]!, truth })),
    { ignore, classes, background: 'auto', classOf: new Map(range(0, classes).map(id => [id, id])) },
  );

const keys = ['miou', 'miouForeground', 'foregroundIou', 'pixelAccuracy'] as const;

describe('baselines', () => {
  const random = new Random(41);

  it('of all background and all foreground equal evaluating such maps', () => {
    for (let round = 0; round < 100; round++) {
      const truths = range(1, 4).map(() => randomMap(random, 20, 15, [0, 1, 2, 3, 1000]));
      const baselines = groundTruthBaselines(tallyOf(truths, truths), 4);
      const background = slow(
        truths.map(truth => constantMap(truth, 0)),
        truths,
        3,
      );
      const ones = range(1, 3).map(id =>
        slow(
          truths.map(truth => constantMap(truth, id)),
          truths,
          3,
        ),
      );
      const best = ones.reduce((a, b) => (b.miou > a.miou ? b : a));
      for (const key of keys) {
        expect(baselines.allBackground![key]).toBeCloseTo(background[key]!, 12);
        expect(baselines.allForeground[key]).toBeCloseTo(best[key]!, 12);
      }
    }
  });

  it('of the centred ellipse equal trying every ellipse', () => {
    for (let round = 0; round < 3; round++) {
      const truths = [
        ellipseMap({ width: 23, height: 17, data: new Uint16Array() }, 0.3 + 0.2 * round, 0.6, 2),
        randomMap(random, 20, 26, [0, 0, 1, 1000]),
      ];
      let best = { foregroundIou: -1 as number | null } as ReturnType<typeof slow>;
      let axes = [0, 0];
      for (const down of range(1, 24)) {
        for (const across of range(1, 24)) {
          const foreground = slow(
            truths.map(truth => ellipseMap(truth, down / 16, across / 16, 1)),
            truths,
            2,
          );
          if (foreground.foregroundIou! > best.foregroundIou!) {
            best = foreground;
            axes = [down / 16, across / 16];
          }
        }
      }
      const asTwo = slow(
        truths.map(truth => ellipseMap(truth, axes[0]!, axes[1]!, 2)),
        truths,
        2,
      );
      const expected = asTwo.perClass[2]!.iou > best.perClass[1]!.iou ? asTwo : best;
      const ellipse = groundTruthBaselines(tallyOf(truths, truths), 3).centredEllipse!;
      for (const key of keys) expect(ellipse[key]).toBeCloseTo(expected[key]!, 12);
    }
  });

  it('of plain k-means match background like any other class', () => {
    for (let round = 0; round < 100; round++) {
      const truths = range(1, 4).map(() => randomMap(random, 12, 15, [0, 1, 2, 1000]));
      const clusters = range(1, 2 + random.integer(4));
      const maps = truths.map(() => randomMap(random, 12, 15, clusters));
      const overlaps = clusters.map(cluster =>
        range(0, 2).map(id =>
          truths.reduce(
            (sum, { data }, n) => sum + data.filter((t, i) => t === id && maps[n]!.data[i] === cluster).length,
            0,
          ),
        ),
      );
      const pixels = overlaps.flat().reduce((a, b) => a + b, 0);
      const baseline = pixelKmeansBaseline(tallyOf(maps, truths), 3);
      expect(baseline.pixelAccuracy).toBeCloseTo(slowBestTotal(overlaps) / pixels, 12);
    }
  });

  it('of plain k-means count as foreground what is not matched to background', () => {
    const truth = { width: 8, height: 1, data: Uint16Array.of(0, 0, 0, 0, 1, 1, 2, 2) };
    const prediction = { width: 8, height: 1, data: Uint16Array.of(3, 3, 3, 1, 1, 1, 2, 4) };
    const baseline = pixelKmeansBaseline(tallyOf([prediction], [truth]), 3);
    expect(baseline.foregroundIou).toBeCloseTo(4 / 5, 9);
    expect(baseline.miou).toBeCloseTo((3 / 4 + 2 / 3 + 1 / 2) / 3, 9);
    expect(baseline.miouForeground).toBeCloseTo((2 / 3 + 1 / 2) / 2, 9);
  });

  it('do not depend on the prediction', () => {
    const truths = range(1, 3).map(() => randomMap(random, 20, 15, [0, 1, 2, 1000]));
    const baselines = (maps: LabelMap[]) => finish(tallyOf(maps, truths), { matching: 'image' }).baselines;
    expect(baselines(truths)).toEqual(baselines(truths.map(truth => constantMap(truth, 9))));
  });
});
