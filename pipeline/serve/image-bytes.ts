/** The bytes of an image, wherever the client says they are. */
import type { ServeLimits, ServePorts } from './api-ports.ts';
import { Problem, type ProblemKind } from './problem.ts';

/** Exactly one, as the document demands. */
export interface ImageSource {
  readonly s3Uri?: string;
  readonly url?: string;
  readonly base64?: string;
}

const tooLarge = ({ imageBytes }: ServeLimits) =>
  new Problem('too-large', `the image is larger than ${Math.floor(imageBytes / 2 ** 20)} MB`);

/** @throws Problem 403, 413 or 422 */
export async function readImageBytes(
  ports: Pick<ServePorts, 'imageBucket' | 'fetchUrl'>,
  limits: ServeLimits,
  source: ImageSource,
): Promise<Uint8Array> {
  if (source.s3Uri !== undefined) return fromBucket(ports, limits, source.s3Uri);
  if (source.url !== undefined) return fromAddress(ports, limits, source.url);
  const bytes = fromBase64(source.base64!);
  if (bytes.length > limits.imageBytes) throw tooLarge(limits);
  return bytes;
}

async function fromBucket(ports: Pick<ServePorts, 'imageBucket'>, limits: ServeLimits, uri: string) {
  const [, name, key] = /^s3:\/\/([^/]+)\/(.+)$/s.exec(uri)!;
  const bucket = ports.imageBucket(name!);
  if (!bucket) {
    throw new Problem(
      'foreign-bucket',
      'this server may not read that bucket; send the bytes, or use a bucket of its own',
    );
  }
  if (key!.split('/').some(word => word === '' || word === '.' || word === '..') || key!.includes('\0')) {
    throw new Problem('image-unusable', 'the key of s3Uri must be names joined by single slashes');
  }
  const head = await bucket.head(key!);
  if (head && head.size > limits.imageBytes) throw tooLarge(limits);
  const bytes = head && (await bucket.get(key!));
  if (!bytes) throw new Problem('image-unusable', 'there is no such object');
  return bytes;
}

const failures: Record<'refused' | 'failed', ProblemKind> = { refused: 'address-refused', failed: 'image-unusable' };

async function fromAddress({ fetchUrl }: Pick<ServePorts, 'fetchUrl'>, limits: ServeLimits, url: string) {
  const fetched = await fetchUrl(url, limits.imageBytes);
  if (fetched.kind === 'fetched') return fetched.bytes;
  if (fetched.kind === 'too-large') throw tooLarge(limits);
  throw new Problem(failures[fetched.kind], fetched.reason);
}

/** A `data:` address is taken as well. */
function fromBase64(text: string): Uint8Array {
  const start = text.startsWith('data:') ? text.indexOf('base64,') + 'base64,'.length : 0;
  const packed = text.slice(start);
  const bytes = Buffer.from(packed, 'base64');
  // Node skips what is no base64; then fewer bytes come out than the letters would hold.
  const letters = packed.length - (packed.endsWith('==') ? 2 : packed.endsWith('=') ? 1 : 0);
  if (bytes.length !== Math.floor((letters * 3) / 4))
    throw new Problem('malformed', 'base64 holds letters that are not base64');
  return bytes;
}
