/** Cutting large objects into parts, and handling several of them at once. */

/** Bytes `start` to before `end`. */
export interface Part {
  /** From 1, as S3 counts. */
  readonly number: number;
  readonly start: number;
  readonly end: number;
}

/** S3's limit. */
const mostParts = 10_000;

/** Parts at once: enough to fill a connection of 10 Gbit/s with 16 MiB each, few enough to stay small in memory. */
const partsAtOnce = 8;

/** @param partBytes length of all parts but the last; longer where there would be more parts than S3 takes */
export function partsOf(size: number, partBytes: number): Part[] {
  const length = Math.max(partBytes, Math.ceil(size / mostParts));
  return Array.from({ length: Math.ceil(size / length) }, (_, i) => ({
    number: i + 1,
    start: i * length,
    end: Math.min((i + 1) * length, size),
  }));
}

/** Results in the order of the parts. After an error no further part is begun. */
export async function mapParts<T>(parts: readonly Part[], act: (part: Part) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  const left = parts.values();
  let failed = false;
  const work = async () => {
    for (const part of left) {
      if (failed) return;
      results[part.number - 1] = await act(part);
    }
  };
  const workers = Array.from({ length: Math.min(partsAtOnce, parts.length) }, () =>
    work().catch(error => {
      failed = true;
      throw error;
    }),
  );
  const settled = await Promise.allSettled(workers);
  for (const worker of settled) if (worker.status === 'rejected') throw worker.reason;
  return results;
}
