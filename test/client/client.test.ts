/** The typed client against the real service; every request and answer is held against the API's description. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inflateSync } from 'node:zlib';
import { afterEach, describe, expect, expectTypeOf, test } from 'vitest';
import { decodeIndexPng } from '#core/formats/png-index';
import type { ApiProblem, Image, Segmentation } from '../../client/index.ts';
import { SegmentationClient } from '../../client/index.ts';
import { closesApi, png } from '../pipeline/serve/api-world.ts';
import { painting, publishSmall } from '../pipeline/serve/small-model.ts';
import { scratchRoom } from '../scratch-rooms.ts';
import { checkedFetch } from './contract-check.ts';
import { contractTypes } from './contract-types.ts';
import { servedModel, servedWorld } from './served.ts';

closesApi();
const root = fileURLToPath(new URL('../..', import.meta.url));
/** Left half red, right half green, a black row below. */
const picture = painting(['rg', '..'], 32);
const file = png(picture);

const found: string[] = [];
afterEach(() => expect(found.splice(0), 'what the description does not allow').toEqual([]));

describe('types', () => {
  test('are those of the description (else: npx tsx test/client/write-contract.ts)', () => {
    const plain = (text: string) => text.replace(/\s+/g, '').replace(/([=:(<])\|/g, '$1');
    const [written, described] = [readFileSync(`${root}client/contract.ts`, 'utf8'), contractTypes()].map(plain);
    expect(written === described).toBe(true);
  });

  test('say what they should', () => {
    expectTypeOf<Segmentation['segments'][number]['box']>().toEqualTypeOf<readonly [number, number, number, number]>();
    expectTypeOf<{ s3Uri: string }>().toExtend<Image>();
    expectTypeOf<{ path: string }>().not.toExtend<Image>();
  });

  test('the package exports the client with its types, for programs without Node', async () => {
    const room = scratchRoom();
    mkdirSync(join(room, 'node_modules'));
    symlinkSync(root, join(room, 'node_modules/selflabel'));
    writeFileSync(
      join(room, 'page.ts'),
      `import { ApiProblem, SegmentationClient, type Segmentation } from 'selflabel/client';
export const shares = async (file: File): Promise<number[]> => {
  const result: Segmentation = await new SegmentationClient(location.href, { fetch }).segment(file, { outputs: ['rle'] });
  return result.classes.map(one => one.share);
};
export const kindOf = (error: unknown): string => (error instanceof ApiProblem ? error.kind : '');
// @ts-expect-error there is no such output
export const wrong = new SegmentationClient('http://localhost').segment(new Blob(), { outputs: ['picture'] });
`,
    );
    const options = [
      '--noEmit',
      '--strict',
      '--module',
      'nodenext',
      '--target',
      'es2022',
      '--lib',
      'es2023,dom,dom.iterable',
    ];
    execFileSync(process.execPath, [`${root}node_modules/typescript/bin/tsc`, ...options, '--types', '', 'page.ts'], {
      cwd: room,
      stdio: 'inherit',
    });
    const built = (await import(`${root}dist/client.mjs`)) as object;
    expect(Object.keys(built).sort()).toEqual(['ApiProblem', 'SegmentationClient']);
  });
});

describe('segmentation', () => {
  const address = servedModel();
  const client = () => new SegmentationClient(address(), { fetch: checkedFetch(found) });

  test.each([
    ['a file of a browser', () => new File([file as Uint8Array<ArrayBuffer>], 'a.png', { type: 'image/png' })],
    ['a blob of unknown kind', () => new Blob([file as Uint8Array<ArrayBuffer>])],
    ['bytes', () => file],
    ['a buffer', () => new Uint8Array(file).buffer],
    ['base64', () => ({ base64: Buffer.from(file).toString('base64') })],
  ])('%s', async (_, image) => {
    const result = await client().segment(image(), { name: 'flags.png', outputs: ['rle', 'polygons'] });
    expect([result.image.name, result.image.width, result.image.height]).toEqual(['flags.png', 64, 64]);
    expect(result.classes.map(one => one.id)).toEqual([1, 2]);
    expect(result.segments.map(one => [one.classId, one.rle !== undefined, one.polygon !== undefined])).toEqual([
      [expect.any(Number), true, true],
      [expect.any(Number), true, true],
    ]);
  });

  test('parameters reach the service in the query and in JSON alike', async () => {
    for (const image of [file, { base64: Buffer.from(file).toString('base64') }]) {
      const result = await client().segment(image, { classes: [2], outputs: ['mask'], size: 32, threshold: 0.25 });
      expect(result.classes.map(one => one.id)).toEqual([2]);
      expect([result.image.width, result.mask === undefined, result.segments[0]!.rle]).toEqual([32, false, undefined]);
    }
    const bare = await client().segment(file, { outputs: [] });
    expect([bare.mask, bare.segments[0]!.rle]).toEqual([undefined, undefined]);
  });

  test('the mask as a file, outlines as GeoJSON, files of other tools', async () => {
    const mask = await decodeIndexPng(await client().segmentToPng(file), async bytes => inflateSync(bytes));
    const result = await client().segment(file);
    const pixels = (id: number) => mask.ids.filter(value => value === id).length;
    expect([1, 2].map(pixels)).toEqual(result.classes.map(one => one.pixels));
    const { features } = await client().segmentToGeoJson(file);
    expect(features.map(one => one.properties.classId).sort()).toEqual([1, 2]);
    expect(JSON.parse(await client().segmentToFile('coco', file)).annotations).toHaveLength(2);
    expect(await client().segmentToFile('cvat', file, { name: 'flags.png' })).toContain('name="flags.png"');
    expect(JSON.parse(await client().segmentToFile('label-studio', file))).toHaveLength(1);
  });

  test('a batch: one result or problem each, in order', async () => {
    const results = await client().segmentBatch(
      [{ image: file, name: 'good' }, { image: new Uint8Array([1, 2, 3]) }, { image: { base64: 'AAAA' } }],
      { outputs: ['polygons'] },
    );
    expect(results.map(one => ('segmentation' in one ? one.segmentation.image.name : one.problem.status))).toEqual([
      'good',
      422,
      422,
    ]);
  });

  test('models, and one with its classes', async () => {
    const [model] = await client().models();
    expect([model!.name, model!.classes, model!.default]).toEqual(['small', 3, true]);
    const { card, classes } = await client().model('small');
    expect([card.name, classes.map(one => one.id)]).toEqual(['small', [1, 2, 3]]);
    expect(await client().ready()).toBe(true);
  });

  test('what the service refuses is a problem with its kind, words and request id', async () => {
    const refused = async (call: Promise<unknown>) => {
      const { status, kind, requestId, message } = (await call.catch(error => error)) as ApiProblem;
      expect(requestId).toMatch(/^[\w-]{10,}$/);
      return [status, kind, message.length > 20];
    };
    expect(await refused(client().segment(new Uint8Array([1, 2, 3])))).toEqual([422, 'image-unusable', true]);
    expect(await refused(client().segment(file, { classes: [77] }))).toEqual([422, 'unprocessable', true]);
    expect(await refused(client().segment(file, { model: 'other' }))).toEqual([404, 'unknown-model', true]);
    expect(await refused(client().segment({ url: 'http://169.254.169.254/' }))).toEqual([403, 'address-refused', true]);
    expect(await refused(client().model('../card'))).toEqual([404, 'unknown-model', true]);
    found.splice(0);
    const problem = (await client()
      .segment(file, { size: 1 })
      .catch(error => error)) as ApiProblem;
    expect([problem.status, problem.errors[0]!.path]).toEqual([400, '/size']);
    expect(found.splice(0)).toEqual(['POST /v1/segment: size must be >= 16']);
  });
});

describe('jobs', () => {
  const { world, address } = servedWorld();
  const client = () => new SegmentationClient(address(), { fetch: checkedFetch(found) });

  test('a job is started once however often it is asked for, and listed', async () => {
    const request = { images: 'datasets/photos/', clusters: 50 } as const;
    const job = await client().startJob(request, { idempotencyKey: 'wish' });
    expect(job.stage).toBe('requested');
    expect(await client().startJob(request, { idempotencyKey: 'wish' })).toEqual(job);
    const other = await client().startJob(request, { id: 'zebra' });
    expect(await client().job('zebra')).toEqual(other);
    const first = await client().jobs({ limit: 1 });
    const rest = await client().jobs({ limit: 1, after: first.next! });
    expect([...first.jobs, ...rest.jobs].map(one => one.id)).toEqual([job.id, 'zebra']);
    const problem = (await client()
      .job('none')
      .catch(error => error)) as ApiProblem;
    expect([problem.status, problem.kind]).toEqual([404, 'unknown-job']);
  });

  test('until a model is published the service is not ready', async () => {
    expect(await client().ready()).toBe(false);
    expect(await client().models()).toEqual([]);
    const impatient = new SegmentationClient(address(), { fetch: checkedFetch(found), retries: 0 });
    const problem = (await impatient.segment(file).catch(error => error)) as ApiProblem;
    expect([problem.status, problem.kind]).toEqual([503, 'no-model']);
    await publishSmall(world.store);
    expect(await client().ready()).toBe(true);
  });
});

describe('patience', () => {
  /** Nothing that waiting would change, so it names no time. */
  const noStore = { type: '/problems/no-store', title: 'No jobs', status: 503, detail: 'none here', requestId: 'r' };

  /** Answers with each of these in turn, then with an empty list of models. */
  async function service(answers: readonly { status: number; wait?: string; body?: string }[]) {
    const asked: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      const answer = answers[asked.length];
      asked.push(request.headers.authorization);
      response.writeHead(answer?.status ?? 200, answer?.wait !== undefined ? { 'retry-after': answer.wait } : {});
      response.end(answer ? (answer.body ?? '') : '{"models":[]}');
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    const stop = () => new Promise(resolve => server.close(resolve).closeAllConnections());
    return { asked, stop, address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/stage` };
  }

  test('busy twice, then answered; the token is asked for anew each time', async () => {
    const { asked, stop, address } = await service([
      { status: 429, wait: '0' },
      { status: 503, wait: new Date().toUTCString() },
    ]);
    let tokens = 0;
    const client = new SegmentationClient(address, { token: async () => `t${++tokens}` });
    expect(await client.models()).toEqual([]);
    expect(asked).toEqual(['Bearer t1', 'Bearer t2', 'Bearer t3']);
    await stop();
  });

  test('what does not pass by waiting is not repeated; nor beyond the number of retries or the longest wait', async () => {
    for (const [answer, options, times] of [
      [{ status: 422 }, {}, 1],
      [{ status: 500, body: '<h1>Oops</h1>' }, {}, 1],
      [{ status: 503, wait: '31' }, {}, 1],
      [{ status: 503, body: JSON.stringify(noStore) }, {}, 1],
      [{ status: 429, wait: '0' }, { retries: 1 }, 2],
    ] as const) {
      const { asked, stop, address } = await service(Array(9).fill(answer));
      const problem = (await new SegmentationClient(address, options).models().catch(error => error)) as ApiProblem;
      expect([problem.status, asked.length]).toEqual([answer.status, times]);
      expect(problem.message).toMatch('body' in answer ? /Oops|none here/ : /no further words/);
      await stop();
    }
  });

  test('a signal ends the waiting and the request', async () => {
    const { asked, stop, address } = await service([{ status: 429, wait: '20' }]);
    const controller = new AbortController();
    const waiting = new SegmentationClient(address).models({ signal: controller.signal });
    await expect.poll(() => asked.length).toBe(1);
    controller.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    await expect(new SegmentationClient(address).models({ signal: controller.signal })).rejects.toThrow('enough');
    expect(asked).toHaveLength(1);
    await stop();
  });

  test('a service that is not there: what fetch says', async () => {
    const { stop, address } = await service([]);
    await stop();
    await expect(new SegmentationClient(address).models()).rejects.toThrow(TypeError);
  });
});
