/** Door: every minute: what waits in each queue as a metric, and a look after jobs and images that wait. */
import { metrics } from '#pipeline/settings';
import { sweep } from '#pipeline/sweep';
import { openCloud } from './cloud.ts';
import type { LambdaContext } from './sqs-event.ts';

const { ports, queues, live, depths, log, settings } = openCloud('backlog');

/** @throws Error if a queue could not be counted, so that the alarm on failed invocations sees it */
export async function handler(_event: unknown, { awsRequestId }: LambdaContext): Promise<void> {
  const { jobs, held } = await sweep(ports, queues, live);
  for (const job of jobs) log.say({ requestId: awsRequestId, ...job });
  log.measure(settings.environment, null, [{ name: metrics.held, value: held.waiting, unit: 'Count' }]);
  const counted = await Promise.allSettled(
    depths.map(async ([name, queue]) => {
      const backlog = { name: metrics.backlog, value: await queue.depth(), unit: 'Count' } as const;
      log.measure(settings.environment, ['Queue', name], [backlog]);
    }),
  );
  for (const result of counted) if (result.status === 'rejected') throw result.reason;
}
