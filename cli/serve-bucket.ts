/** What `serve` needs of S3: models, jobs and large results of a bucket, and images in further ones. */
import { PresignedLinks } from '#adapters/aws/presigned-link';
import { S3Store } from '#adapters/aws/s3-store';
import { UsageError } from '#core/errors';
import type { ServePorts } from '#pipeline/serve/api-ports';
import { publishedModels } from '#pipeline/serve/model-source';

export type PlacePorts = Pick<ServePorts, 'source' | 'store' | 'link' | 'imageBucket'>;

export function imageBucketsOf(names: readonly string[]): ServePorts['imageBucket'] {
  const buckets = new Map(names.map(name => [name, new S3Store({ bucket: name })]));
  return name => buckets.get(name);
}

/** @param place `s3://BUCKET` @throws UsageError if it is none */
export function bucketPorts(place: string, imageBuckets: readonly string[]): PlacePorts {
  const bucket = place.slice('s3://'.length).replace(/\/$/, '');
  if (!/^[a-z0-9.-]{3,63}$/.test(bucket)) throw new UsageError(`${place} is no bucket; give s3://BUCKET`);
  const store = new S3Store({ bucket });
  const links = new PresignedLinks({ bucket });
  return {
    source: publishedModels(store),
    store,
    link: (key, seconds) => links.link(key, seconds),
    imageBucket: imageBucketsOf([bucket, ...imageBuckets]),
  };
}
