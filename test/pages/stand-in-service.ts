/** Stands in for the service where a test of the page chooses the answer; each answer is held against the API's description. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { deflate } from 'node:zlib';
import { connectedComponents } from '#core/formats/components';
import { encodeIndexPng } from '#core/formats/png-index';
import { classRuns, compressCounts } from '#core/formats/rle';
import type { LabelMap } from '#core/labels/label-map';
import { hexOf } from '#core/labels/palette';
import { playgroundPage, playgroundPolicy } from '#core/pages/playground';
import { violations } from '../client/contract-check.ts';

const squeeze = promisify(deflate);

/** What the service answers: status, document and headers; a text is sent as it is. */
export interface Answer {
  readonly status?: number;
  readonly body: unknown;
  readonly headers?: Record<string, string>;
}

export interface Asked {
  readonly url: URL;
  readonly headers: IncomingMessage['headers'];
  readonly bytes: Buffer;
}

export const model = (name: string, more: Record<string, unknown> = {}) => ({
  name,
  version: '0123456789abcdef',
  sha256: 'ab'.repeat(32),
  created: '2026-11-24T00:00:00Z',
  classes: 12,
  decision: 'argmax',
  default: name === 'scenes',
  ...more,
});

export const problem = (status: number, title: string, more: Record<string, unknown> = {}): Answer => ({
  status,
  body: { type: '/problems/made-up', title, status, detail: `${title} indeed.`, requestId: 'request-7', ...more },
  headers: { 'content-type': 'application/problem+json', 'x-request-id': 'request-7' },
});

/** The answer for a label map: confidence is 0.5 plus a hundredth per class id. @param nameOf name of a class */
export async function segmentationOf(map: LabelMap, nameOf = (id: number) => `class ${id}`, highest?: number) {
  const { width, height, data } = map;
  const { count, component, ids, pixels } = connectedComponents(map);
  const runs = new Map(
    classRuns({ width, height, data: Uint16Array.from(component, value => value + 1) }).map(one => [one.id, one]),
  );
  const confidence = (id: number) => Math.min(1, 0.5 + (id % 50) / 100);
  const segments = Array.from({ length: count }, (_, at) => {
    const { box, counts } = runs.get(at + 1)!;
    return {
      classId: ids[at]!,
      confidence: confidence(ids[at]!),
      area: pixels[at]!,
      box: [box.left, box.top, box.width, box.height],
      rle: { size: [height, width], counts: compressCounts(counts) },
    };
  }).sort((a, b) => b.area - a.area);
  const classes = classRuns(map).map(({ id, area }) => ({
    id,
    name: nameOf(id),
    color: hexOf(id),
    pixels: area,
    share: area / data.length,
    confidence: confidence(id),
    segments: segments.filter(({ classId }) => classId === id).length,
  }));
  const labelled = classes.reduce((sum, one) => sum + one.pixels, 0);
  const png = await encodeIndexPng(map, { deflate: bytes => squeeze(bytes), ...(highest && { highest }) });
  return {
    id: 'request-1',
    model: { name: 'scenes', version: '0123456789abcdef', sha256: 'ab'.repeat(32) },
    image: { name: 'image', width, height, original: { width, height }, notes: [] as string[] },
    background: { pixels: data.length - labelled, share: 1 - labelled / data.length },
    confidence: 0.5,
    classes,
    segments,
    mask: Buffer.from(png).toString('base64'),
    timings: { wait: 0, decode: 3, label: 20 },
    warnings: [] as string[],
  };
}

/** Which schema an answer must keep. */
function schemaOf(path: string, status: number): string {
  if (status >= 400) return 'Problem';
  if (path === '/v1/models') return 'ModelList';
  return path.startsWith('/v1/models/') ? 'Model' : 'Segmentation';
}

/** A server on a port of its own, with the page at `/` and answers as the test sets them. */
export class StandInService {
  readonly asked: Asked[] = [];
  readonly broken: string[] = [];
  models: Answer = { body: { models: [model('scenes')] } };
  segment: (asked: Asked) => Answer | Promise<Answer> = () => problem(503, 'Nothing set');
  readonly #server = createServer((request, response) => {
    this.#handle(request, response).catch(error => this.broken.push(String(error)));
  });

  async start(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url!, 'http://stand-in');
    if (url.pathname === '/') {
      response.writeHead(200, { 'content-type': 'text/html', 'content-security-policy': playgroundPolicy });
      response.end(playgroundPage({ version: '1.2.3' }));
      return;
    }
    const asked = { url, headers: request.headers, bytes: Buffer.concat(await request.toArray()) };
    this.asked.push(asked);
    const { status = 200, body, headers } = await this.#answer(asked);
    if (typeof body !== 'string') this.broken.push(...violations(schemaOf(url.pathname, status), body));
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  }

  async #answer(asked: Asked): Promise<Answer> {
    const path = asked.url.pathname;
    if (path === '/v1/models') return this.models;
    if (path.startsWith('/v1/models/')) {
      const name = path.split('/')[3]!;
      return { body: { ...model(name), decision: 'threshold', classes: [], card: { decision: { threshold: -0.25 } } } };
    }
    return this.segment(asked);
  }
}
