/** A store in memory that counts requests as S3 counts them: pages of a listing, parts of large objects. */
import type { ObjectStore, StoredObject } from '#pipeline/ports';

export interface Requests {
  list: number;
  get: number;
  put: number;
}

export class CountingStore implements ObjectStore {
  readonly requests: Requests = { list: 0, get: 0, put: 0 };
  readonly #store: ObjectStore;
  readonly #partBytes: number;

  /** @param partBytes as the tasks' store is set */
  constructor(store: ObjectStore, partBytes: number) {
    this.#store = store;
    this.#partBytes = partBytes;
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    return (await this.getTagged(key))?.bytes;
  }

  async getTagged(key: string): Promise<{ bytes: Uint8Array; etag: string } | undefined> {
    const found = await this.#store.getTagged(key);
    this.requests.get += 1 + this.#parts(found?.bytes.length ?? 0);
    return found;
  }

  head(key: string): Promise<StoredObject | undefined> {
    this.requests.get++;
    return this.#store.head(key);
  }

  putNew(key: string, bytes: Uint8Array): Promise<boolean> {
    this.#countPut(bytes);
    return this.#store.putNew(key, bytes);
  }

  swap(key: string, bytes: Uint8Array, etag: string | undefined): Promise<string | undefined> {
    this.#countPut(bytes);
    return this.#store.swap(key, bytes, etag);
  }

  put(key: string, bytes: Uint8Array): Promise<void> {
    this.#countPut(bytes);
    return this.#store.put(key, bytes);
  }

  /** Costs nothing. */
  delete(key: string): Promise<void> {
    return this.#store.delete(key);
  }

  async *list(prefix: string, after?: string): AsyncGenerator<StoredObject> {
    let seen = 0;
    for await (const found of this.#store.list(prefix, after)) {
      if (seen++ % 1000 === 0) this.requests.list++;
      yield found;
    }
    if (seen === 0) this.requests.list++;
  }

  async *keys(prefix: string): AsyncGenerator<string> {
    for await (const { key } of this.list(prefix)) yield key;
  }

  async *stream(key: string, etag: string, start: number, end: number): AsyncGenerator<Uint8Array> {
    this.requests.get++;
    const found = await this.#store.getTagged(key);
    if (found?.etag !== etag) throw new Error(`${key} was replaced`);
    yield found.bytes.subarray(start, end);
  }

  #countPut({ length }: Uint8Array): void {
    const parts = this.#parts(length);
    // Parts, one request before and one after them.
    this.requests.put += parts ? parts + 2 : 1;
  }

  #parts = (bytes: number): number => (bytes > this.#partBytes ? Math.ceil(bytes / this.#partBytes) : 0);
}
