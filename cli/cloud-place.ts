/** An address in S3 as people type it, and the bucket behind it, looked at before anything is begun. */
import type { S3Store } from '#adapters/aws/s3-store';
import { UsageError } from '#core/errors';

export interface CloudAddress {
  readonly bucket: string;
  /** Without slashes at its ends; may be empty. */
  readonly path: string;
}

export interface CloudOptions {
  /** Another S3 than Amazon's. */
  readonly endpoint?: string;
}

export const isCloudAddress = (text: string): boolean => text.startsWith('s3://');

/** @throws UsageError for what is no address */
export function parseAddress(text: string): CloudAddress {
  const [, bucket, path = ''] = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/.exec(text) ?? [];
  if (bucket === undefined) throw new UsageError(`${text} is no address in S3; expected s3://bucket/…`);
  return { bucket, path: path.replace(/^\/+|\/+$/g, '') };
}

/** @param room `jobs` or `datasets` @throws UsageError unless the address is `s3://bucket/<room>/<name>` */
export function parseNamed(text: string, room: 'datasets' | 'jobs'): CloudAddress & { readonly name: string } {
  const address = parseAddress(text);
  const [first, ...rest] = address.path.split('/');
  const name = rest.join('/');
  const flat = room === 'datasets' || rest.length === 1;
  if (first !== room || !flat || !name || rest.some(part => part === '' || part === '.' || part === '..'))
    throw new UsageError(`${text}: expected s3://${address.bucket}/${room}/<name>`);
  return { ...address, name };
}

/** The bucket, open. @throws PermanentError that says what is missing: region, credentials, permission or the bucket */
export async function openBucket(bucket: string, { endpoint }: CloudOptions): Promise<S3Store> {
  if (endpoint !== undefined && !URL.canParse(endpoint))
    throw new UsageError(`${endpoint} is no endpoint; expected http://… or https://…`);
  // A warning about later releases of the client than the one that is locked here.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
  const { AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL } = process.env;
  // Servers other than Amazon's rarely know buckets as host names.
  const other = endpoint ?? AWS_ENDPOINT_URL_S3 ?? AWS_ENDPOINT_URL;
  const client = { ...(endpoint && { endpoint }), ...(other && { forcePathStyle: true }) };
  // Only now: loading the client takes longer than most commands.
  const { checkAccess } = await import('#adapters/aws/check-access');
  const { S3Store } = await import('#adapters/aws/s3-store');
  await checkAccess({ bucket, client });
  return new S3Store({ bucket, client });
}

export const endpointOption = ['--endpoint <url>', 'another S3 than Amazon’s (default: AWS_ENDPOINT_URL)'] as const;
