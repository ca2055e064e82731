/** A folder of a store as a store of its own. */
import type { ObjectStore, StoredObject } from './ports.ts';

export class PrefixStore implements ObjectStore {
  readonly #store: ObjectStore;
  readonly #prefix: string;

  /** @param prefix ends with `/`, or is empty */
  constructor(store: ObjectStore, prefix: string) {
    this.#store = store;
    this.#prefix = prefix;
  }

  get(key: string): Promise<Uint8Array | undefined> {
    return this.#store.get(this.#prefix + key);
  }

  getTagged(key: string): Promise<{ bytes: Uint8Array; etag: string } | undefined> {
    return this.#store.getTagged(this.#prefix + key);
  }

  async head(key: string): Promise<StoredObject | undefined> {
    const found = await this.#store.head(this.#prefix + key);
    return found && this.#inside(found);
  }

  putNew(key: string, bytes: Uint8Array): Promise<boolean> {
    return this.#store.putNew(this.#prefix + key, bytes);
  }

  swap(key: string, bytes: Uint8Array, etag: string | undefined): Promise<string | undefined> {
    return this.#store.swap(this.#prefix + key, bytes, etag);
  }

  put(key: string, bytes: Uint8Array): Promise<void> {
    return this.#store.put(this.#prefix + key, bytes);
  }

  delete(key: string): Promise<void> {
    return this.#store.delete(this.#prefix + key);
  }

  async *list(prefix: string, after?: string): AsyncGenerator<StoredObject> {
    const from = after === undefined ? undefined : this.#prefix + after;
    for await (const found of this.#store.list(this.#prefix + prefix, from)) yield this.#inside(found);
  }

  async *keys(prefix: string): AsyncGenerator<string> {
    for await (const key of this.#store.keys(this.#prefix + prefix)) yield key.slice(this.#prefix.length);
  }

  #inside = (object: StoredObject): StoredObject => ({ ...object, key: object.key.slice(this.#prefix.length) });
}
