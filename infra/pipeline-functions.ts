/** The functions of the pipeline, one per row of `functions`. */
import { join } from 'node:path';
import { Duration } from 'aws-cdk-lib';
import { Rule, Schedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets';
import { Architecture, Code, LayerVersion, Runtime } from 'aws-cdk-lib/aws-lambda';
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { stages } from '#core/job/stage';
import {
  type FunctionName,
  functionNames,
  functions,
  type QueueName,
  queueNames,
  settingNames,
} from '#pipeline/settings';
import { functionAccess, hiddenMasks } from './access.ts';
import type { Alarms } from './alarms.ts';
import { Door } from './door.ts';
import type { Environment } from './environment.ts';
import { allowKeys, allowMeasuring, allowSending } from './permissions.ts';
import type { Queues } from './queues.ts';

export interface PipelineFunctionsProps {
  readonly environment: Environment;
  readonly alarms: Alarms;
  /** `dist` of this project. */
  readonly dist: string;
  readonly bucket: Bucket;
  /** The masks that submitters must not see. */
  readonly masks: Bucket;
  readonly queues: Queues;
  readonly settings: Readonly<Record<string, string>>;
}

/** Which queues each function sends to. A planned or finished job goes on by word to `advance`. */
const sendsTo: Readonly<Record<FunctionName, readonly QueueName[]>> = {
  plan: ['plan', 'control'],
  'fan-out': ['live'],
  advance: stages,
  publish: ['control'],
  backlog: [...stages, 'live'],
  score: [],
};

export class PipelineFunctions extends Construct {
  constructor(scope: Construct, id: string, props: PipelineFunctionsProps) {
    super(scope, id);
    const pictures = new LayerVersion(this, 'Pictures', {
      code: Code.fromAsset(join(props.dist, 'layers/sharp')),
      compatibleArchitectures: [Architecture.X86_64],
      compatibleRuntimes: [Runtime.NODEJS_24_X],
      description: 'sharp and libvips for Linux on x86-64',
    });
    for (const name of functionNames) this.#add(name, pictures, props);
  }

  #add(name: FunctionName, layer: LayerVersion, props: PipelineFunctionsProps): void {
    const { environment, alarms, bucket, masks, queues } = props;
    const scores = name === 'score';
    const settings = { ...props.settings, ...(scores && { [settingNames.masksBucket]: masks.bucketName }) };
    const { pictures, source, timeoutSeconds, memoryMb, batchSize, batchWindowSeconds } = functions[name];
    const door = new Door(this, name, {
      ...{ environment, alarms, name, timeoutSeconds, memoryMb, settings },
      code: bundleOf(props.dist, name),
      architecture: pictures ? Architecture.X86_64 : Architecture.ARM_64,
      ...(pictures && { layers: [layer] }),
    });
    allowKeys(door.role, bucket, functionAccess[name]);
    if (scores) allowKeys(door.role, masks, hiddenMasks, 'Masks');
    allowSending(
      door.role,
      sendsTo[name].map(queue => queues.queue(queue)),
    );
    if (source === 'schedule') {
      allowMeasuring(
        door.role,
        queueNames.map(queue => queues.queue(queue)),
      );
      everyMinute(this, door);
      return;
    }
    door.function.addEventSource(
      new SqsEventSource(queues.queue(source), {
        batchSize,
        maxBatchingWindow: Duration.seconds(batchWindowSeconds),
        reportBatchItemFailures: true,
        // The fewest that AWS takes, where one would do: more would only meet at the same objects.
        maxConcurrency: name === 'plan' || name === 'publish' ? 10 : 2,
      }),
    );
  }
}

/** One file and its map: other functions' changes leave this one's code alone. */
export const bundleOf = (dist: string, name: string): Code =>
  Code.fromAsset(join(dist, 'functions'), { exclude: ['*', `!${name}.mjs`, `!${name}.mjs.map`] });

function everyMinute(scope: Construct, door: Door): void {
  const rule = new Rule(scope, 'EveryMinute', { schedule: Schedule.rate(Duration.minutes(1)) });
  // The next minute measures anew.
  rule.addTarget(new LambdaFunction(door.function, { retryAttempts: 0 }));
}
