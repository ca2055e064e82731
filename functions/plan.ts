/** Door: an uploaded request in, a planned job out, or a state that says what is wrong with the request. */
import { startJobs } from '#pipeline/start-job';
import { openCloud } from './cloud.ts';
import { withPictures } from './pictures.ts';
import { failedItems, type LambdaContext, type SqsBatchResponse, type SqsEvent } from './sqs-event.ts';

const cloud = openCloud('plan');
const ports = withPictures(cloud);

/** Kept for the last block of a listing and for what follows it. */
const reserveMilliseconds = 120_000;

export async function handler({ Records }: SqsEvent, context: LambdaContext): Promise<SqsBatchResponse> {
  const log = cloud.log.with({ requestId: context.awsRequestId, stage: 'plan' });
  const goesOn = () => context.getRemainingTimeInMillis() > reserveMilliseconds;
  const failed: string[] = [];
  for (const { messageId, body } of Records) {
    try {
      for (const started of await startJobs(ports, cloud.queues, body, goesOn)) log.say({ ...started });
    } catch (error) {
      log.say({ message: messageId, error: (error as Error).message });
      failed.push(messageId);
    }
  }
  return failedItems(failed);
}
