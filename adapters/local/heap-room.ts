/** How much may pile up between two full garbage collections. */
import { memoryUsage } from 'node:process';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Bytes that the heap may grow by before all of it is looked through again: where pictures pass by, and where tables do. */
const rooms = { pictures: 96 * 2 ** 20, tables: 16 * 2 ** 20 };
const smallestHeap = 16 * 2 ** 20;

/**
 * Pictures live outside the heap but count towards the limit at which V8 collects everything. With a heap as small as ours
 * that limit is a few pictures away, and every sixth image cost a full collection. The limit is a factor of what is in
 * use; this sets the factor so that the room lies between, whatever the size. Call it again when the heap may have grown.
 * Without pictures a collection is rare anyway, and a small room keeps the memory as flat as the tables are.
 */
export function giveHeapRoom(of: keyof typeof rooms): void {
  const used = Math.max(smallestHeap, memoryUsage().heapUsed);
  setFlagsFromString(`--heap-growing-percent=${Math.max(20, Math.round((100 * rooms[of]) / used))}`);
}

setFlagsFromString('--expose-gc');
const collectAll = runInNewContext('gc') as () => void;

/** Looks through all of the heap now: when one stage ends and another begins, what the first left would stay for long. */
export const clearHeap = (): void => collectAll();
