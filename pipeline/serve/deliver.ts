/** Sending an answer, or where it is too large for that, a link to it. */
import { keys } from '#core/job/keys';
import type { Answer } from './answer.ts';
import type { ServeLimits, ServePorts } from './api-ports.ts';
import { Problem } from './problem.ts';

/** How long links work. */
const linkSeconds = 3600;

/** @throws Problem 422 where the answer is too large and there is no place for it */
export async function deliver(
  { store, link, newId, clock }: Pick<ServePorts, 'store' | 'link' | 'newId' | 'clock'>,
  { answerBytes }: ServeLimits,
  id: string,
  { mediaType, extension, bytes }: Answer,
  status = 200,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  if (bytes.length <= answerBytes) {
    const type = mediaType.startsWith('text/') ? `${mediaType}; charset=utf-8` : mediaType;
    return new Response(bytes as Uint8Array<ArrayBuffer>, {
      status,
      headers: { ...headers, 'content-type': type, 'content-length': String(bytes.length), vary: 'Accept' },
    });
  }
  if (!store || !link) {
    throw new Problem(
      'unprocessable',
      `the answer has ${bytes.length} bytes, more than is sent; ask for a smaller “size” or fewer “outputs”`,
    );
  }
  // Not under the id of the request: that may be the client's choice.
  const key = keys.result(newId(), extension);
  await store.put(key, bytes);
  const url = await link(key, linkSeconds);
  const expires = new Date(clock.now() + linkSeconds * 1000).toISOString();
  return Response.json(
    { id, url, mediaType, bytes: bytes.length, expires },
    { status: 303, headers: { location: url } },
  );
}
