/** A part of an object as it comes, from stores that stream and from those that do not. */
import { RejectedInput } from '#core/errors';
import type { ObjectStore, StoredObject } from './ports.ts';

/** Bytes `start` to before `end`. @throws RejectedInput if the object is gone or is another one by now */
export async function* streamObject(
  store: ObjectStore,
  { key, etag }: Pick<StoredObject, 'key' | 'etag'>,
  start: number,
  end: number,
): AsyncGenerator<Uint8Array> {
  if (store.stream) {
    yield* store.stream(key, etag, start, end);
    return;
  }
  const found = await store.getTagged(key);
  if (found?.etag !== etag) throw goneOrReplaced();
  yield found.bytes.subarray(start, end);
}

/** Why a planned object cannot be read any more. */
export const goneOrReplaced = (): RejectedInput => new RejectedInput('gone or replaced since the job was planned');
