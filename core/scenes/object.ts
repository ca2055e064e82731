/** One object of a scene: where it lies, what it looks like, and painting it. */
import type { LabelMap } from '#core/labels/label-map';
import type { Random } from '#core/random';
import type { Canvas } from './canvas.ts';
import { blend, boxAround } from './canvas.ts';
import { categories } from './categories.ts';
import type { Colour } from './colour.ts';
import { between, colourOf, mixed } from './colour.ts';
import { ramp, smoothstep } from './noise.ts';
import type { Location, Outline } from './outline.ts';
import { locate, outlineOf } from './outline.ts';
import type { Texture } from './texture.ts';
import { textures } from './texture.ts';

export interface SceneObject {
  /** Class id: 1 + index into the categories. */
  readonly category: number;
  readonly x: number;
  readonly y: number;
  /** Square root of the area, in pixels: the unit of the outline. */
  readonly size: number;
  /** Radians. */
  readonly turn: number;
  readonly outline: Outline;
}

/** Where the light comes from: a vector of length 0 (all around) to about 1. */
export interface Light {
  readonly x: number;
  readonly y: number;
}

/** Farthest distance of the object from its middle, in pixels. */
export const reachOf = ({ size, outline }: SceneObject): number => size * outline.largestRadius;

/** An object at the origin: as large as wanted, unless it would not fit into `room` pixels around its middle. */
export function makeObject(random: Random, category: number, wantedSize: number, room: number): SceneObject {
  const { shapes, hole } = categories[category - 1]!;
  const outline = outlineOf(random, shapes[random.integer(shapes.length)]!, hole);
  const size = Math.min(wantedSize, room / outline.largestRadius);
  return { category, x: 0, y: 0, size, turn: 2 * Math.PI * random.uniform(), outline };
}

/** Calls back for every pixel near the object. `u`, `v`: the place in units of the object's size, along and across it. */
function eachPixel(
  canvas: Canvas,
  { x, y, size, turn, outline }: SceneObject,
  margin: number,
  visit: (pixel: number, location: Location, u: number, v: number) => void,
): void {
  const cos = Math.cos(turn) / size;
  const sin = Math.sin(turn) / size;
  const farthest = outline.largestRadius + margin / size;
  const box = boxAround(canvas, x, y, farthest * size);
  for (let py = box.top; py < box.bottom; py++) {
    for (let px = box.left; px < box.right; px++) {
      const u = (px - x) * cos + (py - y) * sin;
      const v = (py - y) * cos - (px - x) * sin;
      if (u * u + v * v < farthest * farthest) visit(py * canvas.width + px, locate(outline, u, v), u, v);
    }
  }
}

const black: Colour = [0, 0, 0];

/** Darkens the ground on the side away from the light. */
export function castShadow(canvas: Canvas, object: SceneObject, light: Light): void {
  const softness = 0.16 * object.size;
  const shifted = { ...object, x: object.x - 0.1 * object.size * light.x, y: object.y - 0.1 * object.size * light.y };
  eachPixel(canvas, shifted, softness, (pixel, { distance }) => {
    const cover = smoothstep(ramp(-distance * object.size, softness));
    if (cover > 0) blend(canvas, pixel, black, 0.45 * cover);
  });
}

/** Paints the object, softening its edge over one pixel, and writes its class where it covers a pixel's middle. */
export function paintObject(
  canvas: Canvas,
  classes: LabelMap,
  object: SceneObject,
  light: Light,
  random: Random,
): void {
  const { texture, colours, cells } = categories[object.category - 1]!;
  const look = {
    texture: textures[texture] as Texture,
    palette: colours.map(family => colourOf(random, family)) as [Colour, Colour, Colour],
    cells: Math.max(Math.min(between(random, cells), object.size / smallestCell), 1),
    seed: random.uint32(),
    brightness: between(random, [0.85, 1.12]),
  };
  eachPixel(canvas, object, 1, (pixel, { distance, depth, angle }, u, v) => {
    const cover = ramp(-distance * object.size, 1);
    if (cover === 0) return;
    const place = {
      u: u * look.cells,
      v: v * look.cells,
      depth,
      angle,
      cell: object.size / look.cells,
    };
    const colour = walk(look.palette, look.texture(place, look.seed));
    const shade = look.brightness * shadeAt(object, light, depth, u, v);
    blend(canvas, pixel, colour, cover, shade);
    if (distance <= 0) classes.data[pixel] = object.category;
  });
}

/** Texture cells below this width, in pixels, would blur into one colour. */
const smallestCell = 5;

/** Through three colours: 0 the first, 1 the second, 2 the third. */
const walk = ([a, b, c]: readonly [Colour, Colour, Colour], t: number): Colour =>
  t < 1 ? mixed(a, b, Math.max(t, 0)) : mixed(b, c, Math.min(t - 1, 1));

/** Roundness: bright towards the light, darker towards the rim. */
function shadeAt({ turn }: SceneObject, light: Light, depth: number, u: number, v: number): number {
  const towards =
    (u * Math.cos(turn) - v * Math.sin(turn)) * light.x + (u * Math.sin(turn) + v * Math.cos(turn)) * light.y;
  return 1 + 0.45 * towards - 0.22 * depth ** 4;
}
