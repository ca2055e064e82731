/** One queue and one dead-letter queue per row of `queueNames`. */
import { Duration, Stack } from 'aws-cdk-lib';
import { Queue, QueueEncryption, RedrivePermission } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { type Stage, stages } from '#core/job/stage';
import { maxReceives, type QueueName, queueNames, settingNames, visibilitySeconds } from '#pipeline/settings';
import type { Environment } from './environment.ts';
import { names } from './names.ts';

export interface QueuePair {
  readonly queue: Queue;
  readonly deadLetters: Queue;
}

export class Queues extends Construct {
  readonly pairs: ReadonlyMap<QueueName, QueuePair>;

  constructor(scope: Construct, id: string, environment: Environment) {
    super(scope, id);
    this.pairs = new Map(queueNames.map(name => [name, this.#pair(environment, name)]));
  }

  pair(name: QueueName): QueuePair {
    return this.pairs.get(name)!;
  }

  queue(name: QueueName): Queue {
    return this.pair(name).queue;
  }

  /** What functions and tasks are told of the queues. */
  get settings(): Record<string, string> {
    const addresses = Object.fromEntries(stages.map((stage: Stage) => [stage, this.queue(stage).queueUrl]));
    return {
      [settingNames.workQueues]: Stack.of(this).toJsonString(addresses),
      [settingNames.controlQueue]: this.queue('control').queueUrl,
      [settingNames.liveQueue]: this.queue('live').queueUrl,
    };
  }

  #pair(environment: Environment, name: QueueName): QueuePair {
    const common = { encryption: QueueEncryption.SQS_MANAGED, enforceSSL: true, retentionPeriod: Duration.days(14) };
    // By name, since two queues that refer to each other cannot be made.
    const sourceArn = Stack.of(this).formatArn({ service: 'sqs', resource: names.queue(environment, name) });
    const source = Queue.fromQueueArn(this, `${name}-source`, sourceArn);
    const deadLetters = new Queue(this, `${name}-dead`, {
      ...common,
      queueName: names.deadLetters(environment, name),
      redriveAllowPolicy: { redrivePermission: RedrivePermission.BY_QUEUE, sourceQueues: [source] },
    });
    const queue = new Queue(this, name, {
      ...common,
      queueName: names.queue(environment, name),
      visibilityTimeout: Duration.seconds(visibilitySeconds(name)),
      deadLetterQueue: { queue: deadLetters, maxReceiveCount: maxReceives(name) },
    });
    return { queue, deadLetters };
  }
}
