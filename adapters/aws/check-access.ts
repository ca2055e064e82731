/** Before anything is begun: region, credentials and bucket are there, or one line says which is not and what to do. */
import { HeadBucketCommand } from '@aws-sdk/client-s3';
import { PermanentError } from '#core/errors';
import { Bucket, type BucketOptions } from './bucket.ts';

/** @throws PermanentError that names what is missing: region, credentials, the bucket, or permission */
export async function checkAccess(options: BucketOptions): Promise<void> {
  const bucket = new Bucket(options);
  const { region, credentials } = bucket.s3.config;
  await region().catch(() => {
    throw new PermanentError('no AWS region is set; set AWS_REGION, or `region` in the AWS profile');
  });
  await credentials().catch(() => {
    throw new PermanentError(
      'no AWS credentials were found; sign in (aws sso login), set AWS_PROFILE, or give this machine a role',
    );
  });
  const answer = await bucket.ask('open', 'the bucket', () =>
    bucket.s3.send(new HeadBucketCommand({ Bucket: bucket.name })),
  );
  if (answer.kind === 'absent')
    throw new PermanentError(`there is no bucket ${bucket.name}; correct its name, or deploy first (docs/deploy.md)`);
}
