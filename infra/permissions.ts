/** Statements of a role from what its program touches; each wildcard is acknowledged where it is made. */
import { Stack } from 'aws-cdk-lib';
import { Effect, PolicyStatement, type Role } from 'aws-cdk-lib/aws-iam';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import type { Access } from './access.ts';
import { acknowledgeWildcards } from './acknowledge.ts';

/** Lets a role do with the bucket what `access` says. @param of told in the statements' names, where a role has two buckets */
export function allowKeys(role: Role, bucket: IBucket, { reads, writes, lists, deletes }: Access, of = 'Keys'): void {
  const at = (patterns: readonly string[]) => [...new Set(patterns)].sort().map(key => bucket.arnForObjects(key));
  // A repeated conditional write asks whose object stands, so whoever writes a key may read it.
  allow(role, `Read${of}`, ['s3:GetObject'], at([...reads, ...writes]));
  allow(role, `Write${of}`, ['s3:PutObject', 's3:AbortMultipartUpload'], at(writes));
  allow(role, `Delete${of}`, ['s3:DeleteObject'], at(deletes));
  allowNames(role, bucket, lists, of);
  acknowledgeWildcards(
    role,
    at([...reads, ...writes, ...deletes]).filter(arn => arn.includes('*')),
    'Keys hold names of jobs, data sets and pieces; each pattern is spelled by core/job/keys and used by this program.',
  );
}

/**
 * Lists prefixes, and tells absent from forbidden. Without s3:ListBucket S3 answers 403 for a key that does not exist, and
 * such a request has no prefix: hence "if it exists". Names of keys show, contents do not.
 */
function allowNames(role: Role, bucket: IBucket, prefixes: readonly string[], of: string): void {
  role.addToPolicy(
    new PolicyStatement({
      sid: `List${of}`,
      actions: ['s3:ListBucket'],
      resources: [bucket.bucketArn],
      conditions: { StringLikeIfExists: { 's3:prefix': prefixes.length ? [...new Set(prefixes)].sort() : [nothing] } },
    }),
  );
}

/** A prefix that no key has. */
export const nothing = 'nothing/';

function allow(role: Role, sid: string, actions: string[], resources: string[]): void {
  if (resources.length) role.addToPolicy(new PolicyStatement({ sid, effect: Effect.ALLOW, actions, resources }));
}

export const allowSending = (role: Role, queues: readonly IQueue[]): void =>
  allow(
    role,
    'SendMessages',
    ['sqs:SendMessage'],
    queues.map(({ queueArn }) => queueArn),
  );

/** Takes messages, keeps them hidden while it works, deletes them. `sqs:SendMessage`: hands one back by sending it anew. */
export const allowWorkingOff = (role: Role, queue: IQueue): void =>
  allow(
    role,
    'WorkOff',
    ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:ChangeMessageVisibility', 'sqs:SendMessage'],
    [queue.queueArn],
  );

export const allowMeasuring = (role: Role, queues: readonly IQueue[]): void =>
  allow(
    role,
    'MeasureQueues',
    ['sqs:GetQueueAttributes'],
    queues.map(({ queueArn }) => queueArn),
  );

/** An agent asks its own task not to be stopped while a piece is under way. */
export function allowProtection(role: Role, clusterName: string): void {
  const stack = Stack.of(role);
  const tasks = stack.formatArn({ service: 'ecs', resource: 'task', resourceName: `${clusterName}/*` });
  allow(role, 'ProtectTask', ['ecs:GetTaskProtection', 'ecs:UpdateTaskProtection'], [tasks]);
  acknowledgeWildcards(
    role,
    [tasks],
    'Tasks get their ids when they start; this role may protect tasks of this cluster.',
  );
}
