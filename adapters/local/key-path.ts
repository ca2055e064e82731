/**
 * Keys and the paths of files: the same words in the same order.
 * A file name that is no UTF-8 has no key of its own; its bytes above 127 are written \xHH, and read back so if there is no file of
 * exactly that name. Nothing a user has lies outside the listing.
 */
export { assertKey } from '#core/job/object-key';

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The name as part of a key. */
export function nameOf(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    return Array.from(bytes, byte => (byte < 128 ? String.fromCharCode(byte) : `\\x${byte.toString(16)}`)).join('');
  }
}

/** The path with \xHH turned back into bytes, or undefined where there is none. */
export function undecodedPath(path: string): Buffer | undefined {
  const parts = path.split(/\\x([89a-f][0-9a-f])/);
  if (parts.length === 1) return undefined;
  return Buffer.concat(parts.map((part, i) => (i % 2 === 1 ? Buffer.from(part, 'hex') : Buffer.from(part))));
}

/** Order of UTF-8 bytes, as buckets list. JavaScript's own order differs above U+FFFF. */
export const compareKeys = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** Several listings in key order as one. */
export async function* merged<T>(listings: readonly AsyncIterator<T>[], keyOf: (item: T) => string): AsyncGenerator<T> {
  const heads = await Promise.all(listings.map(listing => listing.next()));
  for (;;) {
    let least = -1;
    for (const [i, head] of heads.entries()) {
      if (head.done) continue;
      if (least < 0 || compareKeys(keyOf(head.value), keyOf(heads[least]!.value)) < 0) least = i;
    }
    if (least < 0) return;
    yield heads[least]!.value;
    heads[least] = await listings[least]!.next();
  }
}
