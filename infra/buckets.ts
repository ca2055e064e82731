/** The buckets: data, masks that submitters must not see, and logs of access to both. */
import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { BlockPublicAccess, Bucket, BucketEncryption, type BucketProps, type LifecycleRule } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { acknowledge } from './acknowledge.ts';
import type { Environment } from './environment.ts';
import { names } from './names.ts';

export class Buckets extends Construct {
  readonly data: Bucket;
  readonly masks: Bucket;

  constructor(scope: Construct, id: string, environment: Environment) {
    super(scope, id);
    const safe = safeguards(environment);
    const logs = new Bucket(this, 'Logs', {
      ...safe,
      versioned: false,
      bucketName: names.bucket(environment, 'logs'),
      lifecycleRules: [abortUploads, { id: 'expire', expiration: Duration.days(environment.logDays) }],
    });
    acknowledge(logs, 'AwsSolutions-S1', 'This bucket holds the access logs; logging its own access would never end.');
    const logged = (prefix: string) => ({ ...safe, serverAccessLogsBucket: logs, serverAccessLogsPrefix: prefix });
    this.data = new Bucket(this, 'Data', {
      ...logged('data/'),
      bucketName: names.bucket(environment),
      lifecycleRules: [abortUploads, ...expiry(environment), ...forget(environment)],
    });
    this.masks = new Bucket(this, 'Masks', {
      ...logged('masks/'),
      bucketName: names.bucket(environment, 'masks'),
      lifecycleRules: [abortUploads, ...forget(environment)],
    });
  }
}

const safeguards = ({ keepData }: Environment): BucketProps => ({
  blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
  encryption: BucketEncryption.S3_MANAGED,
  enforceSSL: true,
  minimumTLSVersion: 1.2,
  // What is made is never written over; this is for what people upload and delete.
  versioned: keepData,
  removalPolicy: keepData ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
  // CloudFormation deletes empty buckets only; this empties them, with a function of CDK's own.
  autoDeleteObjects: !keepData,
});

const abortUploads: LifecycleRule = { id: 'abort-uploads', abortIncompleteMultipartUploadAfter: Duration.days(7) };

/** S3 expires by prefix; intermediates of a job lie beside its result and go with it. Published models stay. */
function expiry({ expire }: Environment): LifecycleRule[] {
  const rule = (prefix: string, days: number | undefined) =>
    days === undefined ? [] : [{ id: `expire-${prefix.slice(0, -1)}`, prefix, expiration: Duration.days(days) }];
  return [
    ...rule('jobs/', expire.jobs),
    ...['live/', 'labels/', 'batches/'].flatMap(prefix => rule(prefix, expire.live)),
    // Large answers of the API wait for whoever has the link.
    ...rule('results/', 1),
    ...rule('wishes/', 7),
  ];
}

const forget = ({ keepData }: Environment): LifecycleRule[] =>
  keepData ? [{ id: 'forget-replaced', noncurrentVersionExpiration: Duration.days(30) }] : [];
