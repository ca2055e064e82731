/** The body of a request, read up to a limit. */
import type { ApiRequest } from '#core/api/exchange';
import { Problem } from './problem.ts';

const tooLarge = (limit: number) =>
  new Problem(
    'too-large',
    `the body is larger than ${Math.floor(limit / 2 ** 20)} MB; send a smaller image, or name it by s3Uri or url`,
  );

/** What the client says the length is, if it says so. @throws Problem 413 if that is beyond the limit */
export function declaredLength(headers: ApiRequest['headers'], limit: number): number | undefined {
  const header = headers.get('content-length');
  if (header === null) return undefined;
  const length = Number(header);
  if (length > limit) throw tooLarge(limit);
  return length;
}

/** @throws Problem 413 as soon as the body exceeds the limit: the rest is not read; 400 if it breaks off */
export async function readBody({ headers, body }: ApiRequest, limit: number): Promise<Uint8Array> {
  const declared = declaredLength(headers, limit);
  const bytes = new GrowingBytes(declared);
  try {
    for await (const part of body ?? []) {
      if (bytes.length + part.length > limit) throw tooLarge(limit);
      bytes.add(part);
    }
  } catch (cause) {
    if (cause instanceof Problem) throw cause;
    throw new Problem('malformed', 'the body ended before it was whole', { cause });
  }
  return bytes.whole();
}

/** From here on a body is large. */
const largeBytes = 2 ** 20;

/**
 * Memory for a body. A large one gets pages of its own from the system, as buffers do that could be resized, and they go back
 * there: among small things its place would stay taken when it is gone.
 */
function memoryFor(length: number): Uint8Array {
  if (length < largeBytes) return new Uint8Array(length);
  return new Uint8Array(new ArrayBuffer(length, { maxByteLength: length }), 0, length);
}

/** Parts of a body put together: in one piece from the start where its length is known. */
class GrowingBytes {
  #memory: Uint8Array;
  #length = 0;

  constructor(expected = 0) {
    this.#memory = memoryFor(expected);
  }

  get length(): number {
    return this.#length;
  }

  add(part: Uint8Array): void {
    const length = this.#length + part.length;
    if (length > this.#memory.length) {
      const larger = memoryFor(Math.max(length, 2 * this.#memory.length));
      larger.set(this.#memory.subarray(0, this.#length));
      this.#memory = larger;
    }
    this.#memory.set(part, this.#length);
    this.#length = length;
  }

  whole(): Uint8Array {
    return this.#memory.subarray(0, this.#length);
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true });

/** @throws Problem 400 if the bytes are no JSON */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch (cause) {
    throw new Problem('malformed', 'the body is no JSON', { cause });
  }
}
