/** A process that dies at its nth write, before the write or right after it; everything it asks of the store later fails too. */
import { Crash } from '#adapters/local/memory-store';
import type { ObjectStore, StoredObject } from '#pipeline/ports';

export interface Death {
  /** 1 for the first write. */
  readonly write: number;
  readonly when: 'before' | 'after';
}

export class DyingStore implements ObjectStore {
  readonly #store: ObjectStore;
  readonly #death: Death | undefined;
  #writes = 0;
  #dead = false;

  constructor(store: ObjectStore, death: Death | undefined) {
    this.#store = store;
    this.#death = death;
  }

  get dead(): boolean {
    return this.#dead;
  }

  get(key: string): Promise<Uint8Array | undefined> {
    return this.#alive().get(key);
  }

  getTagged(key: string): Promise<{ bytes: Uint8Array; etag: string } | undefined> {
    return this.#alive().getTagged(key);
  }

  head(key: string): Promise<StoredObject | undefined> {
    return this.#alive().head(key);
  }

  putNew(key: string, bytes: Uint8Array): Promise<boolean> {
    return this.#write(store => store.putNew(key, bytes));
  }

  swap(key: string, bytes: Uint8Array, etag: string | undefined): Promise<string | undefined> {
    return this.#write(store => store.swap(key, bytes, etag));
  }

  put(key: string, bytes: Uint8Array): Promise<void> {
    return this.#write(store => store.put(key, bytes));
  }

  delete(key: string): Promise<void> {
    return this.#write(store => store.delete(key));
  }

  list(prefix: string): AsyncIterable<StoredObject> {
    return this.#alive().list(prefix);
  }

  keys(prefix: string): AsyncIterable<string> {
    return this.#alive().keys(prefix);
  }

  #alive(): ObjectStore {
    if (this.#dead) throw new Crash('the process is dead');
    return this.#store;
  }

  async #write<T>(act: (store: ObjectStore) => Promise<T>): Promise<T> {
    const store = this.#alive();
    const dies = ++this.#writes === this.#death?.write;
    if (dies && this.#death?.when === 'before') this.#die();
    const result = await act(store);
    if (dies) this.#die();
    return result;
  }

  #die(): never {
    this.#dead = true;
    throw new Crash('the process died');
  }
}
