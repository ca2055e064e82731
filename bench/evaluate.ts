/** Evaluation at ImageNet-S size: milliseconds per 500×375 image with 919 classes, and the assignment problems. */
import { boundaryMap } from '#core/labels/boundary';
import type { LabelMap } from '#core/labels/label-map';
import { finish } from '#core/metrics/finish';
import { hungarian } from '#core/metrics/hungarian';
import { Tally } from '#core/metrics/tally';
import { tallyFromBytes, tallyToBytes } from '#core/metrics/tally-bytes';
import { ThresholdSweep } from '#core/metrics/threshold-sweep';
import { Random } from '#core/random';

const width = 500;
const height = 375;
const classes = 919;
const images = 64;
const rounds = 4;
const random = new Random(919);

/** Wavy-edged blobs over background. */
function blobs(ids: readonly number[]): LabelMap {
  const data = new Uint16Array(width * height);
  for (const id of ids) {
    const [x0, y0] = [random.integer(width), random.integer(height)];
    const [radius, waves, depth] = [30 + random.integer(120), 3 + random.integer(15), 0.3 * random.uniform()];
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const angle = Math.atan2(y - y0, x - x0);
        if (Math.hypot(y - y0, x - x0) < radius * (1 + depth * Math.sin(waves * angle))) data[y * width + x] = id;
      }
    }
  }
  return { width, height, data };
}

function median(times: number[]): number {
  return times.sort((a, b) => a - b)[Math.floor(times.length / 2)]!;
}

/** Median milliseconds over several runs. */
function time(what: string, divisor: number, work: () => unknown): void {
  const times: number[] = [];
  for (let run = 0; run < rounds; run++) {
    const start = performance.now();
    work();
    times.push((performance.now() - start) / divisor);
  }
  console.log(`${what.padEnd(56)} ${median(times).toFixed(2)} ms`);
}

const anyClass = () => 1 + random.integer(classes);

/** Prints one line per measurement. */
export function evaluate(): void {
  perImage();
  perSet();
  assignments();
}

function perImage(): void {
  const truths = Array.from({ length: images }, () =>
    blobs([anyClass(), anyClass(), 1000].slice(0, 1 + random.integer(3))),
  );
  const predictions = Array.from({ length: images }, () => blobs(Array.from({ length: 6 }, anyClass)));
  const noisy = predictions.map(map => ({ ...map, data: map.data.map(id => (random.integer(20) ? id : anyClass())) }));
  const scores = predictions.map(map => Float32Array.from(map.data, id => (id ? 0.5 : 0.3) + 0.3 * random.uniform()));

  function tallyOf(maps: readonly LabelMap[]): Tally {
    const tally = new Tally('auto');
    for (const [i, truth] of truths.entries()) tally.add(maps[i]!, truth, [1000]);
    return tally;
  }

  time('boundary map, per image', images, () => truths.map(truth => boundaryMap(truth)));
  time('tally, per image', images, () => tallyOf(predictions));
  time('tally, prediction with 5 % noise of 919 ids, per image', images, () => tallyOf(noisy));
  time('threshold sweep, 81 candidates, per image', images, () => {
    const sweep = new ThresholdSweep();
    for (const [i, truth] of truths.entries()) sweep.add(predictions[i]!, scores[i]!, truth, [1000]);
  });
}

/** A whole validation set's worth of co-occurrence: 12,419 images with one or two classes and a few clusters each. */
function perSet(): void {
  const large = new Tally('auto');
  for (let i = 0; i < 12_419; i++) {
    const ids = [anyClass(), anyClass(), anyClass(), anyClass()];
    const main = ids[random.integer(4)]!;
    const data = new Uint16Array(64).map(() => (random.integer(2) ? 0 : ids[random.integer(4)]!));
    large.add({ width: 8, height: 8, data }, { width: 8, height: 8, data: data.map(id => (id ? main : 0)) }, [1000]);
  }
  time('finish, 12,419 images, image matching', 1, () => finish(large, { matching: 'image', classes }));
  time('tally to bytes and back', 1, () => tallyFromBytes(tallyToBytes(large)));
  console.log(`${'bytes of that tally'.padEnd(56)} ${tallyToBytes(large).length}`);
}

function assignments(): void {
  for (const [rows, columns] of [
    [919, 919],
    [2000, 919],
    [5000, 919],
  ] as const) {
    for (const [name, weight] of [
      ['few co-occurrences', () => (random.integer(50) ? 0 : random.integer(15))],
      ['dense random weights', () => random.integer(1e6)],
      ['many ties', () => random.integer(3)],
      // What shortest augmenting paths are slowest at: every row wants the same columns, in the same order.
      ['products of places', (i: number) => (1 + Math.floor(i / columns)) * (1 + (i % columns))],
      ['products of places, turned', (i: number) => (rows - Math.floor(i / columns)) * (1 + (i % columns))],
      ['least of places', (i: number) => Math.min(Math.floor(i / columns), i % columns)],
    ] as const) {
      const weights = new Float64Array(rows * columns).map((_, i) => weight(i));
      time(`hungarian ${rows}×${columns}, ${name}`, 1, () => hungarian(weights, rows, columns));
    }
  }
}
