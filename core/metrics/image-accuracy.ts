/** Share of images whose largest predicted class occurs in the ground truth. */
import type { ImageFacts } from './image-facts.ts';

/**
 * Per image the class with the most predicted pixels, the lowest id where several have as many; right if that class occurs in
 * the ground truth. Predicted ids without a class do not compete. Wrong where nothing is left.
 * @param coarse joins classes, those of the ground truth too; default: each stays its own
 */
export function imageAccuracy(
  facts: ImageFacts,
  classOf: ReadonlyMap<number, number>,
  coarse: (id: number) => number | undefined = id => id,
): number {
  let right = 0;
  for (const { areas, truths } of facts) {
    const largest = largestClass(areas, id => {
      const matched = classOf.get(id);
      return matched === undefined ? undefined : coarse(matched);
    });
    if (largest !== undefined && truths.some(id => coarse(id) === largest)) right++;
  }
  return right / facts.images;
}

/** Several predicted ids may stand for one class: their pixels add up. */
function largestClass(areas: Int32Array, classOf: (id: number) => number | undefined): number | undefined {
  const sums = new Map<number, number>();
  for (let i = 0; i < areas.length; i += 2) {
    const id = classOf(areas[i]!);
    if (id !== undefined) sums.set(id, (sums.get(id) ?? 0) + areas[i + 1]!);
  }
  let largest: number | undefined;
  for (const [id, area] of sums) {
    const most = largest === undefined ? 0 : sums.get(largest)!;
    if (area > most || (area === most && largest !== undefined && id < largest)) largest = id;
  }
  return largest;
}
