/** Door: stage publish for Lambda: the receipt, the model and the report of a job. */
import { reportLastTry } from '#pipeline/last-try';
import { runMessage } from '#pipeline/stages';
import { openCloud } from './cloud.ts';
import { withPictures } from './pictures.ts';
import { failedItems, type LambdaContext, type SqsBatchResponse, type SqsEvent } from './sqs-event.ts';

const cloud = openCloud('publish');
const ports = withPictures(cloud);

export async function handler({ Records }: SqsEvent, { awsRequestId }: LambdaContext): Promise<SqsBatchResponse> {
  const failed: string[] = [];
  for (const { messageId, body, attributes } of Records) {
    const log = cloud.log.with({ requestId: awsRequestId, stage: 'publish', body });
    try {
      await runMessage(ports, cloud.queues, body);
      log.say({ outcome: 'done' });
    } catch (error) {
      log.say({ message: messageId, error: (error as Error).message });
      const receives = Number(attributes?.ApproximateReceiveCount ?? 1);
      await reportLastTry(ports, 'publish', { body, receives }, error as Error);
      failed.push(messageId);
    }
  }
  return failedItems(failed);
}
