/** What every function works with, from its environment: the bucket, the queues, the log. */
import { S3Store } from '#adapters/aws/s3-store';
import { SqsQueue } from '#adapters/aws/sqs-queue';
import { StructuredLog } from '#adapters/aws/structured-log';
import { nodeDigest } from '#adapters/local/node-digest';
import { systemClock } from '#adapters/local/system-clock';
import { stages } from '#core/job/stage';
import type { Queues } from '#pipeline/queues';
import { type FunctionName, readSettings } from '#pipeline/settings';

export function openCloud(name: FunctionName) {
  const settings = readSettings(process.env);
  const { bucket, workQueues, controlQueue, liveQueue, environment } = settings;
  const work = new Map(stages.map(stage => [stage, new SqsQueue({ url: workQueues[stage] })]));
  const control = new SqsQueue({ url: controlQueue });
  const live = new SqsQueue({ url: liveQueue });
  const queues: Queues = { work: stage => work.get(stage)!, control };
  return {
    settings,
    ports: { store: new S3Store({ bucket }), clock: systemClock, digest: nodeDigest },
    queues,
    live,
    /** By name, for the backlog. */
    depths: [...work, ['control', control] as const, ['live', live] as const],
    log: new StructuredLog({ function: name, environment }),
  };
}
