/** Door: events of single images in, batches for the task `live` out. */
import { fanOut } from '#pipeline/fan-out';
import { openCloud } from './cloud.ts';
import { failedItems, type LambdaContext, type SqsBatchResponse, type SqsEvent } from './sqs-event.ts';

const { ports, live, log } = openCloud('fan-out');

export async function handler({ Records }: SqsEvent, { awsRequestId }: LambdaContext): Promise<SqsBatchResponse> {
  const items = Records.map(({ messageId, body }) => ({ id: messageId, body }));
  const outcomes = await fanOut(ports, live, items);
  for (const { ids, ...outcome } of outcomes)
    log.say({ requestId: awsRequestId, stage: 'live', messages: ids.length, ...outcome });
  return failedItems(outcomes.flatMap(({ ids, outcome }) => (outcome === 'failed' ? ids : [])));
}
