/**
 * Painted scenes: a small world for tests and for the demonstration, made from a number alone.
 *
 * What it is: pictures with one to three objects of twelve made-up categories on cluttered grounds, with exact masks. A category shows in
 * shape, texture and colours together; hue, scale, rotation and light vary, categories share hues, and grounds come in every colour, so
 * the colour of a pixel says little. What it is not: photographs. Networks trained on photos have never seen such things, and a method
 * that does well here has passed a sanity check, no more.
 */
import type { RgbImage } from '#core/image/rgb-image';
import type { LabelMap } from '#core/labels/label-map';
import { emptyLabelMap } from '#core/labels/label-map';
import { Random, seedOf } from '#core/random';
import { paintBackground, paintClutter } from './background.ts';
import type { Canvas } from './canvas.ts';
import { blankCanvas, toImage } from './canvas.ts';
import { sceneCategories } from './categories.ts';
import { between } from './colour.ts';
import type { Light, SceneObject } from './object.ts';
import { castShadow, makeObject, paintObject, reachOf } from './object.ts';

export interface Scene {
  readonly image: RgbImage;
  /** Class ids: 0 background, else 1 + index into `sceneCategories`. A pixel belongs to the object that covers its middle. */
  readonly classes: LabelMap;
  /** Class id of the largest object. */
  readonly category: number;
}

export interface SceneOptions {
  /** Default 320. */
  readonly width?: number;
  /** Default 240. */
  readonly height?: number;
  /** Class id of the largest object, 1 … 12. Default: consecutive seeds take turns, so any run of them is balanced. */
  readonly category?: number;
}

const smallestCanvas = 16;

/**
 * The scene of a number: the same bytes every time.
 * @throws RangeError for a category that does not exist or a canvas of less than 16 pixels a side
 */
export function scene(seed: number, { width = 320, height = 240, category }: SceneOptions = {}): Scene {
  const main = category ?? 1 + (Math.abs(Math.trunc(seed)) % sceneCategories.length);
  if (!sceneCategories[main - 1]) {
    throw new RangeError(`no scene category ${main}: they are 1 … ${sceneCategories.length}`);
  }
  if (Math.min(width, height) < smallestCanvas) throw new RangeError(`a scene of ${width} × ${height} is too small`);
  const random = new Random(seedOf('scene', seed, width, height, main));
  const canvas = blankCanvas(width, height);
  const classes = emptyLabelMap(width, height);
  const light = lightOf(random);
  paintBackground(canvas, random);
  paintClutter(canvas, random);
  const objects = placeObjects(random, canvas, main);
  for (const object of objects) castShadow(canvas, object, light);
  for (const object of objects) paintObject(canvas, classes, object, light, random);
  develop(canvas, random);
  return { image: toImage(canvas), classes, category: main };
}

function lightOf(random: Random): Light {
  const angle = 2 * Math.PI * random.uniform();
  const strength = between(random, [0.2, 1]);
  return { x: strength * Math.cos(angle), y: strength * Math.sin(angle) };
}

/** The main object and up to two smaller ones, of its category or any other; the main one comes last, so it lies on top. */
function placeObjects(random: Random, canvas: Canvas, main: number): SceneObject[] {
  const chance = random.uniform();
  const others = chance < 0.5 ? 0 : chance < 0.85 ? 1 : 2;
  const largest = others > 0 ? 0.24 : 0.36;
  const placed = [placeObject(random, canvas, main, between(random, [0.12, largest]), [])];
  for (let i = 0; i < others; i++) {
    const category = random.uniform() < 0.5 ? main : 1 + random.integer(sceneCategories.length);
    const object = placeObject(random, canvas, category, between(random, [0.035, 0.08]), placed);
    if (clearance(object, placed) > -0.15) placed.push(object);
  }
  return placed.reverse();
}

/** An object that covers this share of the canvas, at the best of some random places: inside, and away from the others. */
function placeObject(
  random: Random,
  { width, height }: Canvas,
  category: number,
  share: number,
  others: readonly SceneObject[],
): SceneObject {
  const object = makeObject(random, category, Math.sqrt(share * width * height), 0.47 * Math.min(width, height));
  // A few reach over the border, as in photos.
  const reach = reachOf(object) * (random.uniform() < 0.12 ? 0.75 : 1) + 3;
  const within = (length: number) =>
    between(random, [Math.min(reach, length / 2), Math.max(length - reach, length / 2)]);
  const candidates = Array.from({ length: 24 }, () => ({ ...object, x: within(width), y: within(height) }));
  if (others.length === 0) return candidates[0]!;
  return candidates.reduce((best, next) => (clearance(next, others) > clearance(best, others) ? next : best));
}

/** Free space between an object and the nearest other, as a share of their reach; negative where they may overlap. */
function clearance(object: SceneObject, others: readonly SceneObject[]): number {
  const spaces = others.map(other => {
    const reach = reachOf(object) + reachOf(other);
    return Math.hypot(object.x - other.x, object.y - other.y) / reach - 1;
  });
  return Math.min(...spaces);
}

/** What a camera adds: exposure, a cast of colour, darker corners, grain. */
function develop({ width, height, data }: Canvas, random: Random): void {
  const exposure = between(random, [0.85, 1.1]);
  const cast = [0, 1, 2].map(() => exposure * between(random, [0.93, 1.07]));
  const vignette = between(random, [0, 0.3]);
  const grain = between(random, [1.5, 5]);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const away = (x / width - 0.5) ** 2 + (y / height - 0.5) ** 2;
      for (let c = 0; c < 3; c++, i++) {
        data[i] = data[i]! * cast[c]! * (1 - 2 * vignette * away) + grain * roughlyNormal(random);
      }
    }
  }
}

/** Mean 0, deviation 1, from one number: the sum of its four bytes. */
function roughlyNormal(random: Random): number {
  const bits = random.uint32();
  return ((bits & 255) + ((bits >>> 8) & 255) + ((bits >>> 16) & 255) + (bits >>> 24) - 510) / 147.8;
}
