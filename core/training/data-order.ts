/** Which pictures make up which batch: a function of the seed and the number of the step, so that a run can go on anywhere. */
import { PermanentError } from '../errors.ts';
import { Random, seedOf } from '../random.ts';

export interface DataOrder {
  /** Pictures there are. */
  readonly count: number;
  readonly batch: number;
  readonly seed: number;
}

/** Whole batches of one pass over the pictures; what is left over waits for another pass. */
export const stepsPerEpoch = ({ count, batch }: Pick<DataOrder, 'count' | 'batch'>): number =>
  Math.floor(count / batch);

/** @throws PermanentError if the batch is larger than the set */
export function assertBatch({ count, batch }: Pick<DataOrder, 'count' | 'batch'>): void {
  if (batch <= count) return;
  throw new PermanentError(
    `a batch of ${batch} cannot be made of ${count} usable pictures; give more pictures, or a smaller --train-batch`,
  );
}

/** Indices of a batch. Every epoch is shuffled anew. @param step from 0 on */
export function batchOf(order: DataOrder, step: number): number[] {
  const steps = stepsPerEpoch(order);
  const epoch = Math.floor(step / steps);
  const all = new Random(seedOf('order', order.seed, epoch)).shuffle([...Array(order.count).keys()]);
  return all.slice((step % steps) * order.batch, ((step % steps) + 1) * order.batch);
}

/** Chance of one picture in one step. */
export const viewRandom = (seed: number, step: number, place: number): Random =>
  new Random(seedOf('view', seed, step, place));
