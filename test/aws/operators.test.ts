/** The commands of operators against an S3 and SQS server: pushed, submitted, watched, pulled, and the folder is that of `run`. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { S3Store } from '#adapters/aws/s3-store';
import { SqsQueue } from '#adapters/aws/sqs-queue';
import { MemoryQueue } from '#adapters/local/memory-queue';
import { systemClock } from '#adapters/local/system-clock';
import { OnnxRuntime } from '#adapters/onnxruntime/onnx-runtime';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { keys } from '#core/job/keys';
import { failJob, readState } from '#pipeline/advance';
import { runMessage } from '#pipeline/stages';
import { writeSceneFolder } from '../../cli/scene-folder.ts';
import { done, selflabel } from '../command-line.ts';
import { portsOf } from '../pipeline/small-job.ts';
import { filesBelow } from '../result-folder.ts';
import { scratchRoom } from '../scratch-rooms.ts';
import { clientAt, endpoint, newBucket, newQueue, s3ClientAt, sizeOf } from './cloud.ts';

const room = scratchRoom();
const images = join(room, 'world', 'images');
const masks = join(room, 'world', 'masks');
const local = join(room, 'local');
const shaping = ['--clusters', '3', '--restarts', '2'];
const machine = { models: new OnnxRuntime(), images: new SharpCodec() };
afterAll(() => machine.models.close());

let bucket: string;
let store: S3Store;

beforeAll(async () => {
  bucket = await newBucket();
  store = new S3Store({ bucket, client: s3ClientAt(endpoint()) });
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: endpoint(),
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_EC2_METADATA_DISABLED: 'true',
  });
  await writeSceneFolder(machine.images, join(room, 'world'), 10, 6);
  mkdirSync(join(images, 'ordner'));
  writeFileSync(join(images, 'ordner', 'kein bild+#ä.txt'), 'text');
  await done('run', images, '--out', local, '--masks', masks, ...shaping);
});

const at = (path: string) => `s3://${bucket}/${path}`;

/** What the tasks and functions in the cloud would do with a request. */
async function work(job: string): Promise<void> {
  const queue = new MemoryQueue();
  const say = (more: object) => JSON.stringify({ v: 1, job, ...more });
  await queue.send([say({ stage: 'plan', piece: 'plan' }), say({ stage: 'advance', resume: true })]);
  for (;;) {
    const [message] = await queue.receive(1, 0);
    if (!message) return;
    await runMessage(portsOf(machine, store, systemClock), { work: () => queue, control: queue }, message.body);
    await queue.delete(message.receipt);
  }
}

/** Every file people get, the report's page and what names time or place left out. */
function filesOf(folder: string): Map<string, string> {
  const files = filesBelow(folder).filter(
    name => !name.startsWith('jobs/') && !name.startsWith('.selflabel') && name !== 'report/index.html',
  );
  const left: Record<string, string[]> = { 'receipt.json': ['timing'], 'metrics.json': ['seconds'] };
  const tops = ['labels', 'report', 'model', 'classes.json', 'clusters.csv', 'merges.json', 'near-duplicates.csv'];
  const wanted = files.filter(name => left[name] || tops.includes(name.split('/')[0]!));
  return new Map(
    wanted.map(name => {
      const bytes = readFileSync(join(folder, name));
      if (name === 'model/card.json') return [name, 'card'];
      if (!left[name]) return [name, bytes.toString('base64')];
      const document = JSON.parse(bytes.toString()) as Record<string, unknown>;
      return [name, JSON.stringify({ ...document, ...Object.fromEntries(left[name].map(key => [key, 0])) })];
    }),
  );
}

describe.each(['never', 'always'])('a job pushed with --pack %s', pack => {
  const dataset = `d-${pack}`;
  const job = `job-${pack}`;
  const out = join(room, `out-${pack}`);
  const push = () => done('push', images, at(`datasets/${dataset}`), '--masks', masks, '--pack', pack, '--json');
  const submit = () => done('submit', at(`datasets/${dataset}`), '--job', job, '--masks', ...shaping, '--json');

  it('is pushed once, submitted once, worked off, and pulled with the bytes of a local run', {
    timeout: 400_000,
  }, async () => {
    const first = JSON.parse(await push());
    expect(first).toMatchObject({ unchanged: 0, unreadable: [], archives: pack === 'always' ? 1 : 0 });
    expect(JSON.parse(await push())).toMatchObject({ written: 0, unchanged: first.written });
    expect(JSON.parse(await submit())).toMatchObject({ outcome: 'submitted', place: at(`jobs/${job}`) });
    expect(JSON.parse(await submit())).toMatchObject({ outcome: 'there' });
    expect(await done('status', at(`jobs/${job}`))).toContain(`${job}: waiting`);
    expect((await selflabel('pull', at(`jobs/${job}`), '--out', out)).err).toContain('has not begun');

    await work(job);
    const status = await done('status', at(`jobs/${job}`), '--watch');
    expect(status).toMatch(/done, 11 images[\s\S]*embed +█{24} +2 of 2[\s\S]*1 rejected so far, took/);
    await done('pull', at(`jobs/${job}`), '--out', out);
    expect(filesOf(out)).toEqual(filesOf(local));
    expect(await done('status', out)).toMatch(/done\n[\s\S]*embed +█{24} +2 of 2[\s\S]*took/);

    // Half of it lost: a stamp says that nothing was finished.
    rmSync(join(out, 'jobs', job, 'collected.json'));
    rmSync(join(out, 'labels'), { recursive: true });
    await done('pull', at(`jobs/${job}`), '--out', out);
    expect(filesOf(out)).toEqual(filesOf(local));
    expect(existsSync(join(out, 'jobs', job, 'state.json'))).toBe(true);
  });
});

describe('redrive', () => {
  it('takes back failures and dead letters of one job, and puts its request again', async () => {
    await done('submit', at('datasets/d-never'), '--job', 'poor', ...shaping);
    const request = await store.head(keys.request('poor'));
    const letters = await newQueue({});
    await failJob({ store, clock: systemClock }, 'poor', 'a piece failed');
    await store.put('jobs/poor/failed/embed/12345678-000000.json', new TextEncoder().encode('{}'));
    const body = (job: string) => JSON.stringify({ v: 1, job, stage: 'embed', piece: '000000' });
    const queue = new SqsQueue({ url: letters, client: clientAt(endpoint()) });
    await queue.send([body('poor'), body('other'), 'no JSON']);

    const failed = await selflabel('status', at('jobs/poor'));
    expect([failed.code, failed.err]).toEqual([1, 'selflabel: the job failed: a piece failed\n']);
    const said = await done('redrive', at('jobs/poor'), '--dead-letters', letters, '--json');
    expect(JSON.parse(said)).toEqual({ job: 'poor', failures: ['embed/12345678-000000.json'], letters: 1 });
    expect(await sizeOf(letters)).toBe(2);
    expect((await queue.receive(10, 0)).map(message => message.body).sort()).toEqual(['no JSON', body('other')]);
    expect((await store.head('jobs/poor/failed/embed/12345678-000000.json')) ?? null).toBeNull();
    expect((await store.head(keys.request('poor')))?.size).toBe(request?.size);

    await work('poor');
    expect((await readState(store, 'poor'))?.state).toMatchObject({ stage: 'done', error: null });
    expect((await selflabel('redrive', at('jobs/poor'))).err).toContain('is done; there is nothing to redrive');
  });
});

describe('what is wrong is said', () => {
  it.each([
    [['push', 'nowhere', 's3://b/datasets/x'], 's3://b/datasets/x', 2],
    [['status', 's3://no-such-bucket-here/jobs/x'], 'there is no bucket no-such-bucket-here', 1],
    [['push', images, 's3://bucket/elsewhere/x'], 'expected s3://bucket/datasets/<name>', 2],
    [['submit', 's3://bucket/datasets/../x'], 'expected s3://bucket/datasets/<name>', 2],
  ])('%j', async (words, expected, code) => {
    const outcome = await selflabel(...(words as string[]));
    expect(outcome.err).toContain(expected);
    expect([outcome.code, outcome.out]).toEqual([code, '']);
  });

  it('a job without images, another request under the same name, mixed ways to push', async () => {
    expect((await selflabel('submit', at('datasets/nothing'))).err).toContain(
      'there are no images under datasets/nothing',
    );
    expect((await selflabel('submit', at('datasets/d-never'), '--job', 'job-never', '--seed', '9')).err).toContain(
      'there is a job job-never with another request',
    );
    const mixed = await selflabel('push', images, at('datasets/d-never'), '--pack', 'always');
    expect(mixed.err).toMatch(/lies there loose.*push to an empty place/);
  });

  it('no credentials, no region', async () => {
    const { AWS_ACCESS_KEY_ID, AWS_REGION } = process.env;
    try {
      delete process.env.AWS_ACCESS_KEY_ID;
      Object.assign(process.env, { AWS_CONFIG_FILE: '/nowhere', AWS_SHARED_CREDENTIALS_FILE: '/nowhere' });
      expect((await selflabel('status', at('jobs/job-never'))).err).toContain('no AWS credentials were found');
      delete process.env.AWS_REGION;
      expect((await selflabel('status', at('jobs/job-never'))).err).toContain('no AWS region is set');
    } finally {
      Object.assign(process.env, { AWS_ACCESS_KEY_ID, AWS_REGION });
    }
  });
});
