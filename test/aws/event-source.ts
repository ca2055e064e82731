/** What Lambda does between a queue and a function: batches in, what did not fail is deleted, what failed comes again. */
import { DeleteMessageCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { clientAt, endpoint, sizeOf } from './cloud.ts';

interface SqsEvent {
  readonly Records: readonly { readonly messageId: string; readonly body: string }[];
}

export type Handler = (
  event: SqsEvent,
  context: { readonly awsRequestId: string },
) => Promise<{ readonly batchItemFailures: readonly { readonly itemIdentifier: string }[] }>;

/** Invokes the function until nothing is left in the queue. @returns the number of invocations */
export async function drainInto(handler: Handler, url: string): Promise<number> {
  const sqs = new SQSClient(clientAt(endpoint()));
  for (let invocations = 0; ; ) {
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({ QueueUrl: url, MaxNumberOfMessages: 10, WaitTimeSeconds: 1 }),
    );
    if (Messages.length === 0) {
      if ((await sizeOf(url)) === 0) return invocations;
      continue;
    }
    const Records = Messages.map(({ MessageId, Body }) => ({ messageId: MessageId!, body: Body! }));
    const { batchItemFailures } = await handler({ Records }, { awsRequestId: `request-${++invocations}` });
    const failed = new Set(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
    for (const { MessageId, ReceiptHandle } of Messages) {
      if (!failed.has(MessageId!)) await sqs.send(new DeleteMessageCommand({ QueueUrl: url, ReceiptHandle }));
    }
  }
}
