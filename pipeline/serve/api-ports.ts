/** What the API needs from its door, beside the ports of the pipeline. */
import type { ObjectStore, Ports } from '../ports.ts';
import type { ModelSource } from './model-source.ts';

/** One answered request, for the log. */
export interface RequestLine {
  readonly time: string;
  readonly id: string;
  readonly method: string;
  /** Without the query, which may hold names. */
  readonly path: string;
  readonly status: number;
  readonly milliseconds: number;
  readonly bytesIn: number | null;
  readonly problem?: string;
  /** Of an error that is our fault: where it comes from. */
  readonly stack?: string;
}

/** Fetches an address for a client. @throws RejectedInput where it may not be fetched or does not answer as it should */
export type FetchUrl = (url: string, limit: number) => Promise<FetchedUrl>;

export type FetchedUrl =
  | { readonly kind: 'fetched'; readonly bytes: Uint8Array }
  /** Not allowed: private, of another scheme, not on the list. */
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'too-large' }
  /** Allowed, but it did not work. */
  | { readonly kind: 'failed'; readonly reason: string };

export interface ServePorts extends Pick<Ports, 'models' | 'images' | 'pixels' | 'digest' | 'clock' | 'tuning'> {
  readonly source: ModelSource;
  /** Where jobs and large results lie; undefined where there is no such place. */
  readonly store?: ObjectStore;
  /** A link to an object of the store that works without further rights. */
  readonly link?: (key: string, seconds: number) => Promise<string>;
  /** The bucket of that name, if clients may name images in it. */
  readonly imageBucket: (name: string) => ObjectStore | undefined;
  readonly fetchUrl: FetchUrl;
  /** The public keys (JWKS) of whoever signs the tokens. */
  readonly tokenKeys?: () => Promise<unknown>;
  /** A new request id. */
  readonly newId: () => string;
  readonly log: (line: RequestLine) => void;
  /** For the person who runs the server. */
  readonly note: (text: string) => void;
}

export interface ServeLimits {
  /** Of a request's body. */
  readonly bodyBytes: number;
  /** Of one encoded image. */
  readonly imageBytes: number;
  /** Of one answer; larger ones go to the store. */
  readonly answerBytes: number;
  /** Pixels of the picture that is labelled. */
  readonly pixels: number;
  /** Requests that hold a body at once. */
  readonly requests: number;
  /** Bytes that these may hold together. */
  readonly heldBytes: number;
}

const megabyte = 2 ** 20;

export const usualLimits: ServeLimits = {
  bodyBytes: 28 * megabyte,
  imageBytes: 20 * megabyte,
  answerBytes: 64 * megabyte,
  pixels: 25_000_000,
  requests: 64,
  heldBytes: 256 * megabyte,
};

/** Lambda takes and gives 6 MB, a third of it lost to base64. */
export const lambdaLimits: Partial<ServeLimits> = { bodyBytes: 6 * megabyte, answerBytes: 4 * megabyte };

/** Which tokens are accepted. */
export interface TokenRules {
  readonly issuer: string;
  readonly audience: string;
  /** Must be among the token's scopes. */
  readonly scope?: string | undefined;
}

export interface ServeOptions {
  readonly limits?: Partial<ServeLimits>;
  /** Name of the model that requests without one get. */
  readonly model?: string | undefined;
  /** Seconds after which the store is asked whether another model was published. Default 10. */
  readonly recheckSeconds?: number;
  /** Origin that browsers may call from; `*` for any. Default: none. */
  readonly corsOrigin?: string | undefined;
  readonly token?: TokenRules | undefined;
}
