/** Several things under way at once, results in order: decoding overlaps the model, memory stays bounded. */

/**
 * Calls `work` on every item with at most `limit` under way, and yields the results in the items' order.
 * The first failure ends the iteration; what was under way is awaited first.
 */
export async function* mapInOrder<In, Out>(
  items: Iterable<In> | AsyncIterable<In>,
  limit: number,
  work: (item: In, index: number) => Promise<Out>,
): AsyncGenerator<Out> {
  const underWay: Promise<Out>[] = [];
  let index = 0;
  try {
    for await (const item of items) {
      const result = work(item, index++);
      // A rejection is met at its turn below; until then it must not count as unhandled.
      result.catch(() => undefined);
      underWay.push(result);
      if (underWay.length >= limit) yield await underWay.shift()!;
    }
    while (underWay.length) yield await underWay.shift()!;
  } finally {
    await Promise.allSettled(underWay);
  }
}
