/** The documented commands, run for real against the server: bootstrap, deploy of both stacks, and what they made put to use. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  HeadBucketCommand,
  PutBucketNotificationConfigurationCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { GetQueueUrlCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { queueNames, triggers } from '#pipeline/settings';
import { stageApi } from '../../infra/api-bundle.ts';
import { clientAt, endpoint, s3ClientAt } from './cloud.ts';

// Everything is zipped and sent, as with a real account.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const account = '123456789012';
/** Not dev: its buckets are emptied by a function of CDK's, which this server does not run and waits for for ever. */
const bucket = `selflabel-staging-${account}-us-east-1`;
const outputs = join(mkdtempSync(join(tmpdir(), 'selflabel-deploy-')), 'outputs.json');

/** By name, not by number: the server takes addresses of templates apart. */
const server = () => endpoint().replace('127.0.0.1', 'localhost');

async function cdk(...words: string[]): Promise<string> {
  const shim = join(root, 'test/aws/localhost-names.cjs');
  const output = mkdtempSync(join(tmpdir(), 'selflabel-cdk-'));
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
      output,
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
  // Without this the server would want Docker for functions.
  await fetch(`${endpoint()}/moto-api/config`, {
    method: 'POST',
    body: JSON.stringify({ lambda: { use_docker: false } }),
  });
  await cdk('bootstrap', `aws://${account}/us-east-1`);
  await cdk(
    ...['deploy', '--all', '--method=direct', '--require-approval', 'never', '--outputs-file', outputs],
    ...['-c', 'env=staging', '-c', 'image=public.ecr.aws/example/selflabel:1'],
  );
});

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

  it('hears uploads that start something, and no others', async () => {
    // The server leaves out what a template says of notifications: it is sent again, queue by queue.
    const arn = (queue: string) => `arn:aws:sqs:us-east-1:${account}:selflabel-staging-${queue}`;
    await s3().send(
      new PutBucketNotificationConfigurationCommand({
        Bucket: bucket,
        NotificationConfiguration: {
          QueueConfigurations: triggers.map(({ queue, prefix, suffix }) => ({
            QueueArn: arn(queue),
            Events: ['s3:ObjectCreated:*'],
            Filter: {
              Key: {
                FilterRules: [
                  { Name: 'prefix' as const, Value: prefix },
                  ...(suffix ? [{ Name: 'suffix' as const, Value: suffix }] : []),
                ],
              },
            },
          })),
        },
      }),
    );
    const put = (Key: string) => s3().send(new PutObjectCommand({ Bucket: bucket, Key, Body: '{}' }));
    for (const key of [
      'jobs/j/request.json',
      'jobs/j/state.json',
      'live/m/a b.jpg',
      'submissions/free-50/a.zip',
      'datasets/d/images/a.jpg',
    ])
      await put(key);
    const keysIn = async (queue: string) => {
      const query = { QueueUrl: await addressOf(queue), MaxNumberOfMessages: 10 };
      const { Messages = [] } = await sqs().send(new ReceiveMessageCommand(query));
      return Messages.flatMap(
        ({ Body }) => (JSON.parse(Body!).Records ?? []) as { s3: { object: { key: string } } }[],
      ).map(({ s3 }) => decodeURIComponent(s3.object.key.replaceAll('+', ' ')));
    };
    expect(await keysIn('plan')).toEqual(['jobs/j/request.json']);
    expect(await keysIn('submissions')).toEqual(['submissions/free-50/a.zip']);
    expect(await keysIn('live-events')).toEqual(['live/m/a b.jpg']);
  });

  it('is what the templates say: a second deployment changes nothing', async () => {
    const again = ['deploy', '--all', '--method=direct', '--require-approval', 'never', '-c', 'env=staging'];
    const said = await cdk(...again, '-c', 'image=public.ecr.aws/example/selflabel:1');
    expect(said.match(/\(no changes\)/g)).toHaveLength(2);
  });
});
