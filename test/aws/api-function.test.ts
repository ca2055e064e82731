/** The API's function as it is deployed: built, in its own module, with models, jobs and large results in a bucket. */
import { readFileSync, statSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { HttpEvent, HttpResult } from '#adapters/aws/lambda-http';
import { S3Store } from '#adapters/aws/s3-store';
import { keys } from '#core/job/keys';
import { apiSettingNames } from '#pipeline/api-settings';
import { fromJson } from '#pipeline/documents';
import { png } from '../pipeline/serve/api-world.ts';
import { painting, publishSmall } from '../pipeline/serve/small-model.ts';
import { endpoint, newBucket, s3ClientAt } from './cloud.ts';

type Handler = (event: HttpEvent) => Promise<HttpResult>;

const bundle = fileURLToPath(new URL('../../dist/functions/api.mjs', import.meta.url));
const picture = png(painting(['rg', 'b.'], 32));

let store: S3Store;
let bucket: string;
let handler: Handler;

/** As API Gateway's REST proxy sends it. */
const event = (
  httpMethod: string,
  path: string,
  body?: Uint8Array | object,
  headers: Record<string, string> = {},
): HttpEvent => ({
  httpMethod,
  path,
  multiValueHeaders: Object.fromEntries(
    Object.entries({ 'Content-Type': body instanceof Uint8Array ? 'image/png' : 'application/json', ...headers }).map(
      ([name, value]) => [name, [value]],
    ),
  ),
  multiValueQueryStringParameters: null,
  body: body instanceof Uint8Array ? Buffer.from(body).toString('base64') : body ? JSON.stringify(body) : null,
  isBase64Encoded: body instanceof Uint8Array,
});

const json = <T>({ body }: HttpResult): T => JSON.parse(body) as T;

beforeAll(async () => {
  bucket = await newBucket();
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: endpoint(),
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    [apiSettingNames.bucket]: bucket,
    [apiSettingNames.threads]: '1',
  });
  store = new S3Store({ bucket, client: s3ClientAt(endpoint()) });
  ({ handler } = (await import(bundle)) as { handler: Handler });
});

describe('the api function', () => {
  const lines: Record<string, unknown>[] = [];
  beforeEach(() => {
    lines.length = 0;
    vi.spyOn(console, 'log').mockImplementation(line => void lines.push(JSON.parse(line)));
  });
  afterEach(() => vi.restoreAllMocks());
  afterAll(() => vi.useRealTimers());

  it('answers 503 with a reason until a model is published, then with it', async () => {
    const before = await handler(event('POST', '/v1/segment', picture));
    expect([before.statusCode, json<{ detail: string }>(before).detail]).toEqual([
      503,
      expect.stringMatching(/no model/),
    ]);
    expect((await handler(event('GET', '/healthz'))).statusCode).toBe(200);
    await publishSmall(store);
    // What was known about the names is believed for ten seconds.
    vi.useFakeTimers({ now: Date.now() + 11_000, toFake: ['Date'] });
    const after = await handler(event('POST', '/v1/segment', picture));
    expect(after.statusCode).toBe(200);
    expect(json<{ classes: { id: number }[] }>(after).classes.map(({ id }) => id)).toEqual([1, 2, 3]);
    expect(lines.at(-1)).toMatchObject({ function: 'api', path: '/v1/segment', status: 200 });
  });

  it('answers pictures as base64, and takes images from its bucket', async () => {
    await store.put('photos/a.png', picture);
    const body = { image: { s3Uri: `s3://${bucket}/photos/a.png` } };
    const {
      statusCode,
      isBase64Encoded,
      body: mask,
    } = await handler(event('POST', '/v1/segment', body, { Accept: 'image/png' }));
    expect([statusCode, isBase64Encoded]).toEqual([200, true]);
    expect(Buffer.from(mask, 'base64').subarray(1, 4).toString()).toBe('PNG');
    const foreign = { image: { s3Uri: 's3://somebody-else/photos/a.png' } };
    expect((await handler(event('POST', '/v1/segment', foreign))).statusCode).toBe(403);
    const address = { image: { url: 'http://169.254.169.254/latest/meta-data/' } };
    expect((await handler(event('POST', '/v1/segment', address))).statusCode).toBe(403);
  });

  it('takes up another model when current.json moves', async () => {
    await publishSmall(store, { version: 'v2', clusters: 5 });
    vi.setSystemTime(Date.now() + 11_000);
    const answer = json<{ model: { version: string } }>(await handler(event('POST', '/v1/segment', picture)));
    expect(answer.model.version).toBe('v2');
  });

  it('puts a large result behind a link that works', async () => {
    // The numbers of 1600 × 1600 pixels as text.
    const large = Buffer.from(png(painting(['rg', 'b.'], 800))).toString('base64');
    const inputs = [{ name: 'image', datatype: 'BYTES', shape: [1], data: [large] }];
    const response = await handler(event('POST', '/v2/models/small/infer', { inputs }));
    expect(response.statusCode).toBe(303);
    const { url, bytes } = json<{ url: string; bytes: number }>(response);
    expect(bytes).toBeGreaterThan(4 * 2 ** 20);
    const fetched = await fetch(url);
    expect([fetched.status, (await fetched.arrayBuffer()).byteLength]).toEqual([200, bytes]);
  });

  it('writes the request of a job once', async () => {
    const request = { images: 'datasets/d/images/', clusters: 7 };
    const create = () => handler(event('POST', '/v1/jobs', { request }, { 'Idempotency-Key': 'k' }));
    const [first, second] = [await create(), await create()];
    expect([first.statusCode, second.statusCode]).toEqual([201, 201]);
    const { id } = json<{ id: string }>(first);
    expect(json<{ id: string }>(second).id).toBe(id);
    expect(fromJson((await store.get(keys.request(id)))!)).toEqual(request);
    expect(json<{ jobs: object[] }>(await handler(event('GET', '/v1/jobs'))).jobs).toHaveLength(1);
  });

  it('needs the clients of AWS and two native packages, everything else is inside', () => {
    expect(statSync(bundle).size).toBeLessThan(1_500_000);
    const text = readFileSync(bundle, 'utf8');
    const imports = [...text.matchAll(/\bfrom\s*"([^"./][^"]*)"/g)].map(([, name]) => name!);
    const packages = imports.filter(name => !name.startsWith('node:'));
    expect([...new Set(packages)]).toEqual(['@aws-sdk/client-s3']);
    expect(text).toMatch(/\(import\.meta\.url\)\("\.\/sharp\.cjs"\)/);
    for (const name of ['sharp', 'onnxruntime-node']) {
      const scripts = readFileSync(join(dirname(bundle), `${name}.cjs`), 'utf8');
      const asked = [...scripts.matchAll(/\b(?:require|resolve)\(\s*["'`]([^"'`]*)/g)].map(([, from]) => from!);
      expect(asked.filter(from => !isBuiltin(from))).toEqual([name]);
    }
  });
});
