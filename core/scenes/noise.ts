/** Random textures from whole numbers only, so that every machine draws the same. */
import type { Random } from '#core/random';

/** 32 mixed bits of a position and a seed (the finaliser of MurmurHash3). */
export function hash(x: number, y: number, seed: number): number {
  let h = Math.imul(x, 0x27d4eb2d) ^ Math.imul(y, 0x165667b1) ^ seed;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Uniform in [0, 1), by position. */
export const hashUniform = (x: number, y: number, seed: number): number => hash(x, y, seed) / 4294967296;

export const smoothstep = (t: number): number => t * t * (3 - 2 * t);

/** 0 below −softness/2, 1 above softness/2, a straight ramp between. */
export const ramp = (x: number, softness: number): number => Math.min(Math.max(x / softness + 0.5, 0), 1);

/** Value noise at one place, −1 … 1, one random value per unit cell. */
export function noiseAt(x: number, y: number, seed: number): number {
  const left = Math.floor(x);
  const top = Math.floor(y);
  const u = smoothstep(x - left);
  const v = smoothstep(y - top);
  const a = hashUniform(left, top, seed);
  const b = hashUniform(left + 1, top, seed);
  const c = hashUniform(left, top + 1, seed);
  const d = hashUniform(left + 1, top + 1, seed);
  return 2 * (a + (b - a) * u + (c - a + (a - b - c + d) * u) * v) - 1;
}

/** Where a row or column of pixels falls into a lattice: cell index and smoothed position in the cell. */
function lattice(length: number, cell: number, offset: number): { index: Int32Array; share: Float64Array } {
  const index = new Int32Array(length);
  const share = new Float64Array(length);
  for (let i = 0; i < length; i++) {
    const place = i / cell + offset;
    index[i] = Math.floor(place);
    share[i] = smoothstep(place - index[i]!);
  }
  return { index, share };
}

/**
 * Adds value noise to a whole map: cells of `cellWidth` × `cellHeight` pixels (unequal ones give streaks), −amplitude … amplitude.
 * @param map [height, width], changed in place
 */
export function addNoise(
  map: Float32Array,
  { width, height }: { width: number; height: number },
  { cellWidth, cellHeight, amplitude }: { cellWidth: number; cellHeight: number; amplitude: number },
  random: Random,
): void {
  const seed = random.uint32();
  const columns = lattice(width, cellWidth, random.uniform());
  const rows = lattice(height, cellHeight, random.uniform());
  const across = columns.index[width - 1]! + 2;
  const values = new Float64Array(across * (rows.index[height - 1]! + 2));
  for (let i = 0; i < values.length; i++) {
    values[i] = amplitude * (2 * hashUniform(i % across, Math.floor(i / across), seed) - 1);
  }
  const line = new Float64Array(across);
  for (let y = 0; y < height; y++) {
    const above = rows.index[y]! * across;
    for (let x = 0; x < across; x++) {
      line[x] = values[above + x]! + (values[above + across + x]! - values[above + x]!) * rows.share[y]!;
    }
    for (let x = 0; x < width; x++) {
      const left = columns.index[x]!;
      map[y * width + x]! += line[left]! + (line[left + 1]! - line[left]!) * columns.share[x]!;
    }
  }
}
