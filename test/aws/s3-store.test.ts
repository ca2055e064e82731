import { S3Store } from '#adapters/aws/s3-store';
import { objectStoreContract } from '../contracts/object-store.ts';
import { endpoint, newBucket, quickPatience, s3ClientAt } from './cloud.ts';

objectStoreContract('S3Store', async () => {
  const bucket = await newBucket();
  const open = async () => new S3Store({ bucket, client: s3ClientAt(endpoint()), patience: quickPatience });
  return { store: await open(), again: open };
});
