/** A server for the API, on Node's own HTTP: limits, slow clients, a graceful stop. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { ApiAnswer, ApiRequest } from '#core/api/exchange';

export interface HttpApp {
  /** Never fails: what goes wrong is an answer. */
  answer(request: ApiRequest): Promise<ApiAnswer>;
}

export interface HttpServerOptions {
  /** 0: any free one. */
  readonly port: number;
  readonly host: string;
  /** Until a request must have come in whole. Default 30. */
  readonly requestSeconds?: number;
  /** All headers and the request line together. Default 16 KiB. */
  readonly headerBytes?: number;
}

export interface HttpServer {
  readonly port: number;
  /** Takes no new connections, lets requests finish for so long, then cuts them. */
  stop(graceSeconds: number): Promise<void>;
}

/** Longer than load balancers keep idle connections, so that never the server closes one that is about to be used. */
const keepAliveSeconds = 65;
const mostConnections = 1024;
/** What comes after an early answer is thrown away for so long: many clients read an answer only when they have sent everything. */
const lingerSeconds = 10;

/** @throws the system's error if the port is taken or not allowed */
export async function listen(app: HttpApp, options: HttpServerOptions): Promise<HttpServer> {
  const { port, host, requestSeconds = 30, headerBytes = 16_384 } = options;
  const server = createServer({
    maxHeaderSize: headerBytes,
    requestTimeout: requestSeconds * 1000,
    headersTimeout: Math.min(10, requestSeconds) * 1000,
    keepAliveTimeout: keepAliveSeconds * 1000,
    connectionsCheckingInterval: Math.min(1000, requestSeconds * 250),
    // Without one it is refused below, with a reason.
    requireHostHeader: false,
  });
  server.maxConnections = mostConnections;
  const state = { stopping: false };
  const handle = (incoming: IncomingMessage, outgoing: ServerResponse, mayContinue: boolean) =>
    void answer(app, incoming, outgoing, mayContinue, state);
  server.on('request', (incoming, outgoing) => handle(incoming, outgoing, false));
  server.on('checkContinue', (incoming, outgoing) => handle(incoming, outgoing, true));
  server.on('clientError', refuse);
  server.listen(port, host);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async stop(graceSeconds) {
      state.stopping = true;
      await closed(server, graceSeconds);
    },
  };
}

async function closed(server: Server, graceSeconds: number): Promise<void> {
  const over = new Promise<void>(resolve => server.close(() => resolve()));
  const cut = setTimeout(() => server.closeAllConnections(), graceSeconds * 1000);
  // Connections that are idle now are closed; the others when their request is answered.
  server.closeIdleConnections();
  await over;
  clearTimeout(cut);
}

async function answer(
  app: HttpApp,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  mayContinue: boolean,
  state: { readonly stopping: boolean },
): Promise<void> {
  // A client that goes away is its own business.
  outgoing.on('error', () => undefined);
  const body = new IncomingBody(incoming, mayContinue ? outgoing : undefined);
  const request = requestOf(incoming, body);
  const { status, headers, bytes } = request ? await app.answer(request) : refusal(400);
  const closing = state.stopping || !incoming.complete;
  outgoing.writeHead(status, closing ? { ...headers, connection: 'close' } : { ...headers });
  outgoing.write(bytes);
  // The connection ends with the answer, and a client in the middle of sending would lose it.
  await body.discarded();
  outgoing.end();
}

/** Answering it would hand a client its own headers, which pages may not see. */
const refusedMethod = 'TRACE';

/** Undefined where it is none that the standard allows. */
function requestOf(incoming: IncomingMessage, body: IncomingBody): ApiRequest | undefined {
  const { method = 'GET', url = '/', httpVersion } = incoming;
  if (method === refusedMethod || (httpVersion === '1.1' && incoming.headers.host === undefined)) return undefined;
  const target = url.startsWith('/') ? `http://localhost${url}` : url;
  if (!URL.canParse(target)) return undefined;
  const get = (name: string) => incoming.headersDistinct[name.toLowerCase()]?.join(', ') ?? null;
  return { method, url: target, headers: { get }, body: method === 'GET' || method === 'HEAD' ? null : body };
}

/** The body, which is taken from the connection only as it is read, and can be thrown away. */
class IncomingBody implements AsyncIterable<Uint8Array> {
  readonly #incoming: IncomingMessage;
  /** The client sends nothing before it is told to. */
  #awaiting: ServerResponse | undefined;

  /** @param awaiting the answer to a client that waits for `100 Continue` before it sends */
  constructor(incoming: IncomingMessage, awaiting: ServerResponse | undefined) {
    this.#incoming = incoming;
    this.#awaiting = awaiting;
    // Whoever reads is told; nobody may be reading.
    incoming.on('error', () => undefined);
  }

  /** @throws Error if the client goes away before it is whole */
  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    this.#awaiting?.writeContinue();
    this.#awaiting = undefined;
    // Who stops reading may still answer over the same connection.
    return this.#incoming.iterator({ destroyOnReturn: false });
  }

  /** After the answer: the rest of the body is read and forgotten, for a while. */
  async discarded(): Promise<void> {
    const incoming = this.#incoming;
    if (incoming.complete || incoming.closed || this.#awaiting) return;
    incoming.resume();
    const cut = setTimeout(() => incoming.socket.destroy(), lingerSeconds * 1000);
    await new Promise<void>(resolve => {
      incoming.once('end', resolve).once('close', resolve);
    });
    clearTimeout(cut);
  }
}

const details: Readonly<Record<number, string>> = {
  400: 'this is no HTTP request',
  408: 'the request did not come in whole within the time allowed',
  431: 'the headers are too large',
};

const problem = (status: number, requestId: string) =>
  JSON.stringify({
    type: `/problems/http-${status}`,
    title: STATUS_CODES[status],
    status,
    detail: details[status],
    requestId,
  });

function refusal(status: number): ApiAnswer {
  const id = randomUUID();
  const bytes = Buffer.from(problem(status, id));
  const headers = {
    'content-type': 'application/problem+json',
    'x-request-id': id,
    'content-length': String(bytes.length),
  };
  return { status, headers, bytes };
}

/** What never became a request is answered here. */
function refuse(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const status = error.code === 'HPE_HEADER_OVERFLOW' ? 431 : error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400;
  const id = randomUUID();
  const body = problem(status, id);
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: application/problem+json\r\nX-Request-Id: ${id}\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}
