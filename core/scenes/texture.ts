/**
 * Textures of objects: a number for each place on the object, 0 … 2, which walks through three colours (0 first, 1 second, 2 third).
 * Places are in texture cells, so patterns have a typical width of about 1.
 */
import { hash, hashUniform, noiseAt, ramp } from './noise.ts';

export interface Place {
  /** In cells, from the object's middle, along and across it. */
  readonly u: number;
  readonly v: number;
  /** From the middle (0) to the outline (1). */
  readonly depth: number;
  /** Direction from the middle, in radians. */
  readonly angle: number;
  /** Pixels per cell: edges of a pattern are softened over one pixel. */
  readonly cell: number;
}

export type Texture = (place: Place, seed: number) => number;

/** Nearest and second nearest of one random point per unit cell (Worley's cellular noise). */
function nearestPoints(
  u: number,
  v: number,
  jitter: number,
  seed: number,
): { first: number; second: number; id: number } {
  const found = { first: 9, second: 9, id: 0 };
  const left = Math.floor(u);
  const top = Math.floor(v);
  for (let y = top - 1; y <= top + 1; y++) {
    for (let x = left - 1; x <= left + 1; x++) {
      const id = hash(x, y, seed);
      const dx = x + 0.5 + jitter * ((id & 0xffff) / 65536 - 0.5) - u;
      const dy = y + 0.5 + jitter * ((id >>> 16) / 65536 - 0.5) - v;
      const distance = dx * dx + dy * dy;
      if (distance < found.first) {
        found.second = found.first;
        found.first = distance;
        found.id = id;
      } else if (distance < found.second) found.second = distance;
    }
  }
  return { first: Math.sqrt(found.first), second: Math.sqrt(found.second), id: found.id };
}

/** 1 on a line of this half width at 0, else 0. */
const line = (distance: number, halfWidth: number, cell: number): number =>
  ramp(halfWidth - Math.abs(distance), 1.2 / cell);

/** Distance to the nearest whole number. */
const toWhole = (x: number): number => Math.abs(x - Math.round(x));

/** A rod of one cell in a random direction; its colour by chance. */
function rod(u: number, v: number, seed: number, cell: number): number {
  const [x, y] = [Math.floor(u), Math.floor(v)];
  const id = hash(x, y, seed);
  const turn = ((id & 0xff) / 256) * Math.PI;
  const [dx, dy] = [u - x - 0.5, v - y - 0.5];
  const along = dx * Math.cos(turn) + dy * Math.sin(turn);
  const across = dy * Math.cos(turn) - dx * Math.sin(turn);
  const inside = Math.min(0.36 - Math.abs(along), 0.13 - Math.abs(across));
  return ramp(inside, 1.2 / cell) * ((id >>> 8) & 1 ? 1 : 2);
}

export const textures = {
  /** Round spots of one colour on another. */
  spots: ({ u, v, cell }, seed) => {
    const { first, id } = nearestPoints(u, v, 0.45, seed);
    return ramp(0.27 + (0.1 * ((id >>> 8) & 0xff)) / 256 - first, 1.2 / cell);
  },
  /** Wavering bands. */
  stripes: ({ u, v, cell }, seed) => {
    const bent = u + 0.8 * noiseAt(u * 0.35, v * 0.35, seed) + 0.15 * noiseAt(u, v, seed + 1);
    return ramp(toWhole(bent) - 0.25, 1.2 / cell);
  },
  /** Fine bright grains. */
  grains: ({ u, v, cell, depth }, seed) => {
    const { first } = nearestPoints(2.2 * u, 2.2 * v, 0.9, seed);
    return ramp(0.3 - first, 3 / cell) + 0.5 * ramp(depth - 0.8, 0.5);
  },
  /** Short rods of two colours, strewn. */
  sprinkles: ({ u, v, cell }, seed) => rod(u * 1.2, v * 1.2, seed, cell),
  /** A midrib with side veins. */
  veins: ({ u, v, cell }, seed) => {
    const rib = line(v, 0.14, cell);
    const side = line(toWhole(0.8 * (u - 0.9 * Math.abs(v))), 0.09, cell);
    return Math.max(rib, 0.85 * side) + 0.25 * noiseAt(u, v, seed) + 0.1;
  },
  /** Six-sided cells with walls; each cell a little different. */
  honeycomb: ({ u, v, cell }) => {
    const { wall, id } = hexagonAt(u, v);
    return Math.max(0.8 * hashUniform(id, 7, 1) * 0.6, 2 * ramp(0.12 - wall, 1.2 / cell));
  },
  /** Growth rings around one side. */
  rings: ({ u, v, cell }, seed) => {
    const distance = Math.hypot(u + 3.5, v) + 0.25 * noiseAt(u * 0.7, v * 0.7, seed);
    return ramp(toWhole(distance) - 0.2, 2 / cell) + 0.4 * ramp(toWhole(distance * 0.31) - 0.3, 2 / cell);
  },
  /** Flat faces, each lit in its own way, with bright edges. */
  facets: ({ u, v, cell }, seed) => {
    const { first, second, id } = nearestPoints(0.55 * u, 0.55 * v, 0.95, seed);
    return Math.max(1.3 * (((id >>> 8) & 0xff) / 256), 2 * ramp(0.05 - (second - first), 1 / cell));
  },
  /** Woven squares. */
  checks: ({ u, v, cell }) => {
    const across = ramp(toWhole(0.5 * u) - 0.25, 1 / cell);
    const down = ramp(toWhole(0.5 * v) - 0.25, 1 / cell);
    return across + down + 0.12 * Math.sin(9 * (u + v));
  },
  /** Soft curls. */
  curls: ({ u, v }, seed) => {
    const [x, y] = [0.9 * u, 0.9 * v];
    const bend = noiseAt(x * 0.6, y * 0.6, seed + 2) * 1.6;
    return 0.9 + 0.7 * noiseAt(x + bend, y - bend, seed) + 0.5 * noiseAt(2.3 * x - bend, 2.3 * y + bend, seed + 1);
  },
  /** Courses of bricks in mortar. */
  bricks: ({ u, v, cell }, seed) => {
    const course = Math.round(v);
    const along = 0.5 * u + 0.5 * (course & 1);
    const joint = Math.max(line(toWhole(v + 0.5), 0.08, cell), line(2 * toWhole(along), 0.08, cell));
    return Math.max(2 * joint, 0.9 * hashUniform(Math.floor(along), course, seed) + 0.2 * noiseAt(3 * u, 3 * v, seed));
  },
  /** Petals with lines towards a dotted middle. */
  petals: ({ u, v, depth, angle, cell }, seed) => {
    if (depth < 0.3) return 2 - 0.6 * ramp(0.3 - nearestPoints(3 * u, 3 * v, 0.6, seed).first, 3 / cell);
    return 0.35 + 0.35 * Math.cos(26 * angle + noiseAt(u, v, seed)) + 0.5 * (0.9 - depth);
  },
} satisfies Record<string, Texture>;

export type TextureName = keyof typeof textures;

/** Distance to the wall of the hexagon around a place (0 at the wall), and the hexagon's own number. Cells are 1 wide. */
function hexagonAt(u: number, v: number): { wall: number; id: number } {
  const height = Math.sqrt(3);
  const candidates = [0, 0.5].map(shift => {
    const x = Math.round(u - shift) + shift;
    const y = (Math.round(v / height - shift) + shift) * height;
    return { x: u - x, y: v - y, id: hash(Math.round(2 * x), Math.round((2 * y) / height), 11) };
  });
  const near = (place: { x: number; y: number }) => place.x ** 2 + place.y ** 2;
  const [a, b] = candidates as [(typeof candidates)[0], (typeof candidates)[0]];
  const own = near(a) < near(b) ? a : b;
  const reach = Math.max(Math.abs(own.x), Math.abs(own.x) / 2 + (Math.abs(own.y) * height) / 2);
  return { wall: 0.5 - reach, id: own.id };
}
