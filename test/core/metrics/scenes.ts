/** Random label maps for tests: blobs, stripes and noise, so that regions have insides, edges and single pixels. */
import type { LabelMap } from '#core/labels/label-map';
import type { Random } from '#core/random';

/** Rectangles of random ids over a ground of one id, with a little noise. */
export function randomMap(random: Random, width: number, height: number, ids: readonly number[]): LabelMap {
  const pick = () => ids[random.integer(ids.length)]!;
  const data = new Uint16Array(width * height).fill(pick());
  for (let count = random.integer(5); count > 0; count--) {
    const id = pick();
    const left = random.integer(width);
    const top = random.integer(height);
    const right = Math.min(width, left + 1 + random.integer(width));
    const bottom = Math.min(height, top + 1 + random.integer(height));
    for (let y = top; y < bottom; y++) data.fill(id, y * width + left, y * width + right);
  }
  const noise = random.integer(3) === 0 ? random.uniform() * 0.2 : 0;
  for (let i = 0; i < data.length; i++) if (random.uniform() < noise) data[i] = pick();
  return { width, height, data };
}

export const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);
