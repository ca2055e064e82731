/** Events of the bucket into queues, as the table of triggers says. */
import { Aws, type CfnResource, type Stack } from 'aws-cdk-lib';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { Bucket, CfnBucket } from 'aws-cdk-lib/aws-s3';
import { triggers } from '#pipeline/settings';
import type { Queues } from './queues.ts';

/**
 * Written into the bucket's own resource: the L2 way brings a function that does it after the deployment, with wide
 * permissions. S3 checks when the bucket is made that it may send, so the queues' policies come first.
 * @param bucketName spelled out: a reference to the bucket would be a circle
 */
export function addTriggers(stack: Stack, bucket: Bucket, bucketName: string, queues: Queues): void {
  const resource = bucket.node.defaultChild as CfnBucket;
  resource.notificationConfiguration = {
    queueConfigurations: triggers.map(({ queue, prefix, suffix }) => ({
      event: 's3:ObjectCreated:*',
      queue: queues.queue(queue).queueArn,
      filter: { s3Key: { rules: rulesOf({ prefix, suffix }) } },
    })),
  };
  for (const { queue } of triggers) {
    const { queue: target } = queues.pair(queue);
    target.addToResourcePolicy(
      new PolicyStatement({
        sid: 'EventsOfTheBucket',
        principals: [new ServicePrincipal('s3.amazonaws.com')],
        actions: ['sqs:SendMessage'],
        resources: [target.queueArn],
        conditions: {
          StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID },
          ArnEquals: {
            'aws:SourceArn': stack.formatArn({ service: 's3', resource: bucketName, account: '', region: '' }),
          },
        },
      }),
    );
    resource.addResourceDependency(target.node.findChild('Policy').node.defaultChild as CfnResource);
  }
}

const rulesOf = (filter: { prefix: string; suffix: string }) =>
  Object.entries(filter)
    .filter(([, value]) => value)
    .map(([name, value]) => ({ name, value }));
