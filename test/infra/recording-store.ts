/** A store that notes which keys it is asked for, and what for. */
import type { ObjectStore, StoredObject } from '#pipeline/ports';

export type Access = 'read' | 'write' | 'list' | 'delete';

export interface Note {
  readonly access: Access;
  /** A key, or the prefix of a list. */
  readonly key: string;
}

export class RecordingStore implements ObjectStore {
  readonly #store: ObjectStore;
  readonly #note: (note: Note) => void;

  constructor(store: ObjectStore, note: (note: Note) => void) {
    this.#store = store;
    this.#note = note;
  }

  get(key: string): Promise<Uint8Array | undefined> {
    this.#note({ access: 'read', key });
    return this.#store.get(key);
  }

  getTagged(key: string): Promise<{ bytes: Uint8Array; etag: string } | undefined> {
    this.#note({ access: 'read', key });
    return this.#store.getTagged(key);
  }

  head(key: string): Promise<StoredObject | undefined> {
    this.#note({ access: 'read', key });
    return this.#store.head(key);
  }

  putNew(key: string, bytes: Uint8Array): Promise<boolean> {
    this.#note({ access: 'write', key });
    return this.#store.putNew(key, bytes);
  }

  swap(key: string, bytes: Uint8Array, etag: string | undefined): Promise<string | undefined> {
    this.#note({ access: 'write', key });
    return this.#store.swap(key, bytes, etag);
  }

  put(key: string, bytes: Uint8Array): Promise<void> {
    this.#note({ access: 'write', key });
    return this.#store.put(key, bytes);
  }

  delete(key: string): Promise<void> {
    this.#note({ access: 'delete', key });
    return this.#store.delete(key);
  }

  list(prefix: string): AsyncIterable<StoredObject> {
    this.#note({ access: 'list', key: prefix });
    return this.#store.list(prefix);
  }

  keys(prefix: string): AsyncIterable<string> {
    this.#note({ access: 'list', key: prefix });
    return this.#store.keys(prefix);
  }
}
