/** The documented commands, run for real against the server: bootstrap, deploy of both stacks, and the same once more. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  DeleteObjectCommand,
  HeadBucketCommand,
  PutBucketNotificationConfigurationCommand,
  PutObjectCommand,
  type QueueConfiguration,
  S3Client,
} from '@aws-sdk/client-s3';
import { DeleteMessageCommand, GetQueueUrlCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { keys } from '#core/job/keys';
import { scene } from '#core/scenes/scene';
import { toJson } from '#pipeline/documents';
import { functions, queueNames, triggers } from '#pipeline/settings';
import { stageApi } from '../../infra/api-bundle.ts';
import { done } from '../command-line.ts';
import { scratchFolder } from '../contracts/scratch-folder.ts';
import { clientAt, endpoint, s3ClientAt, sizeOf } from './cloud.ts';
import { deployedPlace, eventSources, switchOff, useDocker } from './deployed.ts';
import { type Place, WholeCloud } from './whole-cloud.ts';

// Everything is zipped and sent, as with a real account.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const account = '123456789012';
/** Not dev: its buckets are emptied by a function of CDK's, which this server does not run and waits for for ever. */
const bucket = `selflabel-staging-${account}-us-east-1`;
const outputs = join(mkdtempSync(join(tmpdir(), 'selflabel-deploy-')), 'outputs.json');
const assembly = mkdtempSync(join(tmpdir(), 'selflabel-cdk-'));

/** By name, not by number: the server takes addresses of templates apart. */
const server = () => endpoint().replace('127.0.0.1', 'localhost');

async function cdk(...words: string[]): Promise<string> {
  const shim = join(root, 'test/aws/localhost-names.cjs');
  const { stdout, stderr } = await run(
    process.execPath,
    // What a deployment would build is there: `true` does nothing.
    [
      '--require',
      shim,
      join(root, 'node_modules/aws-cdk/bin/cdk'),
      ...words,
      '--build',
      'true',
      '--output',
      assembly,
      '--no-notices',
    ],
    {
      cwd: root,
      maxBuffer: 2 ** 26,
      env: {
        ...process.env,
        ...{ AWS_ENDPOINT_URL: server(), AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' },
        ...{ AWS_REGION: 'us-east-1', CDK_DISABLE_CLI_TELEMETRY: '1', CI: '1' },
      },
    },
  );
  return stdout + stderr;
}

beforeAll(async () => {
  stageApi(root, join(root, 'dist/api'));
  // Else the server would want Docker for functions.
  await useDocker(false);
  await cdk('bootstrap', `aws://${account}/us-east-1`);
  await cdk(
    ...['deploy', '--all', '--method=direct', '--require-approval', 'never', '--outputs-file', outputs],
    ...['-c', 'env=staging', '-c', 'image=public.ecr.aws/example/selflabel:1'],
  );
  await useDocker(true);
});

interface Template {
  readonly Resources: Record<string, { Type: string; Properties: Record<string, unknown> }>;
}
interface Notification {
  readonly Event: NonNullable<QueueConfiguration['Events']>[number];
  readonly Queue: { 'Fn::GetAtt': [string, 'Arn'] };
  readonly Filter: { S3Key: { Rules: { Name: 'prefix' | 'suffix'; Value: string }[] } };
}

/** What the template says of the bucket's events: real CloudFormation tells the bucket, the server leaves it out. */
function notificationsOf({ Resources }: Template): QueueConfiguration[] {
  const [data] = Object.values(Resources).filter(
    ({ Type, Properties }) => Type === 'AWS::S3::Bucket' && Properties.NotificationConfiguration,
  );
  const { QueueConfigurations } = data!.Properties.NotificationConfiguration as { QueueConfigurations: Notification[] };
  return QueueConfigurations.map(({ Event, Queue, Filter }) => ({
    Events: [Event],
    QueueArn: `arn:aws:sqs:us-east-1:${account}:${Resources[Queue['Fn::GetAtt'][0]]!.Properties.QueueName}`,
    Filter: { Key: { FilterRules: Filter.S3Key.Rules } },
  }));
}

interface Word {
  readonly Event?: string;
  readonly Records?: readonly { readonly s3: { readonly object: { readonly key: string } } }[];
}

/** What S3 has told the queues, taken out of them: `queue: key`. */
async function wordIn({ queues }: Place): Promise<string[]> {
  const sqs = new SQSClient(clientAt(endpoint()));
  const words: string[] = [];
  for (const [queue, { url: QueueUrl }] of Object.entries(queues))
    for (;;) {
      const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }));
      if (Messages.length === 0) break;
      for (const { Body, ReceiptHandle } of Messages) {
        const { Event, Records = [] } = JSON.parse(Body!) as Word;
        const said = Records.map(({ s3 }) => decodeURIComponent(s3.object.key.replaceAll('+', ' ')));
        words.push(...[...said, ...(Event ? [Event] : [])].map(word => `${queue}: ${word}`));
        await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
      }
    }
  return words.sort();
}

const codec = new SharpCodec();
const photo = (seed: number) => codec.encodeJpeg(scene(600 + seed, { width: 96, height: 64 }).image, 90);

describe('the deployed environment', () => {
  const s3 = () => new S3Client(s3ClientAt(endpoint()));
  const sqs = () => new SQSClient(clientAt(endpoint()));
  const addressOf = async (queue: string) =>
    (await sqs().send(new GetQueueUrlCommand({ QueueName: `selflabel-staging-${queue}` }))).QueueUrl!;

  it('says where things are', () => {
    const said = JSON.parse(readFileSync(outputs, 'utf8')) as Record<string, Record<string, string>>;
    expect(said['selflabel-staging-pipeline']).toMatchObject({ Bucket: bucket });
    expect(Object.keys(said)).toEqual(['selflabel-staging-pipeline', 'selflabel-staging-api']);
  });

  it('has its bucket and every queue, by the names that commands use', async () => {
    for (const name of [bucket, bucket.replace('staging-', 'staging-masks-')])
      await expect(s3().send(new HeadBucketCommand({ Bucket: name }))).resolves.toBeDefined();
    for (const queue of queueNames) {
      await expect(addressOf(queue)).resolves.toMatch(queue);
      await expect(addressOf(`${queue}-dead`)).resolves.toMatch(queue);
    }
  });

  it('connects every queue with the function that works it off', async () => {
    const sources = await eventSources();
    const nameOf = (arn: string) => arn.split('selflabel-staging-')[1]!;
    const said = sources.map(({ EventSourceArn, FunctionArn, BatchSize }) => [
      nameOf(FunctionArn),
      { source: nameOf(EventSourceArn), batchSize: BatchSize },
    ]);
    const wanted = Object.entries(functions).flatMap(([name, { source, batchSize }]) =>
      source === 'schedule' ? [] : [[name, { source, batchSize }]],
    );
    expect(Object.fromEntries(said)).toEqual(Object.fromEntries(wanted));
    // The server hands every message to a function that does nothing, and deletes it. From here on our own do the work.
    for (const source of sources) expect(await switchOff(source)).toMatchObject({ State: 'Disabled' });
  });

  it('sends word of uploads to the queues that the template names, and of no others', async () => {
    const file = join(assembly, 'selflabel-staging-pipeline.template.json');
    const QueueConfigurations = notificationsOf(JSON.parse(readFileSync(file, 'utf8')) as Template);
    const NotificationConfiguration = { QueueConfigurations };
    // Refused where a queue is not there.
    await s3().send(new PutBucketNotificationConfigurationCommand({ Bucket: bucket, NotificationConfiguration }));
    const place = await deployedPlace('staging', bucket);
    // S3 tries every queue once.
    expect(await wordIn(place)).toEqual(triggers.map(({ queue }) => `${queue}: s3:TestEvent`).sort());
    const heard = ['jobs/a/request.json', 'live/street/ä b+c.jpg', 'submissions/x/y.zip'];
    const unheard = [
      ...['request.json', 'jobs/a/state.json', 'jobs/a/request.json.bak', 'datasets/d/images/request.json'],
      ...['alive/street/a.jpg', 'models/live/a.jpg', 'submissions/x/y.tar', 'datasets/y.zip'],
    ];
    for (const Key of [...heard, ...unheard]) await s3().send(new PutObjectCommand({ Bucket: bucket, Key, Body: '{' }));
    expect(await wordIn(place)).toEqual([
      'live-events: live/street/ä b+c.jpg',
      'plan: jobs/a/request.json',
      'submissions: submissions/x/y.zip',
    ]);
    for (const Key of [...heard, ...unheard]) await s3().send(new DeleteObjectCommand({ Bucket: bucket, Key }));
  });

  it('does a whole job and a single image from their uploads on, told what the templates tell', async () => {
    const tasks = ['attend', 'embed', 'cluster', 'label', 'live'] as const;
    const cloud = new WholeCloud(await deployedPlace('staging', bucket), { tasks });
    try {
      for (let i = 0; i < 8; i++) await cloud.store.put(`datasets/d/images/${i}.jpg`, await photo(i));
      await cloud.store.put(
        keys.request('first'),
        toJson({ images: 'datasets/d/images/', clusters: 2, restarts: 1, name: 'street' }),
      );
      await cloud.reached('first', 'done', 400);
      await cloud.store.put('live/street/one.jpg', await photo(9));
      await cloud.until('the label of the single image', () => cloud.store.head('labels/street/one.png'));
      await cloud.until('empty queues', async () => (await cloud.waiting()) === 0);
      for (const { deadLetters } of Object.values(cloud.queues)) expect(await sizeOf(deadLetters)).toBe(0);
      const out = join(scratchFolder(), 'pulled');
      Object.assign(process.env, {
        ...{ AWS_ENDPOINT_URL: endpoint(), AWS_REGION: 'us-east-1' },
        ...{ AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' },
      });
      await done('pull', `s3://${bucket}/jobs/first`, '--out', out);
      expect(readdirSync(join(out, 'labels'))).toHaveLength(8);
    } finally {
      await cloud.close();
    }
  });

  it('is what the templates say: a second deployment changes nothing', async () => {
    const again = ['deploy', '--all', '--method=direct', '--require-approval', 'never', '-c', 'env=staging'];
    const said = await cdk(...again, '-c', 'image=public.ecr.aws/example/selflabel:1');
    expect(said.match(/\(no changes\)/g)).toHaveLength(2);
  });
});
