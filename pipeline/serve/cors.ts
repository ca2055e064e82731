/** Cross-origin answers, for pages of the one origin that may call; off unless an origin is named. */
import type { ApiAnswer, ApiRequest } from '#core/api/exchange';

const readable = 'X-Request-Id, Location, Retry-After, Inference-Header-Content-Length';
const sendable = 'Authorization, Content-Type, Accept, Idempotency-Key, X-Request-Id, Inference-Header-Content-Length';

const asked = {
  'access-control-allow-methods': 'GET, POST',
  'access-control-allow-headers': sendable,
  'access-control-max-age': '600',
};

/** The headers that let a page of another origin read the answer. @param allowed an origin, `*`, or undefined for none */
export function corsHeaders(
  { method, headers }: ApiRequest,
  answer: ApiAnswer,
  allowed: string | undefined,
): ApiAnswer['headers'] {
  const origin = headers.get('origin');
  if (allowed === undefined || origin === null || (allowed !== '*' && allowed !== origin)) return {};
  const { vary } = answer.headers;
  return {
    'access-control-allow-origin': allowed,
    'access-control-expose-headers': readable,
    vary: vary ? `${vary}, Origin` : 'Origin',
    ...(method === 'OPTIONS' && asked),
  };
}
