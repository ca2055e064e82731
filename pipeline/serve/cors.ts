/** Cross-origin answers, for pages of the one origin that may call; off unless an origin is named. */

const readable = 'X-Request-Id, Location, Retry-After, Inference-Header-Content-Length';
const sendable = 'Authorization, Content-Type, Accept, Idempotency-Key, X-Request-Id, Inference-Header-Content-Length';

/** @param allowed an origin, `*`, or undefined for none */
export function withCors(request: Request, response: Response, allowed: string | undefined): Response {
  const origin = request.headers.get('origin');
  if (allowed === undefined || origin === null || (allowed !== '*' && allowed !== origin)) return response;
  const { headers } = response;
  headers.set('access-control-allow-origin', allowed);
  headers.append('vary', 'Origin');
  headers.set('access-control-expose-headers', readable);
  if (request.method === 'OPTIONS') {
    headers.set('access-control-allow-methods', 'GET, POST');
    headers.set('access-control-allow-headers', sendable);
    headers.set('access-control-max-age', '600');
  }
  return response;
}
