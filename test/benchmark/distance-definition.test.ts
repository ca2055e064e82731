/** Distance matching as a whole, beside a slow, plain version of its definition (method 5.3), label map for label map. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MemoryStore } from '#adapters/local/memory-store';
import { OnnxRuntime } from '#adapters/onnxruntime/onnx-runtime';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import type { Backbone } from '#core/attention/segmentation-model';
import { backboneSettings, defaultSettings } from '#core/backbone/settings';
import { importModel } from '#core/graph/import';
import { toModel } from '#core/graph/model';
import { averagePool } from '#core/graph/ops';
import { input } from '#core/graph/tensor';
import type { LabelMap } from '#core/labels/label-map';
import { Random } from '#core/random';
import { evaluateDistance, labelByDistance, type MaskedImages } from '#pipeline/distance';
import { slowEvaluation } from '../core/metrics/slow-evaluation.ts';
import { rgb } from '../pipeline/id-pngs.ts';

const [width, height, stride, enlarged] = [256, 320, 32, 4];
const [columns, rows] = [width / stride, height / stride];
const [wide, high] = [columns * enlarged, rows * enlarged];
const ignore = [1000];

/** Means over squares of 32 pixels: features that one can compute by hand. */
function means(): Backbone {
  const image = input('image', 'float32', ['N', 3, 'H', 'W']);
  const square = { kernel_shape: [stride, stride], strides: [stride, stride] };
  const model = importModel(toModel({ name: 'means', inputs: [image], outputs: { deep: averagePool(image, square) } }));
  return { model, settings: backboneSettings(model, undefined), scales: 1 };
}

interface Scene {
  /** As by `rgb`: red and green of a pixel are its two bytes. */
  readonly picture: LabelMap;
  readonly mask: LabelMap;
}

/** Background, two rectangles of classes 1 … 3 and an ignored one, each in about its class's colour. */
function scene(random: Random): Scene {
  const ids = new Uint16Array(width * height);
  for (const id of [1 + random.integer(3), 1 + random.integer(3), 1000]) {
    const [left, top] = [random.integer(width - 60), random.integer(height - 60)];
    const [right, bottom] = [left + 40 + random.integer(80), top + 40 + random.integer(120)];
    for (let y = top; y < Math.min(bottom, height); y++)
      ids.fill(id, y * width + left, y * width + Math.min(right, width));
  }
  const noise = () => random.integer(60);
  const colours = new Map([0, 1, 2, 3, 1000].map((id, i) => [id, [20 + 40 * i + noise(), 180 - 35 * i + noise()]]));
  const data = ids.map(id => {
    const [red, green] = colours.get(id)!;
    return Math.min(255, red! + noise()) + 256 * Math.min(255, green! + noise());
  });
  return { picture: { width, height, data }, mask: { width, height, data: ids } };
}

/** [channels][rows · columns] of the network, then enlarged: half-pixel centres, the border repeated. */
function slowFeatures({ data }: LabelMap): number[][] {
  const channel = (value: (code: number) => number, c: number) => {
    const small = Array.from({ length: rows * columns }, (_, at) => {
      let sum = 0;
      for (let y = 0; y < stride; y++)
        for (let x = 0; x < stride; x++)
          sum += value(data[(Math.floor(at / columns) * stride + y) * width + (at % columns) * stride + x]!);
      return (sum / stride ** 2 / 255 - defaultSettings.mean[c]!) / defaultSettings.deviation[c]!;
    });
    const along = (place: number, length: number) => {
      const at = Math.min(Math.max((place + 0.5) / enlarged - 0.5, 0), length - 1);
      return { low: Math.floor(at), high: Math.min(Math.floor(at) + 1, length - 1), part: at - Math.floor(at) };
    };
    return Array.from({ length: high * wide }, (_, at) => {
      const [y, x] = [along(Math.floor(at / wide), rows), along(at % wide, columns)];
      const line = (r: number) => small[r * columns + x.low]! * (1 - x.part) + small[r * columns + x.high]! * x.part;
      return line(y.low) * (1 - y.part) + line(y.high) * y.part;
    });
  };
  return [channel(code => code % 256, 0), channel(code => Math.floor(code / 256), 1), channel(() => 0, 2)];
}

const nearest = ({ data }: LabelMap) =>
  Array.from(
    { length: high * wide },
    (_, at) =>
      data[Math.floor((Math.floor(at / wide) * height) / high) * width + Math.floor(((at % wide) * width) / wide)]!,
  );

const unit = (vector: number[]) => vector.map(value => value / Math.hypot(...vector));

/** Per image and label present but 1000: the mean over all positions of feature · mask. */
function slowReferences(scenes: readonly Scene[]): { label: number; vector: number[] }[] {
  return scenes.flatMap(({ picture, mask }) => {
    const features = slowFeatures(picture);
    const labels = nearest(mask);
    return [...new Set(labels)]
      .filter(label => !ignore.includes(label))
      .map(label => ({
        label,
        vector: unit(
          features.map(f => f.reduce((sum, v, i) => sum + (labels[i] === label ? v : 0), 0) / labels.length),
        ),
      }));
  });
}

/** Ten greatest cosines, exp(cosine / 0.07) added up by label, the greatest sum; then nearest to the image's size. */
function slowLabels({ picture }: Scene, references: readonly { label: number; vector: number[] }[]): LabelMap {
  const features = slowFeatures(picture);
  const grid = Array.from({ length: high * wide }, (_, at) => {
    const query = unit(features.map(f => f[at]!));
    const ten = references
      .map(({ label, vector }) => ({ label, cosine: vector.reduce((sum, v, c) => sum + v * query[c]!, 0) }))
      .sort((a, b) => b.cosine - a.cosine)
      .slice(0, 10);
    const sums = [0, 1, 2, 3].map(id =>
      ten.reduce((sum, { label, cosine }) => sum + (label === id ? Math.exp(cosine / 0.07) : 0), 0),
    );
    return sums.indexOf(Math.max(...sums));
  });
  const data = Uint16Array.from(
    { length: width * height },
    (_, i) =>
      grid[Math.floor((Math.floor(i / width) * high) / height) * wide + Math.floor(((i % width) * wide) / width)]!,
  );
  return { width, height, data };
}

const models = new OnnxRuntime();
const random = new Random(77);
const given = Array.from({ length: 8 }, () => scene(random));
const asked = Array.from({ length: 3 }, () => scene(random));
const ports = {
  models,
  images: new SharpCodec(),
  clock: { now: () => 0 },
  log: { progress: () => undefined, note: () => undefined },
  threads: 2,
};
afterAll(() => models.close());

async function stored(scenes: readonly Scene[]): Promise<MaskedImages & { store: MemoryStore }> {
  const [images, truth] = [new MemoryStore(), new MemoryStore()];
  for (const [i, { picture, mask }] of scenes.entries()) {
    await images.put(`n1/${i}.png`, rgb(picture));
    await truth.put(`masks/n1/${i}.png`, rgb(mask));
  }
  return { images, truth, store: images, rules: { masks: 'masks/', classes: 3, ignore, background: 'auto' } };
}

describe('distance matching', () => {
  const maps = new Map<string, LabelMap>();
  const keep = async (name: string, map: LabelMap) => void maps.set(name, map);
  const options = { continue: false, keep };
  const slow: LabelMap[] = [];
  beforeAll(() => {
    const references = slowReferences(given);
    expect(references.length).toBeGreaterThan(15);
    slow.push(...asked.map(one => slowLabels(one, references)));
  });

  it('labels and measures as its definition does', async () => {
    const metrics = await evaluateDistance(ports, means(), await stored(given), await stored(asked), options);
    expect(new Set(slow.flatMap(({ data }) => [...data])).size).toBeGreaterThan(2);
    for (const [i, map] of slow.entries()) expect(maps.get(`n1/${i}.png`)).toEqual(map);
    const wanted = slowEvaluation(
      asked.map(({ mask }, i) => ({ prediction: slow[i]!, truth: mask })),
      { ignore, classes: 3, background: 'auto', classOf: new Map([0, 1, 2, 3].map(id => [id, id])) },
    );
    for (const key of ['miou', 'boundaryMiou', 'imageAccuracy', 'fBeta', 'foregroundIou'] as const)
      expect(Math.abs(metrics[key]! - wanted[key]!)).toBeLessThan(1e-12);
    expect(metrics).toMatchObject({ images: 3, matchingKind: 'none', skipped: [] });
  });

  it('labels images whose masks are withheld alike', async () => {
    const before = new Map(maps);
    maps.clear();
    const { images } = await stored(asked);
    const done = await labelByDistance(ports, means(), await stored(given), images, options);
    expect(done).toEqual({ images: 3, skipped: [] });
    expect(maps).toEqual(before);
  });

  it('says what is wrong: too few references, a mask without an image, no picture', async () => {
    const few = await stored(given.slice(0, 2));
    const test = await stored(asked);
    const evaluate = (go: boolean) =>
      stored(given).then(references => evaluateDistance(ports, means(), references, test, { continue: go }));
    await expect(evaluateDistance(ports, means(), few, test, options)).rejects.toThrow(
      /^\d references found; 10 neighbours are asked/,
    );
    await test.store.delete('n1/0.png');
    await test.store.put('n1/1.png', new TextEncoder().encode('no picture'));
    await expect(evaluate(false)).rejects.toThrow('there is no image for the mask n1/0.png (--continue');
    const { images, skipped } = await evaluate(true);
    expect(images).toBe(1);
    expect(skipped.map(({ reason }) => reason)).toEqual([
      'there is no image for the mask n1/0.png',
      expect.stringMatching(/^image n1\/1\.png: /),
    ]);
  });
});
