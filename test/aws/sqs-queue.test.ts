import { setTimeout as pause } from 'node:timers/promises';
import { SqsQueue } from '#adapters/aws/sqs-queue';
import { queueContract } from '../contracts/queue.ts';
import { clientAt, endpoint, newQueue, quickPatience } from './cloud.ts';

queueContract('SqsQueue', async () => {
  const visibilitySeconds = 3;
  const url = await newQueue({ VisibilityTimeout: String(visibilitySeconds) });
  const queue = new SqsQueue({ url, client: clientAt(endpoint()), patience: quickPatience });
  return { queue, visibilitySeconds, elapse: seconds => pause(seconds * 1000) };
});
