/** The queue in the cloud: SQS, standard queues. At least once, in no order, and a dead-letter queue behind it. */
import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SQSClient,
  type SQSClientConfig,
} from '@aws-sdk/client-sqs';
import { PermanentError } from '#core/errors';
import type { Queue, ReceivedMessage } from '#pipeline/ports';
import { type Answer, ask, type Patience, timeLimits, usualPatience } from './ask.ts';
import { batchesOf } from './send-batches.ts';

export interface SqsQueueOptions {
  readonly url: string;
  /** Region, endpoint, credentials. Default: what the environment says. */
  readonly client?: SQSClientConfig;
  /** How long a received message stays hidden. Default: as the queue is set. */
  readonly visibilitySeconds?: number;
  readonly patience?: Patience;
}

/** SQS's limits. */
const longestPollSeconds = 20;
const mostReceived = 10;

export class SqsQueue implements Queue {
  readonly #url: string;
  readonly #sqs: SQSClient;
  readonly #visibilitySeconds: number | undefined;
  readonly #patience: Patience;

  constructor({ url, client = {}, visibilitySeconds, patience = usualPatience }: SqsQueueOptions) {
    this.#url = url;
    this.#visibilitySeconds = visibilitySeconds;
    this.#patience = patience;
    this.#sqs = new SQSClient({ requestHandler: timeLimits, ...client, maxAttempts: 1 });
  }

  /** In batches, several bodies a request. @throws PermanentError if a body is larger than SQS takes; then none was sent */
  async send(bodies: readonly string[]): Promise<void> {
    for (const batch of batchesOf(bodies)) await this.#sendBatch(batch);
  }

  async receive(max: number, waitSeconds: number): Promise<ReceivedMessage[]> {
    let left = Math.floor(waitSeconds);
    for (;;) {
      const seconds = Math.min(left, longestPollSeconds);
      const messages = await this.#poll(Math.min(max, mostReceived), seconds);
      left -= seconds;
      if (messages.length > 0 || left <= 0) return messages;
    }
  }

  /** A message that is ours no more is left alone: it comes again or is deleted already. */
  async delete(receipt: string): Promise<void> {
    const entry = { QueueUrl: this.#url, ReceiptHandle: receipt };
    await this.#ask('delete a message', () => unlessLost(this.#sqs.send(new DeleteMessageCommand(entry))));
  }

  /** Up to 12 hours from when it was received. */
  async extend(receipt: string, seconds: number): Promise<void> {
    const entry = { QueueUrl: this.#url, ReceiptHandle: receipt, VisibilityTimeout: Math.ceil(seconds) };
    const extended = await this.#ask('extend a message', () =>
      unlessLost(this.#sqs.send(new ChangeMessageVisibilityCommand(entry))),
    );
    if (extended === undefined) throw new Error('the message is no longer ours to extend');
  }

  /** Messages that are not done, as SQS estimates: waiting, handed out, and delayed. */
  async depth(): Promise<number> {
    const query = { QueueUrl: this.#url, AttributeNames: [...depthAttributes] };
    const { Attributes = {} } = await this.#ask('count', () => this.#sqs.send(new GetQueueAttributesCommand(query)));
    return depthAttributes.reduce((sum, name) => sum + Number(Attributes[name] ?? 0), 0);
  }

  async #poll(max: number, seconds: number): Promise<ReceivedMessage[]> {
    const query = {
      QueueUrl: this.#url,
      MaxNumberOfMessages: max,
      WaitTimeSeconds: seconds,
      VisibilityTimeout: this.#visibilitySeconds,
      MessageSystemAttributeNames: ['ApproximateReceiveCount' as const],
    };
    const { Messages = [] } = await this.#ask('receive', () => this.#sqs.send(new ReceiveMessageCommand(query)));
    return Messages.map(({ Body, Attributes, ReceiptHandle }) => ({
      body: Body!,
      receives: Number(Attributes?.ApproximateReceiveCount ?? 1),
      receipt: ReceiptHandle!,
    }));
  }

  /** What SQS could not take is sent again; the rest of the batch is not. */
  async #sendBatch(bodies: readonly string[]): Promise<void> {
    let left = bodies;
    await this.#ask('send', async () => {
      const Entries = left.map((body, i) => ({ Id: String(i), MessageBody: body }));
      const { Failed = [] } = await this.#sqs.send(new SendMessageBatchCommand({ QueueUrl: this.#url, Entries }));
      const refused = Failed.find(({ SenderFault }) => SenderFault);
      if (refused) throw named(refused.Code, 400);
      left = Failed.map(({ Id }) => left[Number(Id)]!);
      if (left.length) throw named(Failed[0]!.Code, 500);
    });
  }

  async #ask<T>(what: string, act: () => Promise<T>): Promise<T> {
    const answer: Answer<T> = await ask(this.#patience, `${what} (queue ${nameOf(this.#url)})`, act);
    if (answer.kind !== 'done') throw new PermanentError(`cannot ${what} (queue ${nameOf(this.#url)}): ${answer.kind}`);
    return answer.value;
  }
}

const depthAttributes = [
  'ApproximateNumberOfMessages',
  'ApproximateNumberOfMessagesNotVisible',
  'ApproximateNumberOfMessagesDelayed',
] as const;

/** The name without the account's number. */
const nameOf = (url: string): string => url.slice(url.lastIndexOf('/') + 1);

const named = (code: string | undefined, status: number): Error =>
  Object.assign(new Error('part of a batch failed'), { code, $metadata: { httpStatusCode: status } });

/** How SQS says that a receipt counts no more: deleted, handed out again, or too old. */
const lostReceipt = ['ReceiptHandleIsInvalid', 'MessageNotInflight', 'InvalidParameterValue'];

async function unlessLost<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (failure) {
    const { name = '', Code = '' } = failure as { name?: string; Code?: string };
    if (lostReceipt.some(code => name.endsWith(code) || Code.endsWith(code))) return undefined;
    throw failure;
  }
}
