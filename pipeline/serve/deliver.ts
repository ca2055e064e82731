/** Sending an answer, or where it is too large for that, a link to it. */
import type { ApiAnswer } from '#core/api/exchange';
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
): Promise<ApiAnswer> {
  if (bytes.length <= answerBytes) {
    const type = mediaType.startsWith('text/') ? `${mediaType}; charset=utf-8` : mediaType;
    return { status, headers: { ...headers, 'content-type': type, vary: 'Accept' }, bytes };
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
  return {
    status: 303,
    headers: { 'content-type': 'application/json', location: url },
    bytes: Buffer.from(JSON.stringify({ id, url, mediaType, bytes: bytes.length, expires })),
  };
}
