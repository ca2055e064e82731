/** A job and single images as people use them: files in a bucket, functions and tasks as they are bundled, and the bytes of the command line. */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { SendMessageBatchCommand, SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MemoryStore } from '#adapters/local/memory-store';
import { nodeDigest } from '#adapters/local/node-digest';
import { OnnxRuntime } from '#adapters/onnxruntime/onnx-runtime';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { decodeIndexPng, encodeIndexPng } from '#core/formats/png-index';
import { keys } from '#core/job/keys';
import type { Plan } from '#core/job/plan';
import { scene } from '#core/scenes/scene';
import { collect } from '#pipeline/collect';
import { fromJson, readJson, toJson } from '#pipeline/documents';
import type { Held } from '#pipeline/fan-out';
import type { LiveRecord } from '#pipeline/live';
import type { ObjectStore } from '#pipeline/ports';
import { done } from '../command-line.ts';
import { scratchFolder } from '../contracts/scratch-folder.ts';
import { dataFolder, dataMissing } from '../contracts/test-data.ts';
import { portsOf } from '../pipeline/small-job.ts';
import { clientAt, endpoint } from './cloud.ts';
import { WholeCloud } from './whole-cloud.ts';

const models = new OnnxRuntime();
const images = new SharpCodec();
const machine = { models, images };
const deflate = (bytes: Uint8Array, runs?: boolean) => images.deflate(bytes, runs);

let cloud: WholeCloud;
beforeAll(async () => {
  cloud = await WholeCloud.open({ tasks: ['attend', 'embed', 'cluster', 'label', 'evaluate', 'live'] });
});
afterAll(async () => {
  await cloud.close();
  await models.close();
});

/** Generated photos with masks, a copy among them and a file that is none. */
async function generatedFolder(): Promise<{ photos: string; masks: string }> {
  const folder = scratchFolder();
  const put = (file: string, bytes: Uint8Array) => {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), bytes);
  };
  for (let i = 0; i < 24; i++) {
    const { image, classes } = scene(70 + i, { width: 96, height: 64 });
    const name = `${i % 3 ? 'with space+plus' : 'b'}/ä ${i}`;
    const [jpeg, mask] = [await images.encodeJpeg(image, 90), await encodeIndexPng(classes, { highest: 12, deflate })];
    put(`photos/${name}.jpg`, jpeg);
    put(`masks/${name}.png`, mask);
    if (i === 5) put('photos/copy.jpg', jpeg);
    if (i === 5) put('masks/copy.png', mask);
  }
  put('photos/note.txt', Buffer.from('no photo'));
  return { photos: join(folder, 'photos'), masks: join(folder, 'masks') };
}

/** So many photos of a folder of folders, evenly taken, in a folder of their own. */
function somePhotos(from: string, count: number): string {
  const folder = scratchFolder();
  const files = readdirSync(from, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name).slice(from.length + 1))
    .sort();
  for (let i = 0; i < count; i++) {
    const file = files[Math.floor((i * files.length) / count)]!;
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    copyFileSync(join(from, file), join(folder, file));
  }
  return folder;
}

async function upload(folder: string, prefix: string): Promise<void> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name).slice(folder.length + 1));
  for (let i = 0; i < files.length; i += 16)
    await Promise.all(
      files.slice(i, i + 16).map(name => cloud.store.put(prefix + name, readFileSync(join(folder, name)))),
    );
}

/** What `run` leaves in DIR and must be the same from every door (interface 3): hash by file. */
async function sameBytes(read: (file: string) => Promise<Uint8Array | undefined>, files: Iterable<string>) {
  const hashes = new Map<string, string>();
  for (const file of files) {
    if (!/^(labels\/.*|(clusters|near-duplicates)\.csv|(classes|metrics|receipt)\.json|model\/model\.onnx)$/.test(file))
      continue;
    const bytes = (await read(file))!;
    const left = file === 'receipt.json' ? 'timing' : file === 'metrics.json' ? 'seconds' : undefined;
    const document = left && { ...fromJson<Record<string, unknown>>(bytes), [left]: undefined };
    hashes.set(file, nodeDigest.sha256(document ? toJson(document) : bytes));
  }
  return hashes;
}

async function fromFolder(out: string): Promise<Map<string, string>> {
  const files = readdirSync(out, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name).slice(out.length + 1));
  return sameBytes(async file => readFileSync(join(out, file)), files.sort());
}

async function fromCloud(job: string): Promise<Map<string, string>> {
  const target = new MemoryStore();
  const plan = await readJson<Plan>(cloud.store, keys.plan(job));
  await collect(portsOf(machine, cloud.store as ObjectStore, { now: () => 0 }), target, plan);
  const files: string[] = [];
  for await (const key of target.keys('')) files.push(key);
  return sameBytes(file => target.get(file), files.sort());
}

const submit = (job: string, request: object) => cloud.store.put(keys.request(job), toJson(request));

/** Events as S3 sends them, a second time. */
async function repeatEvents(model: string, names: readonly string[]): Promise<void> {
  const sqs = new SQSClient(clientAt(endpoint()));
  for (let i = 0; i < names.length; i += 10) {
    const Entries = names.slice(i, i + 10).map((name, n) => {
      const object = { key: encodeURIComponent(`live/${model}/${name}`), size: 1, eTag: 'any' };
      return { Id: String(n), MessageBody: JSON.stringify({ Records: [{ s3: { object } }] }) };
    });
    await sqs.send(new SendMessageBatchCommand({ QueueUrl: cloud.queues['live-events'].url, Entries }));
  }
}

const livePicture = async (seed: number) => images.encodeJpeg(scene(500 + seed, { width: 48, height: 32 }).image, 90);

describe('the whole cloud', () => {
  it('answers bad requests in state.json and touches nothing else', async () => {
    const bad: [string, object | string, RegExp][] = [
      ['unknown-key', { images: 'datasets/x/', colour: 'red' }, /colour/],
      ['outside', { images: 'models/x/' }, /datasets/],
      ['climbing', { images: 'datasets/../models/' }, /datasets/],
      ['million', { images: 'datasets/x/', clusters: 1_000_000 }, /clusters/],
      ['empty', { images: 'datasets/nothing/' }, /no files under datasets\/nothing/],
      ['no-json', '{"images": ', /not JSON/],
      ['huge', 'x'.repeat(2 ** 20 + 1), /small JSON document/],
    ];
    const strangers = ['jobs/a/b/request.json', 'jobs/.hidden/request.json', 'jobs/other/notes.txt'];
    for (const key of strangers) await cloud.store.put(key, toJson({ images: 'datasets/x/' }));
    for (const [job, request] of bad)
      await cloud.store.put(keys.request(job), typeof request === 'string' ? Buffer.from(request) : toJson(request));
    for (const [job, , reason] of bad) expect((await cloud.reached(job, 'failed')).error).toMatch(reason);
    const own = bad.flatMap(([job]) => [keys.request(job), keys.state(job)]);
    expect(await cloud.keys('')).toEqual([...own, ...strangers].sort());
    expect(cloud.lines.filter(line => line.includes('"ignored"'))).toHaveLength(2);
  });

  it('makes of a folder what the command line makes of it', async () => {
    const { photos, masks } = await generatedFolder();
    const out = join(scratchFolder(), 'out');
    const words = ['--clusters', '3', '--restarts', '2', '--threads', '2', '--name', 'street'];
    await upload(photos, 'datasets/d/images/');
    await upload(masks, 'datasets/d/masks/');
    const request = {
      images: 'datasets/d/images/',
      masks: 'datasets/d/masks/',
      clusters: 3,
      restarts: 2,
      name: 'street',
    };
    await cloud.store.put('live/street/early one.jpg', await livePicture(1000));
    const held = await cloud.until('the held image', async () => (await cloud.keys(keys.allHeld))[0]);
    expect(await readJson<Held>(cloud.store, held)).toMatchObject({
      model: 'street',
      images: 1,
      reason: /no model named street/,
    });
    await submit('same', request);
    await submit('same', request);
    await done('run', photos, '--out', out, '--masks', masks, ...words);
    await cloud.reached('same', 'done');
    expect(await fromCloud('same')).toEqual(await fromFolder(out));
    await cloud.until('the job is looked after no longer', async () => !(await cloud.keys(keys.allRunning)).length);
  });

  it('labels every single image once, whatever comes twice', async () => {
    const count = 300;
    const names = Array.from({ length: count }, (_, i) => `day ${i % 7}/${i}.jpg`);
    await cloud.until('the image that waited', async () => cloud.store.head('labels/street/early one.png'));
    for (let i = 0; i < count; i += 20)
      await Promise.all(
        names.slice(i, i + 20).map(async (name, n) => cloud.store.put(`live/street/${name}`, await livePicture(i + n))),
      );
    await cloud.store.put('live/street/broken.jpg', Buffer.from('no photo'));
    await repeatEvents('street', names);
    const isDone = async () =>
      (await cloud.keys('labels/street/')).filter(key => key.endsWith('.json')).length === count + 2;
    await cloud.until('a record of each image', isDone);
    await cloud.until('empty queues', async () => (await cloud.waiting()) === 0);
    const expected = [...names, 'early one.jpg'].map(name => `labels/street/${name.replace('.jpg', '.png')}`);
    const labels = (await cloud.keys('labels/street/')).filter(key => key.endsWith('.png'));
    expect(labels).toEqual(expected.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
    const inflate = (bytes: Uint8Array, limit: number) => images.inflate(bytes, limit);
    const map = await decodeIndexPng((await cloud.store.get(labels[0]!))!, inflate, labels[0]);
    expect([map.width, map.height]).toEqual([48, 32]);
    const broken = await readJson<LiveRecord>(cloud.store, 'labels/street/broken.json');
    expect(broken.image).toMatchObject({ state: 'rejected', reason: expect.any(String) });
    const labelled = cloud.lines.flatMap(line =>
      line.includes('"known"') ? [JSON.parse(line) as Record<string, number>] : [],
    );
    expect(labelled.reduce((sum, { labelled = 0 }) => sum + labelled, 0)).toBe(count + 1);
  });

  it('prints lines and metrics that CloudWatch can read', () => {
    const documents = cloud.lines.map(line => JSON.parse(line) as Record<string, unknown>);
    const planned = documents.find(({ job, outcome }) => job === 'same' && outcome === 'planned');
    expect(planned).toMatchObject({
      function: 'plan',
      environment: 'test',
      stage: 'plan',
      requestId: expect.any(String),
    });
    const finished = documents.find(({ stage, piece }) => stage === 'embed' && piece === '000000');
    expect(finished).toMatchObject({ task: 'embed', images: 26 });
    const metrics = documents.filter(({ _aws }) => _aws);
    expect(metrics).toContainEqual(expect.objectContaining({ Environment: 'test', Queue: 'embed', Backlog: 0 }));
    expect(metrics).toContainEqual(expect.objectContaining({ Environment: 'test', Stage: 'label', Pieces: 1 }));
  });

  describe.skipIf(dataMissing)(`with real photos${dataMissing}`, () => {
    it('makes of 300 photos, pushed, watched and pulled, what `run` makes of them', { timeout: 500_000 }, async () => {
      const folder = somePhotos(join(dataFolder, 'images/caltech101-a'), 300);
      const [out, pulled] = [join(scratchFolder(), 'out'), join(scratchFolder(), 'pulled')];
      const at = (path: string) => `s3://${cloud.bucket}/${path}`;
      const shaping = ['--clusters', '10', '--restarts', '2', '--name', 'photos'];
      Object.assign(process.env, {
        ...{ AWS_ENDPOINT_URL: endpoint(), AWS_REGION: 'us-east-1' },
        ...{ AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test', AWS_EC2_METADATA_DISABLED: 'true' },
      });
      await done('push', folder, at('datasets/c'));
      await done('submit', at('datasets/c'), '--job', 'photos', ...shaping);
      const watched = done('status', at('jobs/photos'), '--watch');
      await done('run', folder, '--out', out, '--threads', '2', ...shaping);
      expect(await watched).toMatch(/done, 300 images/);
      await done('pull', at('jobs/photos'), '--out', pulled);
      expect(await fromFolder(pulled)).toEqual(await fromFolder(out));
    });

    it('finds 300 classes in them, in label maps of sixteen bits', { timeout: 500_000 }, async () => {
      // Under the same name: what was embedded for ten classes is not embedded again.
      await submit('photos', { images: 'datasets/c/images/', clusters: 300, restarts: 1, name: 'photos' });
      const isPublished = async () => {
        const plan = await readJson<Plan>(cloud.store, keys.plan('photos'));
        const marker = keys.marker('photos', 'publish', plan.fingerprints.publish, 'publish');
        return plan.clusters === 300 && (await cloud.store.head(marker)) && plan;
      };
      const plan = await cloud.until('the job with 300 classes', isPublished, 400);
      const target = new MemoryStore();
      await collect(portsOf(machine, cloud.store, { now: () => 0 }), target, plan);
      const { classes } = await readJson<{ classes: object[] }>(target, 'classes.json');
      expect(classes).toHaveLength(300);
      const inflate = (bytes: Uint8Array, limit: number) => images.inflate(bytes, limit);
      let highest = 0;
      for await (const key of target.keys('labels/')) {
        const { ids } = await decodeIndexPng((await target.get(key))!, inflate, key);
        for (const id of ids) highest = Math.max(highest, id);
      }
      expect(highest).toBeGreaterThan(255);
      expect(highest).toBeLessThanOrEqual(300);
    });
  });
});
