/** What lies behind the objects: ground, light and clutter, in any colour. */
import type { Random } from '#core/random';
import type { Canvas } from './canvas.ts';
import { blend, boxAround } from './canvas.ts';
import type { Colour, ColourFamily } from './colour.ts';
import { between, colourOf, mixed } from './colour.ts';
import { addNoise, ramp } from './noise.ts';

/** Muted colours of every hue, those of the objects among them. */
const muted: ColourFamily = { hue: [0, 360], saturation: [0.05, 0.6], value: [0.25, 0.85] };

/** Fills the whole canvas: one ground, or two that meet at an uneven horizon. */
export function paintBackground(canvas: Canvas, random: Random): void {
  paintGround(canvas, random, new Float32Array(canvas.width).fill(Number.NEGATIVE_INFINITY));
  if (random.uniform() < 0.5) return;
  const { width, height } = canvas;
  const horizon = new Float32Array(width).fill(height * between(random, [0.2, 0.6]));
  addNoise(horizon, { width, height: 1 }, { cellWidth: width / 5, cellHeight: 1, amplitude: height / 14 }, random);
  paintGround(canvas, random, horizon);
}

/** A ground below a horizon: noise of several sizes walks between three colours, a slope of light lies over it. */
function paintGround(canvas: Canvas, random: Random, horizon: Float32Array): void {
  const { width, height } = canvas;
  const map = groundNoise(canvas, random);
  const middle = colourOf(random, muted);
  const ends = [0, 1].map(() => mixed(middle, colourOf(random, muted), between(random, [0.4, 0.9])));
  const slope = { x: between(random, [-0.3, 0.3]), y: between(random, [-0.3, 0.3]) };
  for (let y = 0, pixel = 0; y < height; y++) {
    for (let x = 0; x < width; x++, pixel++) {
      const below = ramp(y - horizon[x]!, 2);
      if (below === 0) continue;
      const shade = 1 + slope.x * (x / width - 0.5) + slope.y * (y / height - 0.5);
      const value = map[pixel]!;
      blend(canvas, pixel, middle, below, shade);
      blend(canvas, pixel, ends[value < 0 ? 0 : 1]!, below * Math.min(Math.abs(value), 1), shade);
    }
  }
}

/** Value noise of falling cell sizes, from clouds to sand; some grounds are streaked, some nearly smooth. */
function groundNoise({ width, height }: Canvas, random: Random): Float32Array {
  const map = new Float32Array(width * height);
  const stretch = between(random, [0.3, 3]) ** 0.5;
  const roughness = between(random, [0.4, 0.95]);
  let amplitude = between(random, [0.3, 0.7]);
  for (let cell = between(random, [20, 90]); cell >= 1.5; cell /= 2.6, amplitude *= roughness) {
    addNoise(map, { width, height }, { cellWidth: cell * stretch, cellHeight: cell / stretch, amplitude }, random);
  }
  return map;
}

/** Twigs and pebbles: things that belong to no category. Some grounds are swept, some are strewn with them. */
export function paintClutter(canvas: Canvas, random: Random): void {
  const density = random.uniform() ** 1.5;
  const twigs = 2 + Math.round(40 * density * random.uniform());
  const pebbles = 4 + Math.round(160 * density * random.uniform());
  for (let i = 0; i < twigs; i++) paintTwig(canvas, random);
  for (let i = 0; i < pebbles; i++) paintPebble(canvas, random);
}

/** A bent line of one colour, as a row of short straight pieces. */
function paintTwig(canvas: Canvas, random: Random): void {
  const colour = colourOf(random, muted);
  const halfWidth = between(random, [0.5, 1.8]);
  let x = canvas.width * random.uniform();
  let y = canvas.height * random.uniform();
  let heading = 2 * Math.PI * random.uniform();
  const bend = between(random, [-0.25, 0.25]);
  for (let piece = 3 + random.integer(8); piece > 0; piece--) {
    const length = between(random, [6, 16]);
    const [toX, toY] = [x + length * Math.cos(heading), y + length * Math.sin(heading)];
    paintSegment(canvas, [x, y, toX, toY], halfWidth, colour);
    [x, y, heading] = [toX, toY, heading + bend + between(random, [-0.2, 0.2])];
  }
}

function paintSegment(
  canvas: Canvas,
  [x, y, toX, toY]: readonly [number, number, number, number],
  halfWidth: number,
  colour: Colour,
): void {
  const [dx, dy] = [toX - x, toY - y];
  const lengthSquared = dx * dx + dy * dy;
  const box = boxAround(canvas, (x + toX) / 2, (y + toY) / 2, Math.sqrt(lengthSquared) / 2 + halfWidth + 1);
  for (let py = box.top; py < box.bottom; py++) {
    for (let px = box.left; px < box.right; px++) {
      const share = Math.min(Math.max(((px - x) * dx + (py - y) * dy) / lengthSquared, 0), 1);
      const distance = Math.hypot(px - x - share * dx, py - y - share * dy);
      const cover = ramp(halfWidth - distance, 1);
      if (cover > 0) blend(canvas, py * canvas.width + px, colour, cover);
    }
  }
}

function paintPebble(canvas: Canvas, random: Random): void {
  const colour = colourOf(random, muted);
  const [x, y] = [canvas.width * random.uniform(), canvas.height * random.uniform()];
  const radius = between(random, [1.5, 7]);
  const squash = between(random, [0.6, 1]);
  const box = boxAround(canvas, x, y, radius + 1);
  for (let py = box.top; py < box.bottom; py++) {
    for (let px = box.left; px < box.right; px++) {
      const cover = ramp(radius - Math.hypot(px - x, (py - y) / squash), 1);
      if (cover > 0) blend(canvas, py * canvas.width + px, colour, cover, 1 - (0.35 * (py - y)) / radius);
    }
  }
}
