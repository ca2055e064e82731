/** Intersection over union, from counts. */
import type { ClassCounts } from './confusion.ts';

/** I / (P + G − I + 1e-10), as the reference has it: a class that occurs on neither side gets 0. */
export const iou = (both: number, predicted: number, truth: number): number =>
  both / (predicted + truth - both + 1e-10);

/** IoU of each class. Shape [classes]. */
export const iouPerClass = ({ predicted, truth, both }: ClassCounts): Float64Array =>
  both.map((count, id) => iou(count, predicted[id]!, truth[id]!));

/** Mean over all classes; those that never occur count 0. */
export function meanIou(counts: ClassCounts): number {
  const each = iouPerClass(counts);
  return each.reduce((sum, value) => sum + value, 0) / each.length;
}

/** Mean over the classes that occur in the ground truth, from class `first` on; null where none does. */
export function meanIouOfPresent(counts: ClassCounts, first = 0): number | null {
  const present = iouPerClass(counts).filter((_, id) => id >= first && counts.truth[id]! > 0);
  return present.length === 0 ? null : present.reduce((sum, value) => sum + value, 0) / present.length;
}
