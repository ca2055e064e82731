/** Batches by the number of the step. */
import { describe, expect, it } from 'vitest';
import { assertBatch, batchOf, stepsPerEpoch, viewRandom } from '#core/training/data-order';

const order = { count: 10, batch: 3, seed: 7 };

describe('the order of pictures', () => {
  it('shows every picture at most once per epoch, whole batches only', () => {
    expect(stepsPerEpoch(order)).toBe(3);
    const seen = [0, 1, 2].flatMap(step => batchOf(order, step));
    expect(new Set(seen).size).toBe(9);
    expect(seen.every(index => index >= 0 && index < 10)).toBe(true);
  });

  it('is another in every epoch and for every seed, and the same when asked again', () => {
    expect(batchOf(order, 4)).toEqual(batchOf(order, 4));
    const epoch = (first: number, seed = 7) => [0, 1, 2].map(step => batchOf({ ...order, seed }, first + step));
    expect(epoch(0)).not.toEqual(epoch(3));
    expect(epoch(0)).not.toEqual(epoch(0, 8));
  });

  it('gives every picture of every step its own chance', () => {
    const first = (step: number, place: number) => viewRandom(7, step, place).uint32();
    expect(new Set([first(0, 0), first(0, 1), first(1, 0), first(1, 1)]).size).toBe(4);
  });

  it('refuses a batch larger than the set', () => {
    expect(() => assertBatch({ count: 2, batch: 3 })).toThrow(/batch of 3 cannot be made of 2 usable pictures/);
    expect(() => assertBatch({ count: 3, batch: 3 })).not.toThrow();
  });
});
