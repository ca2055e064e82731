/** How clearly each region of a label map belongs to its class, read from the scores the labels come from. */
import type { Components } from '../formats/components.ts';
import type { Size } from '../image/model-input.ts';
import { margin } from './pseudo-label.ts';
import type { ScoreMap } from './upsampled-argmax.ts';

/**
 * Mean of 1 − d₁/d₂ over the grid positions whose middle pixel lies in the region, as in `pseudoLabel`. A region that
 * holds no such pixel takes the position under its first pixel.
 * @param offset 1: cosines of clusters, 0: logits with background first
 * @returns [count], 0…1
 */
export function regionConfidence(
  { component, count, first }: Components,
  { width, height }: Size,
  scores: ScoreMap,
  offset: 0 | 1,
): Float64Array {
  const sums = new Float64Array(count);
  const positions = new Uint32Array(count);
  for (let y = 0; y < scores.height; y++) {
    const line = Math.min(height - 1, Math.floor(((y + 0.5) * height) / scores.height)) * width;
    for (let x = 0; x < scores.width; x++) {
      const column = Math.min(width - 1, Math.floor(((x + 0.5) * width) / scores.width));
      const region = component[line + column]!;
      if (region < 0) continue;
      sums[region]! += margin(scores, y * scores.width + x, offset);
      positions[region]!++;
    }
  }
  for (let region = 0; region < count; region++) {
    if (positions[region] !== 0) continue;
    const pixel = first[region]!;
    const y = Math.floor((Math.floor(pixel / width) * scores.height) / height);
    const x = Math.floor(((pixel % width) * scores.width) / width);
    sums[region] = margin(scores, y * scores.width + x, offset);
    positions[region] = 1;
  }
  return sums.map((sum, i) => sum / positions[i]!);
}
