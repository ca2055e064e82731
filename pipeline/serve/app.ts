/** The segmentation API: a request in, its answer out; the same on Lambda, in a container and on a laptop. */
import type { ApiAnswer, ApiRequest } from '#core/api/exchange';
import { Turnstile } from '#core/turnstile';
import { Admission } from './admission.ts';
import { type Answer, offeredTypes, type ToolFormat } from './answer.ts';
import { type ServeLimits, type ServeOptions, type ServePorts, usualLimits } from './api-ports.ts';
import { corsHeaders } from './cors.ts';
import { deliver } from './deliver.ts';
import { type Call, handlers } from './handlers.ts';
import { besideOthers } from './lone-image.ts';
import { essence, negotiate } from './media-type.ts';
import { ModelShelf } from './model-shelf.ts';
import { Problem } from './problem.ts';
import { declaredLength, readBody } from './request-body.ts';
import { matchRoute, type ReadyRoute } from './router.ts';
import type { TokenCheck } from './token.ts';

export interface ServeApp {
  /** Never fails: what goes wrong is an answer. */
  answer(request: ApiRequest): Promise<ApiAnswer>;
  /** Loads the model of requests that name none. @throws Problem if there is none, or it cannot be used */
  prepare(): Promise<void>;
  /** New work is refused from now on. */
  stop(): void;
  /** To be called when nothing is under way any more. */
  close(): Promise<void>;
}

const noBytes = new Uint8Array(0);
const requestIdRule = /^[\w.:-]{1,100}$/;

export function serveApp(ports: ServePorts, options: ServeOptions = {}): ServeApp {
  return new App(ports, options);
}

class App implements ServeApp {
  readonly #ports: ServePorts;
  readonly #options: ServeOptions;
  readonly #limits: ServeLimits;
  readonly #shelf: ModelShelf;
  readonly #admission: Admission;
  /** One more than there are sessions, so that one image is decoded while others are in the model. */
  readonly #turns: Turnstile;
  /** Loaded where tokens are asked for. */
  readonly #token: Promise<TokenCheck> | undefined;
  #stopping = false;

  constructor(ports: ServePorts, options: ServeOptions) {
    this.#options = options;
    this.#limits = { ...usualLimits, ...options.limits };
    this.#shelf = new ModelShelf(ports, { recheckSeconds: options.recheckSeconds ?? 10, model: options.model });
    this.#admission = new Admission({ requests: this.#limits.requests, bytes: this.#limits.heldBytes });
    this.#turns = new Turnstile(ports.tuning.threads + 1);
    this.#ports = ports.pixels ? { ...ports, pixels: besideOthers(ports.pixels, this.#turns) } : ports;
    const { token } = options;
    if (token && !ports.tokenKeys) throw new Error('internal: tokens are asked for, but nobody knows the keys');
    this.#token = token && tokenCheck(token, ports.tokenKeys!, ports.clock);
  }

  prepare(): Promise<void> {
    return this.#shelf.use(undefined, async () => undefined);
  }

  stop(): void {
    this.#stopping = true;
  }

  close(): Promise<void> {
    return this.#shelf.close();
  }

  async answer(request: ApiRequest): Promise<ApiAnswer> {
    const started = this.#ports.clock.now();
    const given = request.headers.get('x-request-id');
    const id = given !== null && requestIdRule.test(given) ? given : this.#ports.newId();
    const url = new URL(request.url);
    const path = url.pathname;
    const { answer, problem } = await this.#answer(request, id, url);
    this.#ports.log({
      time: new Date(started).toISOString(),
      id,
      method: request.method,
      path: path.slice(0, 200),
      status: answer.status,
      milliseconds: this.#ports.clock.now() - started,
      bytesIn: Number(request.headers.get('content-length') ?? Number.NaN) || null,
      ...(problem && { problem: problem.message.slice(0, 500) }),
      ...(problem?.kind === 'internal' && {
        stack: (problem.cause as Error | undefined)?.stack ?? String(problem.cause),
      }),
    });
    return {
      status: answer.status,
      headers: {
        ...answer.headers,
        'x-request-id': id,
        'x-content-type-options': 'nosniff',
        'cache-control': 'no-store',
        'content-length': String(answer.bytes.length),
        ...corsHeaders(request, answer, this.#options.corsOrigin),
      },
      bytes: request.method === 'HEAD' ? noBytes : answer.bytes,
    };
  }

  async #answer(request: ApiRequest, id: string, url: URL): Promise<{ answer: ApiAnswer; problem?: Problem }> {
    try {
      return { answer: await this.#serve(request, id, url) };
    } catch (error) {
      const problem = error instanceof Problem ? error : internal(error);
      return { answer: problem.answer(id, url.pathname.startsWith('/v2')), problem };
    }
  }

  async #serve(request: ApiRequest, id: string, { pathname, searchParams }: URL): Promise<ApiAnswer> {
    if (request.method === 'OPTIONS' && this.#options.corsOrigin) return { status: 204, headers: {}, bytes: noBytes };
    const { route, names } = matchRoute(request.method, pathname);
    if (this.#stopping && route.operation.operationId !== 'health') {
      throw new Problem('stopping', 'the server is stopping; send the request to another one', {
        headers: { 'retry-after': '1', connection: 'close' },
      });
    }
    const subject = await this.#subjectOf(request, route);
    const query = readQuery(route, searchParams);
    const header = route.header.read(name => [request.headers.get(name)].filter(value => value !== null));
    const accept = acceptable(request, route, query);
    const bodyType = takenType(request, route);
    const limit = this.#limitOf(route, bodyType);
    const leave = bodyType === undefined ? () => undefined : this.#admission.enter(expected(request, limit));
    try {
      const body = bodyType === undefined ? noBytes : await readBody(request, limit);
      const call: Call = { id, names, query, header, accept, bodyType: bodyType ?? '', body, subject };
      const { answer, status, headers } = await handlers[route.operation.operationId]!(this.#world, call);
      return await deliver(this.#ports, this.#limits, id, answer, status, headers);
    } finally {
      leave();
    }
  }

  /** Whose token the request comes with; empty where none is asked for. @throws Problem 401 or 403 */
  async #subjectOf({ headers }: ApiRequest, { open }: ReadyRoute): Promise<string> {
    const token = open ? undefined : await this.#token;
    return token ? token.subjectOf(headers.get('authorization')) : '';
  }

  /** Of a body, in bytes: an image by itself needs no room for what JSON adds. */
  #limitOf({ operation }: ReadyRoute, bodyType: string | undefined): number {
    const { bodyBytes, imageBytes } = this.#limits;
    const bare = operation.operationId === 'segment' && bodyType !== 'application/json';
    return bare ? Math.min(bodyBytes, imageBytes) : bodyBytes;
  }

  get #world() {
    return {
      ports: this.#ports,
      limits: this.#limits,
      shelf: this.#shelf,
      turns: this.#turns,
      admission: this.#admission,
    };
  }
}

const expected = ({ headers }: ApiRequest, limit: number): number => declaredLength(headers, limit) ?? limit;

const internal = (cause: unknown) =>
  new Problem('internal', 'something went wrong here that is not your fault; the log has it under this request id', {
    cause,
  });

const tokenCheck = async (...rules: ConstructorParameters<typeof TokenCheck>): Promise<TokenCheck> =>
  new (await import('./token.ts')).TokenCheck(...rules);

/** Signed requests carry their signature in the query. */
const signature = /^x-amz-/i;

function readQuery({ query }: ReadyRoute, given: URLSearchParams): Record<string, unknown> {
  const unknown = [...given.keys()].find(name => !query.names.includes(name) && !signature.test(name));
  if (unknown !== undefined) {
    const known = query.names.length ? `; there are ${query.names.join(', ')}` : '';
    throw new Problem('malformed', `there is no parameter “${unknown.slice(0, 60)}”${known}`, {
      errors: [{ path: unknown.slice(0, 60), message: 'is not a parameter' }],
    });
  }
  return query.read(name => given.getAll(name));
}

/** @throws Problem 406 */
function acceptable(request: ApiRequest, route: ReadyRoute, query: Readonly<Record<string, unknown>>): string {
  const offered =
    route.operation.operationId === 'segment' ? offeredTypes(query.format as ToolFormat | undefined) : route.offered;
  const accept = negotiate(request.headers.get('accept'), offered);
  if (accept !== undefined) return accept;
  throw new Problem('not-acceptable', `this is answered as ${offered.join(', ')}`);
}

/** The media type of the body if one is wanted. @throws Problem 415 */
function takenType({ headers }: ApiRequest, { taken }: ReadyRoute): string | undefined {
  if (!taken) return undefined;
  const coding = headers.get('content-encoding');
  if (coding !== null && coding !== 'identity')
    throw new Problem('media-type', 'send the body without Content-Encoding');
  const type = essence(headers.get('content-type')).replace(/^image\/jpg$/, 'image/jpeg');
  if (taken.includes(type)) return type;
  throw new Problem('media-type', `Content-Type must be ${taken.join(', ')}`);
}

export type { Answer };
