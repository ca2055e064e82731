/** Fitting a coarse foreground score to the edges of the picture: guided filter, computed small and applied large. */
import { resizeMap } from '../image/resize-map.ts';
import { applyCoefficients, GuidedScratch, guidedCoefficients, guidedFilter } from './guided-filter.ts';

/** Calls never overlap: the filter does not wait for anything. */
const scratch = new GuidedScratch();

/**
 * @param score on a grid, [height, width]
 * @param grey guide at full size, 0…255, [height, width]
 * @param refinement `radius` in pixels of an image whose longer side is 320; `workingSide`: longer side at which the
 *   coefficients are computed, in a picture that is larger (He & Sun, "Fast Guided Filter", 2015: nearly the same, far faster)
 * @returns refined score at full size, [height, width]
 */
export function refineScore(
  score: { readonly data: Float32Array; readonly height: number; readonly width: number },
  grey: Uint8Array,
  width: number,
  height: number,
  { radius, workingSide, epsilon }: { readonly radius: number; readonly workingSide: number; readonly epsilon: number },
): Float32Array {
  const shrink = Math.min(1, workingSide / Math.max(width, height));
  const [w, h] = [Math.max(1, Math.round(width * shrink)), Math.max(1, Math.round(height * shrink))];
  const coarse = resizeMap(score.data, score.height, score.width, h, w);
  const options = { width: w, height: h, radius: Math.max(1, Math.round((radius * Math.max(w, h)) / 320)), epsilon };
  if (shrink === 1) return guidedFilter(coarse, grey, options, scratch);
  const { slope, offset } = guidedCoefficients(coarse, shrinkGrey(grey, width, height, w, h), options, scratch);
  const large = { slope: resizeMap(slope, h, w, height, width), offset: resizeMap(offset, h, w, height, width) };
  return applyCoefficients(large, grey, large.offset);
}

/** Mean of the pixels that fall into each cell. */
function shrinkGrey(grey: Uint8Array, width: number, height: number, w: number, h: number): Uint8Array {
  const small = new Uint8Array(w * h);
  const edges = (from: number, to: number) =>
    Int32Array.from({ length: to + 1 }, (_, i) => Math.floor((i * from) / to));
  const columns = edges(width, w);
  const rows = edges(height, h);
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      let sum = 0;
      for (let row = rows[y]!; row < rows[y + 1]!; row++) {
        for (let i = row * width + columns[x]!; i < row * width + columns[x + 1]!; i++) sum += grey[i]!;
      }
      small[y * w + x] = Math.round(sum / ((rows[y + 1]! - rows[y]!) * (columns[x + 1]! - columns[x]!)));
    }
  }
  return small;
}
