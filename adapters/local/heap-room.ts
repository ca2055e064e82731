/** How much may pile up between two full garbage collections. */
import { memoryUsage } from 'node:process';
import { setFlagsFromString } from 'node:v8';

/** Bytes that the heap may grow by before all of it is looked through again. */
const room = 192 * 2 ** 20;
const smallestHeap = 16 * 2 ** 20;

/**
 * Pictures live outside the heap but count towards the limit at which V8 collects everything. With a heap as small as ours
 * that limit is a few pictures away, and every sixth image cost a full collection. The limit is a factor of what is in
 * use; this sets the factor so that `room` lies between, whatever the size. Call it again when the heap may have grown.
 */
export function giveHeapRoom(): void {
  const used = Math.max(smallestHeap, memoryUsage().heapUsed);
  setFlagsFromString(`--heap-growing-percent=${Math.max(20, Math.round((100 * room) / used))}`);
}
