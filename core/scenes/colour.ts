/** Colours of painted scenes. */
import type { Random } from '#core/random';

/** Red, green, blue, 0 … 255, not rounded. */
export type Colour = readonly [number, number, number];

/** Ranges to draw a colour from: hue in degrees (may pass 360), saturation and value 0 … 1. */
export interface ColourFamily {
  readonly hue: readonly [number, number];
  readonly saturation: readonly [number, number];
  readonly value: readonly [number, number];
}

export const between = (random: Random, [low, high]: readonly [number, number]): number =>
  low + (high - low) * random.uniform();

export const colourOf = (random: Random, { hue, saturation, value }: ColourFamily): Colour =>
  fromHsv(between(random, hue), between(random, saturation), between(random, value));

/** Hue in degrees, any turn. */
export function fromHsv(hue: number, saturation: number, value: number): Colour {
  const channel = (n: number) => {
    const k = (n + hue / 60) % 6;
    return 255 * value * (1 - saturation * Math.max(0, Math.min(k, 4 - k, 1)));
  };
  return [channel(5), channel(3), channel(1)];
}

export const mixed = (a: Colour, b: Colour, share: number): Colour => [
  a[0] + (b[0] - a[0]) * share,
  a[1] + (b[1] - a[1]) * share,
  a[2] + (b[2] - a[2]) * share,
];
