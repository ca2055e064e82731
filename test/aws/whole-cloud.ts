/** Everything that `cdk deploy` makes and AWS runs, on this machine: bucket, queues, notifications, functions and tasks as processes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { PutBucketNotificationConfigurationCommand, S3Client } from '@aws-sdk/client-s3';
import { S3Store } from '#adapters/aws/s3-store';
import { stages } from '#core/job/stage';
import { type JobState, readState } from '#pipeline/advance';
import {
  functionNames,
  functions,
  type QueueName,
  queueNames,
  settingNames,
  type TaskName,
  triggers,
} from '#pipeline/settings';
import { attributesOf, endpoint, newBucket, newQueuePair, type QueuePair, s3ClientAt, sizeOf } from './cloud.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Where functions and tasks find their things. */
export interface Place {
  readonly bucket: string;
  readonly queues: Readonly<Record<QueueName, QueuePair>>;
  /** What all functions together, `functions`, or a task is told of them. */
  variables(name: string): Readonly<Record<string, string>>;
}

export interface CloudOptions {
  readonly tasks: readonly TaskName[];
  readonly visibilitySeconds?: number;
  readonly maxReceives?: number;
  /** What functions and tasks talk to in the server's place. */
  readonly through?: string;
}

export class WholeCloud {
  readonly bucket: string;
  readonly store: S3Store;
  readonly queues: Readonly<Record<QueueName, QueuePair>>;
  /** What functions and tasks printed. */
  readonly lines: string[] = [];
  readonly #place: Place;
  readonly #options: CloudOptions;
  readonly #processes = new Map<string, ChildProcess>();
  #closed = false;

  /** Functions and tasks at work in a place that is there. */
  constructor(place: Place, options: CloudOptions) {
    this.bucket = place.bucket;
    this.queues = place.queues;
    this.#place = place;
    this.#options = options;
    this.store = new S3Store({ bucket: this.bucket, client: s3ClientAt(endpoint()) });
    for (const name of this.names) this.start(name);
  }

  /** In a place of its own, without a deployment. */
  static async open(options: CloudOptions): Promise<WholeCloud> {
    return new WholeCloud(await newPlace(options), options);
  }

  /** `functions`, and the tasks. */
  get names(): string[] {
    return ['functions', ...this.#options.tasks];
  }

  start(name: string): void {
    const script = name === 'functions' ? 'test/aws/lambda-host.mjs' : 'dist/gpu-task/task.mjs';
    const child = spawn(process.execPath, [root + script], {
      env: this.#environment(name),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let rest = '';
    child.stdout!.on('data', (text: Buffer) => {
      const lines = (rest + text.toString()).split('\n');
      rest = lines.pop()!;
      this.lines.push(...lines);
    });
    this.#processes.set(name, child);
    child.on('exit', () => {
      // Who cannot start is not started a hundred times a second.
      setTimeout(() => {
        if (!this.#closed && this.#processes.get(name) === child) this.start(name);
      }, 200);
    });
  }

  /** Whoever ends is started again, as ECS and Lambda do. */
  kill(name: string, signal: NodeJS.Signals): void {
    this.#processes.get(name)?.kill(signal);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(
      [...this.#processes.values()].map(child => {
        const ended = new Promise(resolve => child.once('exit', resolve));
        child.kill('SIGCONT');
        child.kill('SIGKILL');
        return child.exitCode === null && child.signalCode === null ? ended : undefined;
      }),
    );
  }

  /** @throws Error with the last lines if it takes too long */
  async until<T>(what: string, look: () => Promise<T | undefined | false>, seconds = 240): Promise<T> {
    for (const end = Date.now() + seconds * 1000; Date.now() < end; ) {
      const seen = await look();
      if (seen) return seen;
      await new Promise(resolve => setTimeout(resolve, 300));
    }
    throw new Error(`${what}: not within ${seconds} s; last lines:\n${this.lines.slice(-30).join('\n')}`);
  }

  stateOf(job: string): Promise<JobState | undefined> {
    return readState(this.store, job).then(found => found?.state);
  }

  /** Waits until the job has reached this stage. */
  reached(job: string, stage: string, seconds?: number): Promise<JobState> {
    const look = async () => {
      const state = await this.stateOf(job);
      return state?.stage === stage && state;
    };
    return this.until(`job ${job} at ${stage}`, look, seconds);
  }

  async keys(prefix: string): Promise<string[]> {
    const found: string[] = [];
    for await (const key of this.store.keys(prefix)) found.push(key);
    return found;
  }

  /** Messages in all queues, hidden ones included; dead-letter queues apart. */
  async waiting(): Promise<number> {
    const sizes = await Promise.all(queueNames.map(name => sizeOf(this.queues[name].url)));
    return sizes.reduce((a, b) => a + b, 0);
  }

  #environment(name: string): Record<string, string | undefined> {
    const sources = functionNames.flatMap(each => {
      const { source } = functions[each];
      return source === 'schedule' ? [] : [[each, this.#through(this.queues[source].url)]];
    });
    const variables = Object.entries(this.#place.variables(name)).map(([key, value]) => [key, this.#through(value)]);
    return {
      PATH: process.env.PATH,
      NODE_NO_WARNINGS: '1',
      AWS_ENDPOINT_URL: this.#through(endpoint()),
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      SOURCES: JSON.stringify(Object.fromEntries(sources)),
      ...(Object.fromEntries(variables) as Record<string, string>),
    };
  }

  #through = (text: string): string => text.replaceAll(endpoint(), this.#options.through ?? endpoint());
}

/** What `cdk deploy` makes, made by hand. */
async function newPlace(options: CloudOptions): Promise<Place> {
  const bucket = await newBucket();
  const { visibilitySeconds = 30, maxReceives = 5 } = options;
  const pairs = queueNames.map(async name => [name, await newQueuePair(visibilitySeconds, maxReceives)] as const);
  const queues = Object.fromEntries(await Promise.all(pairs)) as Record<QueueName, QueuePair>;
  await notify(bucket, queues);
  const workQueues = Object.fromEntries(stages.map(stage => [stage, queues[stage].url]));
  const variables = (name: string) => ({
    [settingNames.bucket]: bucket,
    [settingNames.masksBucket]: bucket,
    [settingNames.workQueues]: JSON.stringify(workQueues),
    [settingNames.controlQueue]: queues.control.url,
    [settingNames.liveQueue]: queues.live.url,
    [settingNames.environment]: 'test',
    [settingNames.threads]: '2',
    [settingNames.visibility]: String(visibilitySeconds),
    ...(name !== 'functions' && { [settingNames.task]: name }),
  });
  return { bucket, queues, variables };
}

async function notify(bucket: string, queues: Place['queues']): Promise<void> {
  const QueueConfigurations = await Promise.all(
    triggers.map(async ({ queue, prefix, suffix }) => ({
      QueueArn: (await attributesOf(queues[queue].url)).QueueArn!,
      Events: ['s3:ObjectCreated:*' as const],
      Filter: {
        Key: {
          FilterRules: [
            { Name: 'prefix' as const, Value: prefix },
            ...(suffix ? [{ Name: 'suffix' as const, Value: suffix }] : []),
          ],
        },
      },
    })),
  );
  const NotificationConfiguration = { QueueConfigurations };
  await new S3Client(s3ClientAt(endpoint())).send(
    new PutBucketNotificationConfigurationCommand({ Bucket: bucket, NotificationConfiguration }),
  );
}
