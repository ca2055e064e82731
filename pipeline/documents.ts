/** JSON documents in the store: stable bytes out, parsed values in. */
import { PermanentError } from '#core/errors';
import type { ObjectStore } from './ports.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** UTF-8 JSON with two spaces, a final newline, and keys in the order given. */
export const toJson = (value: unknown): Uint8Array => encoder.encode(`${JSON.stringify(value, null, 2)}\n`);

export const fromJson = <T>(bytes: Uint8Array): T => JSON.parse(decoder.decode(bytes)) as T;

export async function readJson<T>(store: ObjectStore, key: string): Promise<T> {
  return fromJson<T>(await readObject(store, key));
}

/** @throws PermanentError if the object is missing: an earlier stage promised it */
export async function readObject(store: ObjectStore, key: string): Promise<Uint8Array> {
  const bytes = await store.get(key);
  if (!bytes) throw new PermanentError(`${key} is missing; run the job again to make it anew`);
  return bytes;
}
