/** Share of images whose largest predicted class occurs in the ground truth. */
import type { ImageFacts } from './image-facts.ts';

/**
 * Per image the class with the most predicted pixels, the lowest id where several have as many; right if that class occurs in
 * the ground truth. Predicted ids without a class do not compete. Wrong where nothing is left.
 */
export function imageAccuracy(facts: ImageFacts, classOf: ReadonlyMap<number, number>): number {
  let right = 0;
  for (const { areas, truths } of facts) {
    let largest = -1;
    let most = 0;
    for (let i = 0; i < areas.length; i += 2) {
      const matched = classOf.get(areas[i]!);
      if (matched === undefined) continue;
      const area = areas[i + 1]!;
      if (area > most || (area === most && matched < largest)) {
        largest = matched;
        most = area;
      }
    }
    if (truths.includes(largest)) right++;
  }
  return right / facts.images;
}
