/** A server for an application of standard requests and answers, on Node's own HTTP: limits, slow clients, a graceful stop. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';

export interface HttpApp {
  /** Never fails: what goes wrong is an answer. */
  fetch(request: Request): Promise<Response>;
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
  const response = request ? await app.fetch(request) : refusal(400);
  const bytes = Buffer.from(await response.arrayBuffer());
  const headers = Object.fromEntries(response.headers);
  if (!headers['content-length'] && incoming.method !== 'HEAD') headers['content-length'] = String(bytes.length);
  if (state.stopping || !incoming.complete) headers.connection = 'close';
  outgoing.writeHead(response.status, headers);
  outgoing.write(bytes);
  // The connection ends with the answer, and a client in the middle of sending would lose it.
  await body.discarded();
  outgoing.end();
}

/** Undefined where it is none that the standard allows. */
function requestOf(incoming: IncomingMessage, body: IncomingBody): Request | undefined {
  const { method = 'GET', url = '/', httpVersion } = incoming;
  if (httpVersion === '1.1' && incoming.headers.host === undefined) return undefined;
  try {
    const target = url.startsWith('/') ? `http://localhost${url}` : url;
    const headers = new Headers();
    for (let i = 0; i < incoming.rawHeaders.length; i += 2) {
      headers.append(incoming.rawHeaders[i]!, incoming.rawHeaders[i + 1]!);
    }
    const bare = method === 'GET' || method === 'HEAD';
    return new Request(target, { method, headers, ...(!bare && { body: body.stream, duplex: 'half' }) });
  } catch {
    return undefined;
  }
}

/** The body as a stream that reads from the connection only when it is read itself, and can be thrown away. */
class IncomingBody {
  readonly stream: ReadableStream<Uint8Array>;
  readonly #incoming: IncomingMessage;
  /** The client sends nothing before it is told to. */
  #awaited: boolean;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;

  /** @param awaiting the answer to a client that waits for `100 Continue` before it sends */
  constructor(incoming: IncomingMessage, awaiting: ServerResponse | undefined) {
    this.#incoming = incoming;
    this.#awaited = awaiting !== undefined;
    this.stream = new ReadableStream(
      {
        start: controller => {
          this.#controller = controller;
        },
        pull: () => {
          if (this.#awaited) awaiting?.writeContinue();
          this.#awaited = false;
          incoming.resume();
        },
        cancel: () => {
          this.#controller = undefined;
        },
      },
      { highWaterMark: 0 },
    );
    incoming.pause();
    incoming.on('data', (chunk: Buffer) => {
      if (!this.#controller) return;
      this.#controller.enqueue(new Uint8Array(chunk));
      incoming.pause();
    });
    incoming.on('end', () => this.#finish());
    incoming.on('error', error => this.#finish(error));
    incoming.on('close', () => this.#finish(new Error('the client went away')));
  }

  /** After the answer: the rest of the body is read and forgotten, for a while. */
  async discarded(): Promise<void> {
    if (this.#incoming.complete || this.#incoming.closed || this.#awaited) return;
    this.#controller = undefined;
    this.#incoming.resume();
    const { socket } = this.#incoming;
    const cut = setTimeout(() => socket.destroy(), lingerSeconds * 1000);
    await new Promise<void>(resolve => {
      this.#incoming.once('end', resolve).once('close', resolve);
    });
    clearTimeout(cut);
  }

  #finish(error?: Error): void {
    const controller = this.#controller;
    this.#controller = undefined;
    if (error) controller?.error(error);
    else controller?.close();
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

function refusal(status: number): Response {
  const id = randomUUID();
  const headers = { 'content-type': 'application/problem+json', 'x-request-id': id };
  return new Response(problem(status, id), { status, headers });
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
