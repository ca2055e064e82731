/** A store in memory, for tests: with faults on demand, and contents that survive a crash. */
import { RejectedInput } from '#core/errors';
import type { ObjectStore, StoredObject } from '#pipeline/ports';
import { assertKey, compareKeys } from './key-path.ts';

export interface StoreCall {
  readonly operation: 'get' | 'getTagged' | 'head' | 'putNew' | 'swap' | 'put' | 'delete' | 'list';
  /** The key or prefix. */
  readonly key: string;
  /** 1 for the first call after (re)start, whatever the operation. */
  readonly count: number;
}

/** What should go wrong with a call. */
export type Fault =
  /** The process dies before the call has any effect, or after it had its effect and before the caller hears of it. */
  | { readonly kind: 'crash'; readonly when: 'before' | 'after' }
  /** The call fails and may be tried again. */
  | { readonly kind: 'error'; readonly error: Error }
  /** Somebody else writes these bytes to the same key just before. */
  | { readonly kind: 'rival'; readonly bytes: Uint8Array };

export type Faults = (call: StoreCall) => Fault | undefined;

/** Thrown by a crashed store, then by every later call: the process is dead until `restarted`. */
export class Crash extends Error {
  override name = 'Crash';
}

/** Dies at the nth call. */
export const crashAt =
  (count: number, when: 'before' | 'after' = 'before'): Faults =>
  call =>
    call.count === count ? { kind: 'crash', when } : undefined;

interface Entry {
  readonly bytes: Uint8Array;
  readonly etag: string;
}

/** What the bucket holds; outlives a crashed store. */
interface Contents {
  readonly entries: Map<string, Entry>;
  /** Reason by key of objects that may not be read. */
  readonly unreadable: Map<string, string>;
  versions: number;
}

export class MemoryStore implements ObjectStore {
  readonly #faults: Faults;
  #contents: Contents = { entries: new Map(), unreadable: new Map(), versions: 0 };
  #calls = 0;
  #dead = false;

  constructor(faults: Faults = () => undefined) {
    this.#faults = faults;
  }

  /** A new process on the same contents. */
  restarted(faults?: Faults): MemoryStore {
    const store = new MemoryStore(faults);
    store.#contents = this.#contents;
    return store;
  }

  /** Calls so far: a test that crashes at 1, 2, … knows from an undisturbed run where to stop. */
  get calls(): number {
    return this.#calls;
  }

  /** From now on reading this object throws RejectedInput with this reason. */
  makeUnreadable(key: string, reason: string): void {
    this.#contents.unreadable.set(key, reason);
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    return this.#call('get', key, () => this.#read(key)?.bytes.slice());
  }

  async getTagged(key: string): Promise<{ bytes: Uint8Array; etag: string } | undefined> {
    return this.#call('getTagged', key, () => {
      const entry = this.#read(key);
      return entry && { bytes: entry.bytes.slice(), etag: entry.etag };
    });
  }

  async head(key: string): Promise<StoredObject | undefined> {
    return this.#call('head', key, () => this.#describe(key));
  }

  async putNew(key: string, bytes: Uint8Array): Promise<boolean> {
    return this.#call('putNew', key, () => this.#swap(key, bytes, undefined) !== undefined);
  }

  async swap(key: string, bytes: Uint8Array, etag: string | undefined): Promise<string | undefined> {
    return this.#call('swap', key, () => this.#swap(key, bytes, etag));
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    await this.#call('put', key, () => this.#write(key, bytes));
  }

  async delete(key: string): Promise<void> {
    await this.#call('delete', key, () => this.#contents.entries.delete(key));
  }

  async *list(prefix: string): AsyncGenerator<StoredObject> {
    const { entries } = this.#contents;
    const keys = await this.#call('list', prefix, () => [...entries.keys()].filter(key => key.startsWith(prefix)));
    for (const key of keys.sort(compareKeys)) {
      const found = this.#describe(key);
      if (found) yield found;
    }
  }

  async *keys(prefix: string): AsyncGenerator<string> {
    for await (const { key } of this.list(prefix)) yield key;
  }

  /** One call: never answered in the same tick, and disturbed as the faults say. */
  async #call<T>(operation: StoreCall['operation'], key: string, act: () => T): Promise<T> {
    await Promise.resolve();
    if (this.#dead) throw new Crash(`the process is dead; ${operation} of ${key} never happened`);
    const fault = this.#faults({ operation, key, count: ++this.#calls });
    if (fault?.kind === 'error') throw fault.error;
    if (fault?.kind === 'crash' && fault.when === 'before') this.#die(operation, key);
    if (fault?.kind === 'rival') this.#write(key, fault.bytes);
    if (operation !== 'list') assertKey(key);
    const result = act();
    if (fault?.kind === 'crash') this.#die(operation, key);
    return result;
  }

  #die(operation: string, key: string): never {
    this.#dead = true;
    throw new Crash(`the process died in ${operation} of ${key}`);
  }

  #read(key: string): Entry | undefined {
    const reason = this.#contents.unreadable.get(key);
    if (reason !== undefined) throw new RejectedInput(reason);
    return this.#contents.entries.get(key);
  }

  #describe(key: string): StoredObject | undefined {
    const entry = this.#contents.entries.get(key);
    return entry && { key, size: entry.bytes.length, etag: entry.etag };
  }

  #swap(key: string, bytes: Uint8Array, etag: string | undefined): string | undefined {
    return this.#contents.entries.get(key)?.etag === etag ? this.#write(key, bytes) : undefined;
  }

  /** Every write gets an etag of its own, even with the same bytes: harsher than a content hash. */
  #write(key: string, bytes: Uint8Array): string {
    const etag = `v${++this.#contents.versions}`;
    this.#contents.entries.set(key, { bytes: bytes.slice(), etag });
    return etag;
  }
}
