/**
 * A request and its answer as the API sees them: what it needs of the standard's `Request` and `Response`, which take a start
 * longer to load than the answer to take its way.
 */

/** Every standard `Request` is one. */
export interface ApiRequest {
  readonly method: string;
  /** Whole, with scheme and host. */
  readonly url: string;
  /** By name, whatever its case; several of one name are joined with commas. */
  readonly headers: { get(name: string): string | null };
  /** Read only when it is asked for; null: there is none. */
  readonly body: AsyncIterable<Uint8Array> | Iterable<Uint8Array> | null;
}

export interface ApiAnswer {
  readonly status: number;
  /** Names in small letters. */
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: Uint8Array;
}
