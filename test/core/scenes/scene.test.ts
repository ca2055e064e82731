import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { greyOf } from '#core/image/rgb-image';
import { sceneCategories } from '#core/scenes/categories';
import type { Scene } from '#core/scenes/scene';
import { scene } from '#core/scenes/scene';

const scenes = (count: number, from: number) => Array.from({ length: count }, (_, i) => scene(from + i));
const pixelsOf = (one: Scene, category: number) =>
  one.classes.data.reduce((sum, id) => sum + (id === category ? 1 : 0), 0);
const coverageOf = (one: Scene) => 1 - pixelsOf(one, 0) / one.classes.data.length;
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const bytesOf = (ids: Uint16Array) => Uint8Array.from(ids);

describe('scene', () => {
  it('is the same bytes for the same number, on every machine', () => {
    const digests = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11].map(seed => {
      const { image, classes } = scene(seed, { width: 160, height: 120 });
      return sha256(image.data).slice(0, 16) + sha256(bytesOf(classes.data)).slice(0, 16);
    });
    expect(sha256(Buffer.from(digests.join()))).toMatchInlineSnapshot(
      `"e1792404ffe5d4854eaa50e97a389578155ed3ac63de2514d116a68b9b8c599e"`,
    );
  });

  it('differs from number to number', () => {
    const pictures = Array.from({ length: 24 }, (_, i) => scene(i, { width: 80, height: 60 }).image.data);
    expect(new Set(pictures.map(sha256)).size).toBe(24);
  });

  it('has picture and mask of the size asked for, whatever it is', () => {
    expect(scene(1).image).toMatchObject({ width: 320, height: 240 });
    for (const [width, height] of [
      [16, 16],
      [33, 97],
      [200, 50],
    ] as const) {
      const { image, classes } = scene(3, { width, height });
      expect(image).toMatchObject({ width, height });
      expect(classes).toMatchObject({ width, height });
      expect(image.data.length).toBe(3 * width * height);
      expect(classes.data.length).toBe(width * height);
      expect(pixelsOf({ image, classes, category: 4 }, 4)).toBeGreaterThan(0);
    }
  });

  it('takes the categories in turn, or the one asked for', () => {
    expect(sceneCategories.length).toBeGreaterThanOrEqual(8);
    expect(
      scenes(sceneCategories.length, 600)
        .map(({ category }) => category)
        .sort((a, b) => a - b),
    ).toEqual(sceneCategories.map((_, i) => i + 1));
    for (const category of [1, 5, 12]) {
      const one = scene(9, { category });
      expect(one.category).toBe(category);
      expect(pixelsOf(one, category)).toBeGreaterThan(0);
    }
    expect(() => scene(1, { category: 0 })).toThrow('no scene category 0: they are 1 … 12');
    expect(() => scene(1, { category: 13 })).toThrow(RangeError);
    expect(() => scene(1, { width: 15 })).toThrow('15 × 240');
  });
});

describe('a world of scenes', () => {
  const world = scenes(96, 20_000);
  const unseen = scenes(48, 30_000);

  it('has objects on a tenth to nearly half of each picture', () => {
    for (const coverage of world.map(coverageOf)) {
      expect(coverage).toBeGreaterThan(0.08);
      expect(coverage).toBeLessThan(0.48);
    }
  });

  it('names the category that covers most', () => {
    for (const one of world) {
      const largest = sceneCategories.map((_, i) => pixelsOf(one, i + 1));
      expect(largest.indexOf(Math.max(...largest)) + 1).toBe(one.category);
    }
  });

  it('has one to three objects, often of several categories', () => {
    const kinds = world.map(one => new Set(one.classes.data).size - 1);
    expect(Math.min(...kinds)).toBe(1);
    expect(Math.max(...kinds)).toBe(3);
    expect(kinds.filter(count => count > 1).length).toBeGreaterThan(world.length / 8);
  });

  it('seldom lets objects touch the border', () => {
    const touching = world.filter(({ classes: { width, height, data } }) => {
      const onBorder = (_: number, i: number) =>
        i % width === 0 || i % width === width - 1 || i < width || i >= width * (height - 1);
      return data.some((id, i) => id !== 0 && onBorder(id, i));
    });
    expect(touching.length).toBeLessThan(world.length / 4);
  });

  it('draws its masks where the picture has its edges', () => {
    const contrasts = world.map(({ image, classes }) => {
      const grey = greyOf(image);
      const sums = { edge: 0, edges: 0, ground: 0, grounds: 0 };
      for (let i = 0; i < grey.length - 2; i++) {
        const step = Math.abs(grey[i + 2]! - grey[i]!);
        const [left, right] = [classes.data[i]!, classes.data[i + 2]!];
        if ((left === 0) !== (right === 0)) {
          sums.edge += step;
          sums.edges++;
        } else if (left === 0) {
          sums.ground += step;
          sums.grounds++;
        }
      }
      return sums.edge / sums.edges / (sums.ground / sums.grounds);
    });
    expect(contrasts.filter(contrast => contrast > 2).length).toBeGreaterThan(0.9 * world.length);
  });

  it('cannot be solved by the colours of pixels, even with labels', () => {
    expect(colourClassifier(world, unseen).foregroundIou).toBeLessThan(0.35);
  });

  it('shows its categories in texture and colour together', () => {
    const known = world.map(one => ({ category: one.category, look: lookOf(one) }));
    const right = unseen.filter(one => {
      const look = lookOf(one);
      const distance = (other: number[]) => other.reduce((sum, value, i) => sum + Math.abs(value - look[i]!), 0);
      const nearest = known.reduce((best, next) => (distance(next.look) < distance(best.look) ? next : best));
      return nearest.category === one.category;
    });
    expect(right.length / unseen.length).toBeGreaterThan(0.75);
  });
});

/** The most frequent class of each of 512 colours, learned on some scenes and applied to others: mean IoU over the categories. */
function colourClassifier(known: readonly Scene[], others: readonly Scene[]): { foregroundIou: number } {
  const classes = sceneCategories.length + 1;
  const colourAt = ({ image: { data } }: Scene, i: number) =>
    ((data[3 * i]! >> 5) << 6) + ((data[3 * i + 1]! >> 5) << 3) + (data[3 * i + 2]! >> 5);
  const votes = new Float64Array(512 * classes);
  for (const one of known) {
    one.classes.data.forEach((id, i) => {
      votes[colourAt(one, i) * classes + id]!++;
    });
  }
  const answer = Array.from({ length: 512 }, (_, colour) => {
    const row = votes.subarray(colour * classes, (colour + 1) * classes);
    return row.indexOf(Math.max(...row));
  });
  const both = new Float64Array(classes);
  const either = new Float64Array(classes);
  for (const one of others) {
    one.classes.data.forEach((id, i) => {
      const guess = answer[colourAt(one, i)]!;
      either[id]!++;
      if (guess === id) both[id]!++;
      else either[guess]!++;
    });
  }
  const ious = sceneCategories.map((_, i) => both[i + 1]! / either[i + 1]!);
  return { foregroundIou: ious.reduce((sum, iou) => sum + iou, 0) / ious.length };
}

/** A crude description of the main object: 64 colours, and how much grey changes over 1, 2, 4 and 8 pixels. */
function lookOf({ image: { data }, classes, category }: Scene, grey = greyOf({ ...classes, data })): number[] {
  const look = new Array<number>(64 + 4 * 8).fill(0);
  let pixels = 0;
  for (let i = 0; i < grey.length - 8; i++) {
    if (classes.data[i] !== category || classes.data[i + 8] !== category) continue;
    pixels++;
    look[((data[3 * i]! >> 6) << 4) + ((data[3 * i + 1]! >> 6) << 2) + (data[3 * i + 2]! >> 6)]!++;
    for (let s = 0; s < 4; s++) {
      const change = Math.abs(grey[i + (1 << s)]! - grey[i]!);
      look[64 + 8 * s + Math.min(change >> 4, 7)]! += 0.5;
    }
  }
  return look.map(count => count / pixels);
}
