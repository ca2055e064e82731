/** Buckets and queues on the test server, and clients for them. */
import { CreateBucketCommand, S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { CreateQueueCommand, GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs';
import { inject } from 'vitest';
import type { Patience } from '#adapters/aws/ask';

export const clientAt = (endpoint: string) => ({
  endpoint,
  region: 'us-east-1',
  credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
});

export const s3ClientAt = (endpoint: string): S3ClientConfig => ({ ...clientAt(endpoint), forcePathStyle: true });

export const endpoint = (): string => inject('awsEndpoint');

/** As patient as in the cloud, with pauses for a server on the same machine. */
export const quickPatience: Patience = { attempts: 9, first: 5, longest: 100, random: Math.random };

let made = 0;
const freshName = (kind: string) => `${kind}-${process.pid}-${++made}`;

export async function newBucket(): Promise<string> {
  const name = freshName('bucket');
  await new S3Client(s3ClientAt(endpoint())).send(new CreateBucketCommand({ Bucket: name }));
  return name;
}

const sqs = () => new SQSClient(clientAt(endpoint()));

/** @returns the address of a new queue */
export async function newQueue(attributes: Record<string, string>): Promise<string> {
  const { QueueUrl } = await sqs().send(
    new CreateQueueCommand({ QueueName: freshName('queue'), Attributes: attributes }),
  );
  return QueueUrl!;
}

export interface QueuePair {
  readonly url: string;
  readonly deadLetters: string;
}

/** A queue with a dead-letter queue behind it. */
export async function newQueuePair(visibilitySeconds: number, maxReceives: number): Promise<QueuePair> {
  const deadLetters = await newQueue({});
  const redrive = { deadLetterTargetArn: (await attributesOf(deadLetters)).QueueArn, maxReceiveCount: maxReceives };
  const url = await newQueue({
    VisibilityTimeout: String(visibilitySeconds),
    RedrivePolicy: JSON.stringify(redrive),
  });
  return { url, deadLetters };
}

export async function attributesOf(url: string): Promise<Record<string, string>> {
  const { Attributes } = await sqs().send(new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['All'] }));
  return Attributes as Record<string, string>;
}

/** Messages that are not deleted, hidden ones included. */
export async function sizeOf(url: string): Promise<number> {
  const { ApproximateNumberOfMessages: visible, ApproximateNumberOfMessagesNotVisible: hidden } =
    await attributesOf(url);
  return Number(visible) + Number(hidden);
}
