/** The built-in backbone: its form, and that cosines of its features tell textures and colours apart. */
import ort from 'onnxruntime-node';
import { beforeAll, describe, expect, test } from 'vitest';
import { applyBackbone } from '#core/backbone/apply-backbone';
import { filterBank, filterBankEntry } from '#core/backbone/filter-bank';
import { backboneSettings } from '#core/backbone/settings';
import { importModel } from '#core/graph/import';
import { toModel } from '#core/graph/model';
import { readModel } from '#core/graph/onnx';
import { input } from '#core/graph/tensor';
import { Random } from '#core/random';

interface Map3 {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly data: Float32Array;
}

type Pixel = (x: number, y: number) => readonly [number, number, number];

let session: ort.InferenceSession;
beforeAll(async () => {
  session = await ort.InferenceSession.create(filterBank(), { logSeverityLevel: 4, intraOpNumThreads: 1 });
});

async function features(width: number, height: number, pixel: Pixel): Promise<{ fine: Map3; deep: Map3 }> {
  const data = new Float32Array(3 * width * height);
  for (let y = 0, i = 0; y < height; y++)
    for (let x = 0; x < width; x++, i++)
      for (const [c, value] of pixel(x, y).entries()) data[c * width * height + i] = Math.min(1, Math.max(0, value));
  const results = await session.run({ image: new ort.Tensor('float32', data, [1, 3, height, width]) });
  const map = ({ dims, data }: ort.Tensor): Map3 => ({
    channels: dims[1]!,
    height: dims[2]!,
    width: dims[3]!,
    data: data as Float32Array,
  });
  return { fine: map(results.fine!), deep: map(results.deep!) };
}

const vectorAt = ({ channels, height, width, data }: Map3, x: number, y: number) =>
  Float32Array.from({ length: channels }, (_, c) => data[(c * height + y) * width + x]!);
const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
const cosine = (a: Float32Array, b: Float32Array) => dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));

/** Texture in −1 … 1. */
const textures: readonly ((x: number, y: number) => number)[] = [
  x => (Math.sin((2 * Math.PI * x) / 7) > 0 ? 1 : -1),
  (x, y) => Math.sign(Math.sin((2 * Math.PI * x) / 12) * Math.sin((2 * Math.PI * y) / 12)),
  () => 0,
];

/** Six categories: two colours (rust and teal), each with each texture. */
const categories = [
  [0.65, 0.4, 0.25],
  [0.25, 0.5, 0.55],
].flatMap(colour => textures.map(texture => ({ colour, texture })));

/** A 96×96 disc of a category, turned, lit and shifted at random, before stripes and blots in random colours. */
function scene(category: (typeof categories)[number], random: Random): Pixel {
  const angle = random.uniform() * 2 * Math.PI;
  const [cos, sin, shift] = [Math.cos(angle), Math.sin(angle), random.uniform() * 12];
  const light = 0.85 + 0.3 * random.uniform();
  const blots = Array.from({ length: 9 }, () => ({
    x: random.uniform() * 160,
    y: random.uniform() * 160,
    colour: [random.uniform(), random.uniform(), random.uniform()],
    period: 4 + random.uniform() * 16,
  }));
  return (x, y) => {
    const [u, v] = [cos * x + sin * y + shift, cos * y - sin * x];
    if (Math.hypot(x - 80, y - 80) < 48) {
      const level = 0.12 * category.texture(u, v) + random.normal() * 0.01;
      return category.colour.map(value => value * light + level) as [number, number, number];
    }
    const near = blots.reduce((a, b) => (Math.hypot(a.x - x, a.y - y) < Math.hypot(b.x - x, b.y - y) ? a : b));
    return near.colour.map(value => value + 0.15 * Math.sin(u / near.period)) as [number, number, number];
  };
}

describe('the filter bank', () => {
  test('is small and the same every time', () => {
    const bytes = filterBank();
    expect(bytes.length).toBeLessThan(300_000);
    expect(Buffer.compare(filterBank(), bytes)).toBe(0);
    expect(readModel(bytes).graph!.input!.map(({ name }) => name)).toEqual(['image']);
  });

  test.each([
    [32, 32],
    [33, 47],
    [63, 64],
    [100, 321],
    [256, 384],
  ])('takes %d×%d and covers all of it', async (width, height) => {
    const random = new Random(width);
    const { fine, deep } = await features(width, height, () => [random.uniform(), random.uniform(), random.uniform()]);
    expect([fine.width, fine.height]).toEqual([Math.ceil(width / 16), Math.ceil(height / 16)]);
    expect([deep.width, deep.height]).toEqual([Math.ceil(width / 32), Math.ceil(height / 32)]);
    for (const map of [fine, deep]) {
      expect(map.channels).toBe(102);
      expect(map.data.every(Number.isFinite)).toBe(true);
    }
  });

  test.each([0, 0.5, 1])('has no edges in a picture of plain grey %d', async grey => {
    const { fine, deep } = await features(96, 64, () => [grey, grey, grey]);
    for (const map of [fine, deep]) {
      const first = vectorAt(map, 0, 0);
      for (let y = 0; y < map.height; y++)
        for (let x = 0; x < map.width; x++) expect(cosine(vectorAt(map, x, y), first)).toBeCloseTo(1, 4);
    }
  });

  test('moves with the picture', async () => {
    const random = new Random(3);
    const noise = Float32Array.from({ length: 3 * 160 * 160 }, () => random.uniform());
    const pixel = (dx: number): Pixel => {
      return (x, y) => {
        const at = 3 * (y * 160 + ((x + dx) % 160));
        return [noise[at]!, noise[at + 1]!, noise[at + 2]!];
      };
    };
    const still = await features(128, 128, pixel(0));
    const moved = await features(128, 128, pixel(16));
    for (let x = 2; x < 5; x++)
      for (const [i, value] of vectorAt(moved.fine, x, 4).entries())
        expect(value).toBeCloseTo(vectorAt(still.fine, x + 1, 4)[i]!, 4);
  });

  test('changes less when stripes turn than when other stripes cross them', async () => {
    const stripes =
      (angle: number): Pixel =>
      (x, y) => {
        const level = 0.5 + 0.2 * Math.sin((2 * Math.PI * (x * Math.cos(angle) + y * Math.sin(angle))) / 6);
        return [level, level, level];
      };
    const upright = vectorAt((await features(128, 128, stripes(0))).deep, 1, 1);
    const turned = vectorAt((await features(128, 128, stripes(Math.PI / 3))).deep, 1, 1);
    const crossed = vectorAt(
      (
        await features(
          128,
          128,
          (x, y) => stripes(0)(x, y).map((v, i) => (v + stripes(1.6)(x, y)[i]!) / 2) as [number, number, number],
        )
      ).deep,
      1,
      1,
    );
    expect(cosine(upright, turned)).toBeGreaterThan(cosine(upright, crossed));
    expect(cosine(upright, turned)).toBeGreaterThan(0.85);
  });

  test.each(['fine', 'deep'] as const)(
    '%s: the most similar place in other pictures is of the same category',
    async name => {
      const random = new Random(11);
      const cells: { category: number; picture: number; vector: Float32Array }[] = [];
      for (let picture = 0; picture < 24; picture++) {
        const category = picture % categories.length;
        const map = (await features(160, 160, scene(categories[category]!, random)))[name];
        const inside = name === 'fine' ? [3, 4, 5, 6] : [2];
        for (const y of inside) for (const x of inside) cells.push({ category, picture, vector: vectorAt(map, x, y) });
      }
      const right = cells.filter(({ category, picture, vector }) => {
        const others = cells.filter(other => other.picture !== picture);
        const similar = others.map(other => cosine(other.vector, vector));
        return others[similar.indexOf(Math.max(...similar))]!.category === category;
      });
      expect(right.length / cells.length).toBeGreaterThan(0.97);
    },
  );

  test('is a backbone like any other', async () => {
    const model = importModel(filterBank());
    const settings = backboneSettings(model, filterBankEntry);
    expect(settings).toMatchObject({ deep: { name: 'deep', stride: 32 }, fine: { name: 'fine', stride: 16 } });
    const image = input('image', 'float32', ['N', 3, 'H', 'W']);
    const { deep } = applyBackbone(model, settings, image);
    expect(deep.dims).toEqual(['N', 102, 'floor((H+31)/32)', 'floor((W+31)/32)']);
    const bytes = toModel({ name: 'm', inputs: [image], outputs: { deep } });
    const whole = await ort.InferenceSession.create(bytes, { logSeverityLevel: 4 });
    const data = Float32Array.from({ length: 3 * 64 * 64 }, (_, i) => (i * 37) % 256);
    const results = await whole.run({ image: new ort.Tensor('float32', data, [1, 3, 64, 64]) });
    const direct = await session.run({
      image: new ort.Tensor(
        'float32',
        data.map(v => v / 255),
        [1, 3, 64, 64],
      ),
    });
    for (const [i, value] of (results.deep!.data as Float32Array).entries())
      expect(value).toBeCloseTo((direct.deep!.data as Float32Array)[i]!, 3);
  });
});
