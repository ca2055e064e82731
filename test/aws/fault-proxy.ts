/** A proxy between client and server that answers for the server, delays or cuts, as it is told. */
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type HttpFault =
  /** Answers in the server's place; nothing reaches it. */
  | { readonly kind: 'answer'; readonly status: number; readonly code: string }
  /** An answer that is no XML and no JSON, as balancers give. */
  | { readonly kind: 'html'; readonly status: number }
  /** The connection breaks before anything reaches the server … */
  | { readonly kind: 'cut-before' }
  /** … or after the server did what was asked, before its answer comes … */
  | { readonly kind: 'cut-after' }
  /** … or in the middle of its answer. */
  | { readonly kind: 'cut-within' }
  /** One bit of the server's answer is turned. */
  | { readonly kind: 'damage' }
  /** A success with this body, as SQS speaks; nothing reaches the server. */
  | { readonly kind: 'json'; readonly body: object }
  | { readonly kind: 'delay'; readonly milliseconds: number }
  /** Passed on once something else has happened. */
  | { readonly kind: 'after'; readonly event: Promise<unknown> };

export interface ProxiedRequest {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  /** 1 for the first. */
  readonly count: number;
}

export class FaultProxy {
  /** What happens to each request; may be changed at any time. */
  faults: (request: ProxiedRequest) => HttpFault | undefined = () => undefined;
  readonly seen: ProxiedRequest[] = [];
  readonly #server: Server;
  readonly #target: URL;

  private constructor(target: string) {
    this.#target = new URL(target);
    this.#server = createServer((incoming, outgoing) => void this.#handle(incoming, outgoing));
  }

  static async before(target: string): Promise<FaultProxy> {
    const proxy = new FaultProxy(target);
    await new Promise<void>(resolve => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise(resolve => this.#server.close(resolve));
  }

  async #handle(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const body: Buffer[] = [];
    try {
      for await (const bytes of incoming) body.push(bytes);
    } catch {
      return; // The client went away in the middle of its request.
    }
    const { method = '', url: path = '', headers } = incoming;
    const whole = Buffer.concat(body);
    const seen = { method, path, headers, body: whole.toString('latin1'), count: this.seen.length + 1 };
    this.seen.push(seen);
    const fault = this.faults(seen);
    if (fault?.kind === 'cut-before') return void incoming.socket.destroy();
    if (fault?.kind === 'json') return void outgoing.writeHead(200, json).end(JSON.stringify(fault.body));
    if (fault?.kind === 'answer') return answerFor(outgoing, headers, fault);
    if (fault?.kind === 'html')
      return void outgoing.writeHead(fault.status).end('<html><body>Bad Gateway</body></html>');
    if (fault?.kind === 'delay') await new Promise(resolve => setTimeout(resolve, fault.milliseconds));
    if (fault?.kind === 'after') await fault.event;
    this.#forward(seen, whole, fault?.kind, outgoing);
  }

  #forward(seen: ProxiedRequest, body: Buffer, fault: HttpFault['kind'] | undefined, outgoing: ServerResponse): void {
    const { hostname, port } = this.#target;
    const { method, path, headers } = seen;
    const onward = request({ hostname, port, method, path, headers }, async answer => {
      const parts: Buffer[] = [];
      for await (const bytes of answer) parts.push(bytes);
      if (fault === 'cut-after') return outgoing.socket?.destroy();
      const whole = Buffer.concat(parts);
      if (fault === 'damage') whole[whole.length >> 1]! ^= 1;
      outgoing.writeHead(answer.statusCode!, answer.headers);
      if (fault !== 'cut-within') return outgoing.end(whole);
      outgoing.write(whole.subarray(0, whole.length >> 1), () => outgoing.socket?.destroy());
    });
    onward.on('error', () => outgoing.socket?.destroy());
    onward.end(body);
  }
}

const json = { 'content-type': 'application/x-amz-json-1.0' };

/** S3 speaks XML, SQS JSON. */
function answerFor(
  outgoing: ServerResponse,
  headers: IncomingMessage['headers'],
  { status, code }: { status: number; code: string },
): void {
  if (headers['x-amz-target']) {
    outgoing.writeHead(status, json);
    outgoing.end(JSON.stringify({ __type: `com.amazonaws.sqs#${code}`, message: 'told so' }));
    return;
  }
  outgoing.writeHead(status, { 'content-type': 'application/xml' });
  outgoing.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>told so</Message></Error>`);
}
