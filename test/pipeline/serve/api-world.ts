/** The API with everything real but the network: a store in memory, the runtime, the codec. */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { afterAll, expect } from 'vitest';
import { MemoryStore } from '#adapters/local/memory-store';
import { nodeDigest } from '#adapters/local/node-digest';
import { OnnxRuntime } from '#adapters/onnxruntime/onnx-runtime';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { type ApiResponse, openApi, type Route, routes } from '#core/api/openapi';
import type { RgbImage } from '#core/image/rgb-image';
import type { RequestLine, ServeOptions, ServePorts } from '#pipeline/serve/api-ports';
import { type ServeApp, serveApp } from '#pipeline/serve/app';
import { publishedModels } from '#pipeline/serve/model-source';
import { plainPng } from '../../contracts/plain-png.ts';

/** The app, asked with the standard's classes. */
export interface StandardApp extends ServeApp {
  fetch(request: Request): Promise<Response>;
}

export interface ApiWorld {
  readonly store: MemoryStore;
  readonly app: StandardApp;
  readonly lines: RequestLine[];
  readonly notes: string[];
  /** Milliseconds since 1970, as the app sees them. */
  readonly clock: { time: number };
}

const models = new OnnxRuntime();
const images = new SharpCodec();

/** To be called at the top of a test file. */
export function closesApi(): void {
  afterAll(() => models.close());
}

export function apiWorld(options: ServeOptions = {}, more: Partial<ServePorts> = {}): ApiWorld {
  const store = new MemoryStore();
  const clock = { time: 1_800_000_000_000 };
  const lines: RequestLine[] = [];
  const notes: string[] = [];
  let ids = 0;
  const ports: ServePorts = {
    source: publishedModels(store),
    store,
    models,
    images,
    digest: nodeDigest,
    clock: { now: () => clock.time },
    tuning: { threads: 1 },
    link: async (key, seconds) => `https://bucket.example/${key}?seconds=${seconds}`,
    imageBucket: name => (name === 'own' ? store : undefined),
    fetchUrl: async () => ({ kind: 'refused', reason: 'this server fetches no addresses' }),
    newId: () => `id-${++ids}`,
    log: line => void lines.push(line),
    note: text => void notes.push(text),
    ...more,
  };
  return { store, clock, lines, notes, app: standard(serveApp(ports, { recheckSeconds: 0, ...options })) };
}

const standard = (app: ServeApp): StandardApp =>
  Object.assign(app, {
    async fetch(request: Request) {
      const { status, headers, bytes } = await app.answer(request);
      return new Response(bytes.length ? (bytes as Uint8Array<ArrayBuffer>) : null, { status, headers });
    },
  });

/** Without a codec's help, so that a broken codec cannot hide. */
export const png = (image: RgbImage): Uint8Array => plainPng({ ...image, channels: 3 });

export const post = (
  path: string,
  body: Uint8Array | string | object,
  headers: Record<string, string> = {},
): Request => {
  const raw = body instanceof Uint8Array || typeof body === 'string';
  return new Request(`http://localhost${path}`, {
    method: 'POST',
    headers: { 'content-type': raw ? 'image/png' : 'application/json', ...headers },
    body: raw ? (body as string) : JSON.stringify(body),
  });
};

export const get = (path: string, headers: Record<string, string> = {}): Request =>
  new Request(`http://localhost${path}`, { headers });

const document = openApi('test');
const ajv = new Ajv2020({ strict: false, validateFormats: false }).addSchema(document, 'openapi');

/** The answer must be one that the document describes for this route, its body of the schema named there. */
export async function assertDocumented(route: Route, response: Response): Promise<void> {
  const named = route.operation.responses[response.status];
  expect(named, `${route.method} ${route.path} answers ${response.status}`).toBeDefined();
  const described = ('$ref' in named! ? document.components.responses[String(response.status)] : named) as ApiResponse;
  const type = response.headers.get('content-type')?.split(';')[0] ?? '';
  expect(Object.keys(described.content ?? {}), `${route.path} ${response.status}`).toContain(type);
  expect(response.headers.get('x-request-id')).toBeTruthy();
  const schema = described.content![type]!.schema;
  if (!type.includes('json') || !schema) return;
  const body = (await response.clone().json()) as unknown;
  const check = compiled.get(schema) ?? ajv.compile(absolute(schema));
  compiled.set(schema, check);
  if (!check(body)) throw new Error(`${route.path} ${response.status}: ${JSON.stringify(check.errors?.slice(0, 3))}`);
}

const compiled = new Map<object, ValidateFunction>();

/** References within the document, from outside it. */
const absolute = (schema: object): object =>
  JSON.parse(JSON.stringify(schema).replaceAll('"#/components', '"openapi#/components')) as object;

export const routeOf = (operationId: string): Route =>
  routes.find(({ operation }) => operation.operationId === operationId)!;

/** Asks, and holds the answer against the document. */
export async function asked(world: ApiWorld, operationId: string, request: Request): Promise<Response> {
  const response = await world.app.fetch(request);
  if (response.status === 500) throw new Error(world.lines.at(-1)!.stack);
  await assertDocumented(routeOf(operationId), response);
  return response;
}

export interface ProblemAnswer {
  readonly status: number;
  readonly type: string;
  readonly detail: string;
  readonly requestId: string;
}

export const problemOf = async (response: Response): Promise<ProblemAnswer> => {
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  return (await response.json()) as ProblemAnswer;
};
