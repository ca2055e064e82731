/** HTTP as Lambda gets it, from API Gateway (REST and HTTP APIs), function URLs and load balancers: events in, requests; answers back. */
import type { ApiAnswer, ApiRequest } from '#core/api/exchange';

type Values = Readonly<Record<string, readonly string[] | undefined>>;

/** The members of all these events that are used here. */
export interface HttpEvent {
  readonly httpMethod?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string | undefined>> | null;
  readonly multiValueHeaders?: Values | null;
  readonly queryStringParameters?: Readonly<Record<string, string | undefined>> | null;
  readonly multiValueQueryStringParameters?: Values | null;
  readonly rawPath?: string;
  readonly rawQueryString?: string;
  readonly body?: string | null;
  readonly isBase64Encoded?: boolean;
  readonly requestContext?: {
    readonly requestId?: string;
    readonly http?: { readonly method: string };
    readonly elb?: unknown;
  };
}

export interface HttpResult {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly multiValueHeaders: Readonly<Record<string, readonly string[]>>;
  readonly body: string;
  readonly isBase64Encoded: boolean;
}

export function requestOfEvent(event: HttpEvent): ApiRequest {
  const method = event.httpMethod ?? event.requestContext?.http?.method ?? 'GET';
  const path = event.rawPath ?? event.path ?? '/';
  const url = `http://localhost${path.startsWith('/') ? path : `/${path}`}?${queryOf(event)}`;
  const bare = method === 'GET' || method === 'HEAD';
  const bytes = event.body ? Buffer.from(event.body, event.isBase64Encoded ? 'base64' : 'utf8') : undefined;
  return { method, url, headers: headersOf(event), body: bytes && !bare ? [bytes] : null };
}

function queryOf(event: HttpEvent): string {
  if (event.rawQueryString !== undefined) return event.rawQueryString;
  const pairs = Object.entries(event.multiValueQueryStringParameters ?? listed(event.queryStringParameters)).flatMap(
    ([name, values]) => (values ?? []).map((value): [string, string] => [name, value]),
  );
  // A load balancer hands names and values over as they were written.
  if (event.requestContext?.elb) return pairs.map(([name, value]) => `${name}=${value}`).join('&');
  return new URLSearchParams(pairs).toString();
}

/** The body is whole: what it was on the way says nothing any more. */
const ofTheWay: readonly string[] = ['content-length', 'transfer-encoding'];

function headersOf(event: HttpEvent): ApiRequest['headers'] {
  const headers = new Map<string, string>();
  for (const [given, values] of Object.entries(event.multiValueHeaders ?? listed(event.headers))) {
    const name = given.toLowerCase();
    if (values?.length && !ofTheWay.includes(name)) {
      headers.set(name, [headers.get(name) ?? [], values].flat(2).join(', '));
    }
  }
  // The same id here and in the gateway's log.
  const id = event.requestContext?.requestId;
  if (id && !headers.has('x-request-id')) headers.set('x-request-id', id);
  return { get: name => headers.get(name.toLowerCase()) ?? null };
}

const listed = (single: Readonly<Record<string, string | undefined>> | null | undefined): Values =>
  Object.fromEntries(
    Object.entries(single ?? {}).flatMap(([name, value]) => (value === undefined ? [] : [[name, [value]]])),
  );

const text = /^(text\/|application\/(.*\+)?(json|xml))/;

export function resultOfAnswer({ status, headers: all, bytes }: ApiAnswer): HttpResult {
  const { 'content-length': _, ...headers } = all;
  const isText = text.test(headers['content-type'] ?? 'text/');
  return {
    statusCode: status,
    headers,
    multiValueHeaders: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]])),
    body: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString(isText ? 'utf8' : 'base64'),
    isBase64Encoded: !isText,
  };
}
