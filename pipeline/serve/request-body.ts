/** The body of a request, read up to a limit. */
import { Problem } from './problem.ts';

const tooLarge = (limit: number) =>
  new Problem(
    'too-large',
    `the body is larger than ${Math.floor(limit / 2 ** 20)} MB; send a smaller image, or name it by s3Uri or url`,
  );

/** What the client says the length is, if it says so. @throws Problem 413 if that is beyond the limit */
export function declaredLength(headers: Headers, limit: number): number | undefined {
  const header = headers.get('content-length');
  if (header === null) return undefined;
  const length = Number(header);
  if (length > limit) throw tooLarge(limit);
  return length;
}

/** @throws Problem 413 as soon as the body exceeds the limit: the rest is not read */
export async function readBody(request: Request, limit: number): Promise<Uint8Array> {
  declaredLength(request.headers, limit);
  if (!request.body) return new Uint8Array(0);
  const parts: Uint8Array[] = [];
  let length = 0;
  const reader = request.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return joined(parts, length);
    length += value.length;
    if (length > limit) {
      await reader.cancel();
      throw tooLarge(limit);
    }
    parts.push(value);
  }
}

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
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
