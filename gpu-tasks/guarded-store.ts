/** A store that refuses every write once the work's message is lost or the task is stopping: nothing half-done is finished late. */
import type { ObjectStore } from '#pipeline/ports';

/** @param signal aborted: reads and writes throw its reason */
export function guardedStore(store: ObjectStore, signal: AbortSignal): ObjectStore {
  const check = <In extends unknown[], Out>(act: (...args: In) => Out): ((...args: In) => Out) => {
    return (...args) => {
      signal.throwIfAborted();
      return act(...args);
    };
  };
  const { stream } = store;
  return {
    get: check(key => store.get(key)),
    getTagged: check(key => store.getTagged(key)),
    head: check(key => store.head(key)),
    putNew: check((key, bytes) => store.putNew(key, bytes)),
    swap: check((key, bytes, etag) => store.swap(key, bytes, etag)),
    put: check((key, bytes) => store.put(key, bytes)),
    delete: check(key => store.delete(key)),
    list: check((prefix, after) => store.list(prefix, after)),
    keys: check(prefix => store.keys(prefix)),
    ...(stream && { stream: check((key, etag, start, end) => stream.call(store, key, etag, start, end)) }),
  };
}
