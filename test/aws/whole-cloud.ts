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
  readonly #options: CloudOptions;
  readonly #processes = new Map<string, ChildProcess>();
  #closed = false;

  private constructor(bucket: string, queues: Readonly<Record<QueueName, QueuePair>>, options: CloudOptions) {
    this.bucket = bucket;
    this.queues = queues;
    this.#options = options;
    this.store = new S3Store({ bucket, client: s3ClientAt(endpoint()) });
  }

  static async open(options: CloudOptions): Promise<WholeCloud> {
    const bucket = await newBucket();
    const pairs = await Promise.all(
      queueNames.map(
        async name => [name, await newQueuePair(options.visibilitySeconds ?? 30, options.maxReceives ?? 5)] as const,
      ),
    );
    const cloud = new WholeCloud(bucket, Object.fromEntries(pairs) as Record<QueueName, QueuePair>, options);
    await cloud.#notify();
    for (const name of cloud.names) cloud.start(name);
    return cloud;
  }

  /** `functions`, and the tasks. */
  get names(): string[] {
    return ['functions', ...this.#options.tasks];
  }

  start(name: string): void {
    const script = name === 'functions' ? 'test/aws/lambda-host.mjs' : 'dist/gpu-task/task.mjs';
    const child = spawn(process.execPath, [root + script], {
      env: { ...this.#environment(), ...(name !== 'functions' && { [settingNames.task]: name }) },
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

  #environment(): Record<string, string | undefined> {
    const through = this.#options.through ?? endpoint();
    const at = (name: QueueName) => this.queues[name].url.replace(endpoint(), through);
    const sources = functionNames.flatMap(name => {
      const { source } = functions[name];
      return source === 'schedule' ? [] : [[name, at(source)]];
    });
    return {
      PATH: process.env.PATH,
      NODE_NO_WARNINGS: '1',
      AWS_ENDPOINT_URL: through,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      SOURCES: JSON.stringify(Object.fromEntries(sources)),
      [settingNames.bucket]: this.bucket,
      [settingNames.masksBucket]: this.bucket,
      [settingNames.workQueues]: JSON.stringify(Object.fromEntries(stages.map(stage => [stage, at(stage)]))),
      [settingNames.controlQueue]: at('control'),
      [settingNames.liveQueue]: at('live'),
      [settingNames.environment]: 'test',
      [settingNames.threads]: '2',
      [settingNames.visibility]: String(this.#options.visibilitySeconds ?? 30),
    };
  }

  async #notify(): Promise<void> {
    const QueueConfigurations = await Promise.all(
      triggers.map(async ({ queue, prefix, suffix }) => ({
        QueueArn: (await attributesOf(this.queues[queue].url)).QueueArn!,
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
    await new S3Client(s3ClientAt(endpoint())).send(
      new PutBucketNotificationConfigurationCommand({
        Bucket: this.bucket,
        NotificationConfiguration: { QueueConfigurations },
      }),
    );
  }
}
