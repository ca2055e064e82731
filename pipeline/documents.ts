/** JSON documents in the store: stable bytes out, parsed values in. */
import { PermanentError } from '#core/errors';
import type { ObjectStore } from './ports.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** UTF-8 JSON with two spaces, a final newline, and keys in the order given. */
export const toJson = (value: unknown): Uint8Array => encoder.encode(`${JSON.stringify(value, null, 2)}\n`);

export const fromJson = <T>(bytes: Uint8Array): T => JSON.parse(decoder.decode(bytes)) as T;

/** @throws PermanentError if the object is missing or no JSON */
export async function readJson<T>(store: Pick<ObjectStore, 'get'>, key: string): Promise<T> {
  const bytes = await readObject(store, key);
  return naming(key, () => {
    try {
      return fromJson<T>(bytes);
    } catch (cause) {
      throw new PermanentError(`not JSON (${oneLine(cause)}); put the file there as it was written`, { cause });
    }
  });
}

/** An error's words; a parser's may quote several lines. */
const oneLine = (cause: unknown) => (cause as Error).message.replace(/\s+/g, ' ');

/** Does something with an object's bytes, at once or later; what is wrong with them is said with the object's key in front. */
export function naming<T>(key: string, act: () => T): T {
  const named = (error: unknown): never => {
    if (!(error instanceof PermanentError)) throw error;
    throw new PermanentError(`${key}: ${error.message}`, { cause: error });
  };
  try {
    const result = act();
    return result instanceof Promise ? (result.catch(named) as T) : result;
  } catch (error) {
    return named(error);
  }
}

/** @throws PermanentError if the object is missing: an earlier stage promised it */
export async function readObject(store: Pick<ObjectStore, 'get'>, key: string): Promise<Uint8Array> {
  const bytes = await store.get(key);
  if (!bytes) throw new PermanentError(`${key} is missing; run the job again to make it anew`);
  return bytes;
}
