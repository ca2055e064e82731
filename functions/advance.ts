/** Door: "piece finished" messages in, the next wave's messages out. */
import { advanceBatch } from '#pipeline/advance-batch';
import { openCloud } from './cloud.ts';
import { failedItems, type LambdaContext, type SqsBatchResponse, type SqsEvent } from './sqs-event.ts';

const { ports, queues, log } = openCloud('advance');

export async function handler({ Records }: SqsEvent, { awsRequestId }: LambdaContext): Promise<SqsBatchResponse> {
  const items = Records.map(({ messageId, body }) => ({ id: messageId, body }));
  const outcomes = await advanceBatch(ports, queues, items);
  for (const { ids, ...outcome } of outcomes) log.say({ requestId: awsRequestId, messages: ids.length, ...outcome });
  return failedItems(outcomes.flatMap(({ ids, error }) => (error === undefined ? [] : ids)));
}
