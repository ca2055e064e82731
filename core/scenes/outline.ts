/** Outlines of objects, as radius by direction. */
import type { Random } from '#core/random';
import { between } from './colour.ts';

const directions = 256;

/** A closed outline around the origin, enclosing the area 1 (its hole taken off). */
export interface Outline {
  /** Radius by direction, `directions` equal steps of a full turn, the first one repeated at the end. */
  readonly radii: Float64Array;
  /** Cosine between outline and radius: turns distances along the radius into distances from the outline. */
  readonly slants: Float64Array;
  /** The hole's radius as a share of the outline's; 0 for none. */
  readonly hole: number;
  readonly largestRadius: number;
}

/** Radius at an angle (0 … 2π), in any unit. */
type Radius = (angle: number) => number;

/** From |cos| 1 at the tips to 0 between them, `tips` times around. */
const tip = (angle: number, tips: number): number => Math.abs(Math.cos((tips * angle) / 2));

/** A straight-sided polygon, softened towards the circle. */
function polygon(sides: number, softness: number): Radius {
  const sector = (2 * Math.PI) / sides;
  return angle => {
    const straight = Math.cos(sector / 2) / Math.cos((angle % sector) - sector / 2);
    return straight + (1 - straight) * softness;
  };
}

/** Superellipse: exponent 2 is an ellipse, towards 1 it becomes pointed, above 2 boxy. */
function superellipse(aspect: number, exponent: number): Radius {
  return angle => {
    const x = Math.abs(Math.cos(angle)) / aspect;
    const y = Math.abs(Math.sin(angle)) * aspect;
    return (x ** exponent + y ** exponent) ** (-1 / exponent);
  };
}

/** A random shape of each kind. */
export const shapes = {
  ellipse: random => superellipse(between(random, [1.02, 1.25]), 2),
  leaf: random => superellipse(between(random, [1.35, 1.6]), between(random, [1.15, 1.35])),
  cushion: random => superellipse(between(random, [1, 1.3]), between(random, [3, 5])),
  star: random => {
    const thick = between(random, [0.36, 0.5]);
    return angle => thick + (1 - thick) * tip(angle, 5) ** 2;
  },
  flower: random => {
    const petals = 6 + random.integer(3);
    return angle => 0.55 + 0.45 * tip(angle, petals) ** 0.6;
  },
  polygon: random => polygon(5 + random.integer(3), between(random, [0.05, 0.25])),
  hexagon: random => polygon(6, between(random, [0.1, 0.35])),
  blob: random => {
    const waves = [2, 3, 4].map(k => ({ k, size: between(random, [0.06, 0.2]), phase: between(random, [0, 6.28]) }));
    return angle => waves.reduce((sum, { k, size, phase }) => sum + size * Math.cos(k * angle + phase), 1);
  },
  fleece: random => {
    const lumps = 7 + random.integer(4);
    const aspect = between(random, [1.05, 1.3]);
    return angle => superellipse(aspect, 2)(angle) * (0.9 + 0.13 * tip(angle, lumps));
  },
  fan: random => {
    const ribs = 7 + random.integer(4);
    return angle => (1 + 0.35 * Math.cos(angle)) * (0.95 + 0.07 * tip(angle, 2 * ribs));
  },
  circle: () => () => 1,
} satisfies Record<string, (random: Random) => Radius>;

export type ShapeName = keyof typeof shapes;

/** A random outline of this kind, a little irregular as grown things are. */
export function outlineOf(random: Random, shape: ShapeName, hole: readonly [number, number] = [0, 0]): Outline {
  const radius = shapes[shape](random);
  const wobble = [2, 3, 5].map(k => ({ k, size: between(random, [0, 0.035]), phase: between(random, [0, 6.28]) }));
  const hollow = between(random, hole);
  const raw = Float64Array.from({ length: directions }, (_, i) => {
    const angle = (2 * Math.PI * i) / directions;
    return wobble.reduce((r, { k, size, phase }) => r * (1 + size * Math.cos(k * angle + phase)), radius(angle));
  });
  const area = (Math.PI / directions) * raw.reduce((sum, r) => sum + r * r, 0) * (1 - hollow * hollow);
  const radii = Float64Array.from({ length: directions + 1 }, (_, i) => raw[i % directions]! / Math.sqrt(area));
  return { radii, slants: slantsOf(radii), hole: hollow, largestRadius: radii.reduce((a, b) => Math.max(a, b)) };
}

function slantsOf(radii: Float64Array): Float64Array {
  const step = (2 * Math.PI) / directions;
  return radii.map((radius, i) => {
    const before = radii[(i + directions - 1) % directions]!;
    const after = radii[(i + 1) % directions]!;
    return 1 / Math.hypot(1, (after - before) / (2 * step * radius));
  });
}

/** Where a point lies as seen from an outline. */
export interface Location {
  /** Signed distance from the outline, negative inside; in its units, close to exact near it. */
  readonly distance: number;
  /** 0 in the middle, 1 on the outer outline. */
  readonly depth: number;
  /** Direction from the middle, in radians. */
  readonly angle: number;
}

/** @param u @param v the point, in units of the outline */
export function locate({ radii, slants, hole }: Outline, u: number, v: number): Location {
  const fromMiddle = Math.sqrt(u * u + v * v);
  const angle = Math.atan2(v, u);
  const turns = angle / (2 * Math.PI);
  const place = (turns - Math.floor(turns)) * directions;
  const i = Math.min(Math.floor(place), directions - 1);
  const radius = radii[i]! + (radii[i + 1]! - radii[i]!) * (place - i);
  const distance = Math.max(fromMiddle - radius, hole * radius - fromMiddle) * slants[i]!;
  return { distance, depth: fromMiddle / radius, angle };
}
