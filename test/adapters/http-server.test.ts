/** The API behind a real socket, and clients that mean harm or know no better. */
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HttpServer, listen } from '#adapters/http/http-server';
import { dataFolder, dataMissing } from '../contracts/test-data.ts';
import { type ApiWorld, apiWorld, closesApi, png } from '../pipeline/serve/api-world.ts';
import { painting, publishSmall } from '../pipeline/serve/small-model.ts';

closesApi();

const file = png(painting(['rg', 'b.'], 32));
let world: ApiWorld;
let server: HttpServer;
let url: string;

beforeAll(async () => {
  world = apiWorld();
  await publishSmall(world.store);
  server = await listen(world.app, { port: 0, host: '127.0.0.1' });
  url = `http://127.0.0.1:${server.port}`;
});
afterAll(() => server.stop(1));

const segment = (
  body: Uint8Array | ReadableStream,
  headers: Record<string, string> = { 'content-type': 'image/png' },
) =>
  fetch(`${url}/v1/segment`, {
    method: 'POST',
    body: body as Uint8Array<ArrayBuffer>,
    headers,
    duplex: 'half',
  } as RequestInit);

/** What a raw connection is answered until it ends. */
async function raw(
  text: string | Buffer,
  meanwhile?: (socket: Socket) => Promise<void>,
  { port } = server,
): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  let answer = '';
  socket.on('data', chunk => {
    answer += chunk;
  });
  await once(socket, 'connect');
  socket.write(text);
  await meanwhile?.(socket);
  if (!socket.closed) await once(socket, 'close');
  return answer;
}

/** Whatever came before: the server answers as ever. */
async function assertAlive(): Promise<void> {
  expect((await segment(file)).status).toBe(200);
}

describe('the server', () => {
  it('answers over a socket what the app answers', async () => {
    const response = await segment(file, { 'content-type': 'image/png', accept: 'image/png' });
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'image/png']);
    const head = await fetch(`${url}/v1/models`, { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
  });

  it('takes a body in many pieces of unknown length', async () => {
    let at = 0;
    const pieces = new ReadableStream({
      pull(controller) {
        if (at >= file.length) controller.close();
        else controller.enqueue(file.slice(at, at + 1000));
        at += 1000;
      },
    });
    expect((await segment(pieces)).status).toBe(200);
  });

  it('refuses 40 MB, and the client gets to read why', async () => {
    const body = new Uint8Array(40 * 2 ** 20);
    expect((await segment(body)).status).toBe(413);
    const unknown = await segment(new Blob([body]).stream());
    expect(unknown.status).toBe(413);
    await assertAlive();
  });

  it('is heard by a client that reads nothing before it has sent everything', async () => {
    const head = 'POST /v1/segment HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 40000000\r\n\r\n';
    const answer = await raw(head, async socket => {
      socket.pause();
      await new Promise<void>(resolve => socket.write(new Uint8Array(40_000_000), () => resolve()));
      socket.resume();
    });
    expect(answer).toMatch(/^HTTP\/1\.1 413 [\s\S]*problems\/too-large/);
  });

  it('gives a reason and an id where there is no request', async () => {
    for (const [text, status] of [
      ['rubbish\r\n\r\n', 400],
      ['GET /healthz HTTP/1.1\r\n\r\n', 400],
      [`GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
    ] as const) {
      const [head, body] = (await raw(text.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'))).split('\r\n\r\n');
      expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} [\\s\\S]*application/problem\\+json`));
      const { requestId, detail } = JSON.parse(body!) as { requestId: string; detail: string };
      expect([detail.length > 0, head!.toLowerCase().includes(`x-request-id: ${requestId}`)]).toEqual([true, true]);
    }
  });

  it('refuses a large body before it is sent where the client asks first', async () => {
    // Less than JSON may have, but more than an image.
    const head = `POST /v1/segment HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: ${21 * 2 ** 20}\r\nExpect: 100-continue\r\n\r\n`;
    const answer = await raw(head);
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer).not.toContain('100 Continue');
    const small = await raw(
      `POST /v1/segment HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: image/png\r\nContent-Length: ${file.length}\r\nExpect: 100-continue\r\n\r\n`,
      async socket => {
        await once(socket, 'data');
        socket.write(file);
      },
    );
    expect(small).toMatch(/^HTTP\/1\.1 100 Continue[\s\S]*HTTP\/1\.1 200 /);
  });

  it('waits no longer than a second for a slow body', async () => {
    const head = 'POST /v1/segment HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 1000\r\n\r\n';
    const hurried = await listen(world.app, { port: 0, host: '127.0.0.1', requestSeconds: 1 });
    const drip = async (socket: Socket) => {
      for (let i = 0; i < 60 && !socket.closed; i++) {
        socket.write('x');
        await pause(50);
      }
    };
    const answer = await raw(head, drip, hurried);
    await hurried.stop(1);
    expect(answer).toMatch(/^HTTP\/1\.1 408 [\s\S]*application\/problem\+json/);
    await assertAlive();
  });

  it('bears clients that go away', async () => {
    const head = `POST /v1/segment HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: ${file.length}\r\n\r\n`;
    for (const part of [0, 10, file.length]) {
      await raw(Buffer.concat([Buffer.from(head), file.slice(0, part)]), async socket => {
        await pause(5);
        socket.destroy();
      });
    }
    await assertAlive();
  });

  it.each([
    ['a flood of headers', `GET /healthz HTTP/1.1\r\nHost: x\r\n${'X-Y: z\r\n'.repeat(5000)}\r\n`, 431],
    ['an endless header', `GET /healthz HTTP/1.1\r\nHost: x\r\nX-Y: ${'z'.repeat(100_000)}\r\n\r\n`, 431],
    ['an endless address', `GET /${'a'.repeat(100_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, 431],
    ['no HTTP', 'hello\r\n\r\n', 400],
    ['two lengths', 'POST /v1/segment HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx', 400],
    [
      'a length and chunks',
      'POST /v1/segment HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
    ['a foreign address', 'GET http://evil.example/healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 200],
    ['two slashes', 'GET //healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 404],
    ['half a percent sign', 'GET /v1/models/%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 404],
    ['dots', 'GET /v1/models/../../etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 404],
    ['an odd method', 'TRACE / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 400],
    ['a known method elsewhere', 'DELETE /v1/models HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 404],
  ])('answers %s', async (_, text, status) => {
    expect(Number((await raw(text)).slice(9, 12))).toBe(status);
  });

  it('answers several requests on one connection, in order', async () => {
    const one = (path: string, more = '') => `GET ${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;
    const answer = await raw(one('/healthz') + one('/nope') + one('/healthz', 'Connection: close\r\n'));
    expect([...answer.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)).toEqual(['200', '404', '200']);
  });

  it('finishes what is under way when it is told to stop', async () => {
    const own = apiWorld();
    await publishSmall(own.store);
    const stopping = await listen(own.app, { port: 0, host: '127.0.0.1' });
    const address = `http://127.0.0.1:${stopping.port}`;
    const requests = Array.from({ length: 4 }, () =>
      fetch(`${address}/v1/segment`, {
        method: 'POST',
        body: file as Uint8Array<ArrayBuffer>,
        headers: { 'content-type': 'image/png' },
      }),
    );
    while (own.lines.length === 0) await pause(1);
    own.app.stop();
    await stopping.stop(5);
    expect((await Promise.all(requests)).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    await expect(fetch(`${address}/healthz`)).rejects.toThrow();
  });
});

describe.skipIf(dataMissing)(`odd files${dataMissing}`, () => {
  const folder = join(dataFolder, 'odd');
  it.each(existsSync(folder) ? readdirSync(folder) : [])('%s is labelled or refused with a reason', async name => {
    const body = readFileSync(join(folder, name));
    const response = await segment(new Uint8Array(body), { 'content-type': 'application/octet-stream' });
    expect([200, 422]).toContain(response.status);
    expect(response.status === 422).toBe(/corrupt|truncated\.png|huge|truncated\.jpg/.test(name));
    const said = (await response.json()) as { detail?: string; image?: object };
    expect(said.detail ?? said.image).toBeTruthy();
  });
});
