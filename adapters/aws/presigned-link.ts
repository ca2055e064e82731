/** Links to objects of a bucket that work for a while without further rights. */
import { GetObjectCommand, S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';

export class PresignedLinks {
  readonly #bucket: string;
  readonly #s3: S3Client;

  constructor({ bucket, client = {} }: { readonly bucket: string; readonly client?: S3ClientConfig }) {
    this.#bucket = bucket;
    this.#s3 = new S3Client(client);
  }

  /** Signed here; nothing is asked of S3. */
  link(key: string, seconds: number): Promise<string> {
    return getSignedUrl(this.#s3, new GetObjectCommand({ Bucket: this.#bucket, Key: key }), { expiresIn: seconds });
  }
}
