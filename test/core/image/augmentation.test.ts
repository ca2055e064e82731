/** Views for training: what is drawn keeps to its rules, what is applied is what the definitions say. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  augmentImage,
  augmentLabelMap,
  contrastiveAugmentation,
  drawAugmentation,
  drawCrop,
  publishedAugmentation,
} from '#core/image/augmentation';
import { blur } from '#core/image/blur';
import { adjustBrightness, adjustContrast, adjustSaturation, shiftHue, toGrey } from '#core/image/colour-jitter';
import { resize } from '#core/image/resize';
import type { RgbImage } from '#core/image/rgb-image';
import { Random } from '#core/random';

const noise = (width: number, height: number, seed = 1): RgbImage => {
  const random = new Random(seed);
  return { width, height, data: Uint8Array.from({ length: width * height * 3 }, () => random.integer(256)) };
};
const pixels = (...values: number[][]): RgbImage => ({
  width: values.length,
  height: 1,
  data: Uint8Array.from(values.flat()),
});
const whole = { x: 0, y: 0, width: 12, height: 12 };
const still = { crop: whole, flip: false, colours: [], grey: false };

describe('crops', () => {
  it('lie inside the picture, with an area and a ratio that are allowed', () => {
    const sides = fc.integer({ min: 1, max: 300 });
    fc.assert(
      fc.property(sides, sides, fc.integer(), (width, height, seed) => {
        const { x, y, ...crop } = drawCrop(new Random(seed), { width, height }, contrastiveAugmentation);
        expect(Math.min(x, y)).toBeGreaterThanOrEqual(0);
        expect(crop.width).toBeGreaterThan(0);
        expect(crop.height).toBeGreaterThan(0);
        expect(x + crop.width).toBeLessThanOrEqual(width);
        expect(y + crop.height).toBeLessThanOrEqual(height);
        // Whole pixels: each side may be off by a half.
        const ratio = crop.width / crop.height;
        const slack = 1 + 1 / Math.min(crop.width, crop.height);
        expect(ratio).toBeLessThanOrEqual((4 / 3) * slack);
        expect(ratio).toBeGreaterThanOrEqual(3 / 4 / slack);
      }),
    );
  });

  it('spread over the whole range of areas', () => {
    const random = new Random(3);
    const areas = Array.from({ length: 400 }, () => {
      const { width, height } = drawCrop(random, { width: 200, height: 200 }, contrastiveAugmentation);
      return (width * height) / 40_000;
    });
    expect(Math.min(...areas)).toBeLessThan(0.12);
    expect(Math.max(...areas)).toBeGreaterThan(0.85);
    expect(areas.reduce((a, b) => a + b) / 400).toBeCloseTo(0.5, 1);
  });

  it('take the middle of a picture too long for any', () => {
    const crop = drawCrop(new Random(1), { width: 400, height: 10 }, { scale: [0.9, 1], ratio: [3 / 4, 4 / 3] });
    expect(crop).toEqual({ x: 193, y: 0, width: 13, height: 10 });
  });
});

describe('views', () => {
  it('are the same for the same chance, and others for another', () => {
    const draw = (seed: number) =>
      drawAugmentation(new Random(seed), { width: 90, height: 60 }, contrastiveAugmentation);
    expect(draw(5)).toEqual(draw(5));
    expect(draw(5)).not.toEqual(draw(6));
  });

  it('change colours, flip, grey and blur as often as the rules say', () => {
    const random = new Random(8);
    const drawn = Array.from({ length: 600 }, () =>
      drawAugmentation(random, { width: 50, height: 50 }, contrastiveAugmentation),
    );
    const share = (happened: (one: (typeof drawn)[number]) => boolean) => drawn.filter(happened).length / 600;
    expect(share(({ flip }) => flip)).toBeCloseTo(0.5, 1);
    expect(share(({ colours }) => colours.length === 4)).toBeCloseTo(0.8, 1);
    expect(share(({ grey }) => grey)).toBeCloseTo(0.2, 1);
    expect(share(one => one.blur !== undefined)).toBeCloseTo(0.5, 1);
    expect(drawAugmentation(random, { width: 50, height: 50 }, publishedAugmentation)).toMatchObject({
      colours: [],
      grey: false,
    });
  });

  it('are the resized crop, turned over for a flip', () => {
    const image = noise(20, 12);
    const crop = { x: 3, y: 2, width: 9, height: 7 };
    const part = { width: 9, height: 7, data: new Uint8Array(9 * 7 * 3) };
    for (let y = 0; y < 7; y++)
      for (let x = 0; x < 9; x++)
        for (let c = 0; c < 3; c++) part.data[(y * 9 + x) * 3 + c] = image.data[((y + 2) * 20 + x + 3) * 3 + c]!;
    const expected = resize(part, 6, 6);
    expect(augmentImage(image, { ...still, crop }, 6)).toEqual(expected);
    const flipped = augmentImage(image, { ...still, crop, flip: true }, 6);
    for (let p = 0; p < 36; p++)
      for (let c = 0; c < 3; c++)
        expect(flipped.data[p * 3 + c]).toBe(expected.data[(p - (p % 6) + 5 - (p % 6)) * 3 + c]);
  });

  it('keep a picture and its label map together', () => {
    // The red channel says the id, so that both can be compared after any crop and flip.
    const ids = Uint16Array.from({ length: 24 * 24 }, (_, p) => (p % 24 < 12 ? 10 : 200) + (p < 288 ? 0 : 30));
    const image = { width: 24, height: 24, data: Uint8Array.from([...ids].flatMap(id => [id, 0, 0])) };
    for (let seed = 0; seed < 30; seed++) {
      const view = drawAugmentation(new Random(seed), image, publishedAugmentation);
      const map = augmentLabelMap({ width: 24, height: 24, data: ids }, view, 16);
      const red = augmentImage(image, view, 16).data.filter((_, i) => i % 3 === 0);
      // Where the picture is not a mix of two areas, it says what the map says.
      const sure = [...red].map((value, p) => [value, map.data[p]!] as const).filter(([value]) => ids.includes(value));
      expect(sure.length).toBeGreaterThan(60);
      expect(sure.filter(([value, id]) => value !== id).length).toBeLessThanOrEqual(0.05 * sure.length);
    }
  });
});

describe('colours', () => {
  it('mix with black, the mean grey, and the own grey', () => {
    const image = pixels([100, 50, 200], [0, 0, 0]);
    expect([...adjustBrightness(image, 1.5).data]).toEqual([150, 75, 255, 0, 0, 0]);
    // Grey by BT.601 is 82 and 0, their mean 41.
    expect([...adjustContrast(image, 0.5).data]).toEqual([70, 45, 120, 20, 20, 20]);
    expect([...adjustSaturation(image, 0.5).data]).toEqual([91, 66, 141, 0, 0, 0]);
    expect([...toGrey(image).data]).toEqual([82, 82, 82, 0, 0, 0]);
  });

  it('leave a picture as it is with a factor of one', () => {
    const image = noise(7, 5);
    for (const change of [adjustBrightness, adjustContrast, adjustSaturation]) expect(change(image, 1)).toEqual(image);
    expect(shiftHue(image, 0)).toEqual(image);
    expect(shiftHue(image, 1)).toEqual(image);
  });

  it('turn hues by the circle: red, green, blue, and back', () => {
    const red = pixels([255, 0, 0], [200, 100, 100], [7, 7, 7]);
    expect([...shiftHue(red, 1 / 3).data]).toEqual([0, 255, 0, 100, 200, 100, 7, 7, 7]);
    expect([...shiftHue(red, -1 / 3).data]).toEqual([0, 0, 255, 100, 100, 200, 7, 7, 7]);
    expect([...shiftHue(red, 1 / 6).data]).toEqual([255, 255, 0, 200, 200, 100, 7, 7, 7]);
  });
});

describe('blur', () => {
  it('is the sum of its neighbours by a Gaussian', () => {
    const image = noise(9, 8, 4);
    const deviation = 0.8;
    const at = (x: number, y: number, c: number) =>
      image.data[(Math.min(Math.max(y, 0), 7) * 9 + Math.min(Math.max(x, 0), 8)) * 3 + c]!;
    const blurred = blur(image, deviation);
    for (const [x, y] of [
      [0, 0],
      [4, 3],
      [8, 7],
      [1, 6],
    ] as const) {
      let [sum, weights] = [0, 0];
      for (let v = -3; v <= 3; v++)
        for (let u = -3; u <= 3; u++) {
          const weight = Math.exp(-(u * u + v * v) / (2 * deviation ** 2));
          sum += weight * at(x + u, y + v, 1);
          weights += weight;
        }
      expect(Math.abs(blurred.data[(y * 9 + x) * 3 + 1]! - sum / weights)).toBeLessThanOrEqual(0.51);
    }
  });

  it('leaves an even picture even', () => {
    const even = { width: 6, height: 4, data: new Uint8Array(72).fill(90) };
    expect(blur(even, 2)).toEqual(even);
  });
});
