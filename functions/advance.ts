/** Door: "piece finished" messages in, the next wave's messages out. */
import { S3Store } from '#adapters/aws/s3-store';
import { SqsQueue } from '#adapters/aws/sqs-queue';
import { systemClock } from '#adapters/local/system-clock';
import { stages } from '#core/job/stage';
import { advanceBatch } from '#pipeline/advance-batch';
import type { Queues } from '#pipeline/queues';
import { readSettings } from '#pipeline/settings';
import type { LambdaContext, SqsBatchResponse, SqsEvent } from './sqs-event.ts';

const { bucket, workQueues, controlQueue } = readSettings(process.env);
const ports = { store: new S3Store({ bucket }), clock: systemClock };
const work = new Map(stages.map(stage => [stage, new SqsQueue({ url: workQueues[stage] })]));
const queues: Queues = { work: stage => work.get(stage)!, control: new SqsQueue({ url: controlQueue }) };

export async function handler({ Records }: SqsEvent, { awsRequestId }: LambdaContext): Promise<SqsBatchResponse> {
  const items = Records.map(({ messageId, body }) => ({ id: messageId, body }));
  const outcomes = await advanceBatch(ports, queues, items);
  for (const { ids, ...outcome } of outcomes) {
    console.log(JSON.stringify({ function: 'advance', requestId: awsRequestId, messages: ids.length, ...outcome }));
  }
  const failed = outcomes.filter(({ error }) => error !== undefined);
  return { batchItemFailures: failed.flatMap(({ ids }) => ids.map(itemIdentifier => ({ itemIdentifier }))) };
}
