/** The documented commands, run for real against the server: bootstrap, deploy of both stacks, and the same once more. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  HeadBucketCommand,
  PutBucketNotificationConfigurationCommand,
  type QueueConfiguration,
  S3Client,
} from '@aws-sdk/client-s3';
import { GetQueueUrlCommand, SQSClient } from '@aws-sdk/client-sqs';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { queueNames, triggers } from '#pipeline/settings';
import { stageApi } from '../../infra/api-bundle.ts';
import { clientAt, endpoint, s3ClientAt } from './cloud.ts';

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

  // That uploads arrive is shown by whole jobs, with the same table: here the server hands every event to a function at once.
  it('has queues for the events that the template names, and a bucket that takes them', async () => {
    const file = join(assembly, 'selflabel-staging-pipeline.template.json');
    const QueueConfigurations = notificationsOf(JSON.parse(readFileSync(file, 'utf8')) as Template);
    const named = QueueConfigurations.map(({ QueueArn, Filter }) => {
      const value = (wanted: string) => Filter!.Key!.FilterRules!.find(({ Name }) => Name === wanted)?.Value ?? '';
      return { queue: QueueArn!.split('selflabel-staging-')[1], prefix: value('prefix'), suffix: value('suffix') };
    });
    expect(named).toEqual(triggers);
    const NotificationConfiguration = { QueueConfigurations };
    // Refused where a queue is not there.
    await s3().send(new PutBucketNotificationConfigurationCommand({ Bucket: bucket, NotificationConfiguration }));
  });

  it('is what the templates say: a second deployment changes nothing', async () => {
    const again = ['deploy', '--all', '--method=direct', '--require-approval', 'never', '-c', 'env=staging'];
    const said = await cdk(...again, '-c', 'image=public.ecr.aws/example/selflabel:1');
    expect(said.match(/\(no changes\)/g)).toHaveLength(2);
  });
});
