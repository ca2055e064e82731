/** The advance function as it is deployed, between real queues and a real bucket. */
import { readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { S3Store } from '#adapters/aws/s3-store';
import { SqsQueue } from '#adapters/aws/sqs-queue';
import { keys } from '#core/job/keys';
import type { Plan } from '#core/job/plan';
import { parseRequest } from '#core/job/request';
import { type Stage, stages } from '#core/job/stage';
import { readState } from '#pipeline/advance';
import { toJson } from '#pipeline/documents';
import { settingNames } from '#pipeline/settings';
import { clientAt, endpoint, newBucket, newQueue, newQueuePair, type QueuePair, s3ClientAt, sizeOf } from './cloud.ts';
import { drainInto, type Handler } from './event-source.ts';

const bundle = fileURLToPath(new URL('../../dist/functions/advance.mjs', import.meta.url));
const shards = Array.from({ length: 23 }, (_, i) => String(i).padStart(6, '0'));

let control: QueuePair;
let embed: string;
let store: S3Store;
let handler: Handler;

const planOf = (job: string): Plan => ({
  version: 1,
  job,
  request: parseRequest({ images: 'datasets/d/images/', restarts: 3 }),
  images: 23 * 256,
  shards,
  clusters: 5,
  fingerprints: Object.fromEntries(stages.map((stage, i) => [stage, `${i}`.repeat(8)])) as Record<Stage, string>,
});

async function finish(plan: Plan, stage: Stage, pieces: readonly string[]): Promise<void> {
  const put = (piece: string) => store.put(keys.marker(plan.job, stage, plan.fingerprints[stage], piece), toJson({}));
  await Promise.all(pieces.map(put));
}

async function bodiesIn(url: string): Promise<string[]> {
  const queue = new SqsQueue({ url, client: clientAt(endpoint()), visibilitySeconds: 100 });
  const bodies: string[] = [];
  for (;;) {
    const messages = await queue.receive(10, 0);
    if (!messages.length) return bodies.sort();
    bodies.push(...messages.map(({ body }) => body));
  }
}

const controlMessage = (job: string, more = {}) => JSON.stringify({ v: 1, job, stage: 'advance', ...more });
const send = (bodies: string[]) => new SqsQueue({ url: control.url, client: clientAt(endpoint()) }).send(bodies);

beforeAll(async () => {
  const bucket = await newBucket();
  control = await newQueuePair(1, 2);
  embed = await newQueue({});
  const other = await newQueue({});
  const workQueues = Object.fromEntries(stages.map(stage => [stage, stage === 'embed' ? embed : other]));
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: endpoint(),
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    [settingNames.bucket]: bucket,
    [settingNames.workQueues]: JSON.stringify(workQueues),
    [settingNames.controlQueue]: control.url,
    [settingNames.liveQueue]: other,
  });
  store = new S3Store({ bucket, client: s3ClientAt(endpoint()) });
  ({ handler } = (await import(bundle)) as { handler: Handler });
});

describe('the advance function', () => {
  const lines: Record<string, unknown>[] = [];
  beforeEach(() => {
    lines.length = 0;
    vi.spyOn(console, 'log').mockImplementation(line => void lines.push(JSON.parse(line)));
  });
  afterEach(() => vi.restoreAllMocks());

  it('sends the next wave once, whatever the number of messages', async () => {
    const plan = planOf('once');
    await store.put(keys.plan('once'), toJson(plan));
    await finish(plan, 'attend', ['head']);
    await send(Array.from({ length: 12 }, () => controlMessage('once')));
    expect(await drainInto(handler, control.url)).toBeGreaterThan(1);
    const expected = shards.map(piece => JSON.stringify({ v: 1, job: 'once', stage: 'embed', piece }));
    expect(await bodiesIn(embed)).toEqual(expected);
    expect((await readState(store, 'once'))?.state).toMatchObject({ stage: 'embed', error: null });
  });

  it('asks again for what is missing where it is told that the queue forgot', async () => {
    const plan = planOf('again');
    await store.put(keys.plan('again'), toJson(plan));
    await finish(plan, 'attend', ['head']);
    await finish(plan, 'embed', shards.slice(2));
    await send([controlMessage('again'), controlMessage('again', { resume: true })]);
    await drainInto(handler, control.url);
    const pieces = (await bodiesIn(embed)).map(body => (JSON.parse(body) as { piece: string }).piece);
    expect([...new Set(pieces)]).toEqual(['000000', '000001']);
  });

  it('lets one bad message hold up no other, and ends it in the dead-letter queue', async () => {
    const plan = planOf('good');
    await store.put(keys.plan('good'), toJson(plan));
    const work = JSON.stringify({ v: 1, job: 'good', stage: 'embed', piece: '000000' });
    await send(['no JSON', work, controlMessage('unplanned'), controlMessage('good')]);
    await drainInto(handler, control.url);
    expect((await readState(store, 'good'))?.state.stage).toBe('attend');
    expect((await readState(store, 'unplanned'))?.state).toMatchObject({ stage: 'failed' });
    expect(await sizeOf(control.deadLetters)).toBe(3);
    expect(lines).toContainEqual(
      expect.objectContaining({ function: 'advance', job: 'good', stage: 'attend', messages: 1 }),
    );
    expect(lines.filter(({ error }) => error).length).toBe(6);
    for (const line of lines) expect(line.requestId).toMatch(/^request-\d+$/);
  });

  it('is one file below 1 MB that needs the AWS clients alone', () => {
    expect(statSync(bundle).size).toBeLessThan(1_000_000);
    const imports = [...readFileSync(bundle, 'utf8').matchAll(/\bfrom\s*"([^"./][^"]*)"/g)].map(([, name]) => name!);
    expect(imports).toContain('@aws-sdk/client-s3');
    expect(imports.filter(name => !name.startsWith('node:') && !name.startsWith('@aws-sdk/client-'))).toEqual([]);
  });
});
