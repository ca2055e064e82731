/** Reading an object: small ones in one piece, large ones in ranges side by side; both against their checksum. */
import type { Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import { GetObjectCommand, type GetObjectCommandOutput } from '@aws-sdk/client-s3';
import type { Bucket } from './bucket.ts';
import { mapParts, type Part, partsOf } from './parts.ts';

export interface TaggedBytes {
  readonly bytes: Uint8Array;
  readonly etag: string;
}

/** What the first answer tells of an object too large for one piece. */
interface LargeObject {
  readonly size: number;
  readonly etag: string;
  /** CRC-32 of the whole object, base64, where it was stored with one. */
  readonly checksum: string | undefined;
}

/** @throws RejectedInput if the object alone cannot be read (archived, its encryption key gone), PermanentError if the bucket cannot */
export async function readObject(bucket: Bucket, key: string): Promise<TaggedBytes | undefined> {
  for (let attempt = 1; attempt <= bucket.patience.attempts; attempt++) {
    const answer = await bucket.ask('read', key, () => begin(bucket, key));
    if (answer.kind !== 'done') return undefined;
    if ('bytes' in answer.value) return answer.value;
    const read = await readRanges(bucket, key, answer.value);
    if (read) return read;
  }
  throw new Error(`cannot read ${key} (bucket ${bucket.name}): it was replaced or damaged on the way every time`);
}

/** The whole object if it is small. */
async function begin(bucket: Bucket, key: string): Promise<TaggedBytes | LargeObject> {
  const rest = new AbortController();
  const answer = await bucket.s3.send(new GetObjectCommand(bucket.at(key)), { abortSignal: rest.signal });
  const size = answer.ContentLength ?? 0;
  if (size <= bucket.partBytes) return { bytes: await wholeBody(answer, size), etag: answer.ETag! };
  // The rest of this answer is not wanted: its stream ends with an error that nobody needs to hear of.
  (answer.Body as Readable).on('error', () => undefined);
  rest.abort();
  const whole = answer.ChecksumType !== 'COMPOSITE';
  return { size, etag: answer.ETag!, checksum: whole ? answer.ChecksumCRC32 : undefined };
}

/** Undefined if somebody replaced the object meanwhile or a bit was lost: the caller starts over. */
async function readRanges(bucket: Bucket, key: string, large: LargeObject): Promise<TaggedBytes | undefined> {
  const bytes = new Uint8Array(large.size);
  const same = await mapParts(partsOf(large.size, bucket.partBytes), part =>
    readRange(bucket, key, large.etag, part, bytes),
  );
  if (!same.every(Boolean)) return undefined;
  if (large.checksum !== undefined && base64Crc32(bytes) !== large.checksum) return undefined;
  return { bytes, etag: large.etag };
}

async function readRange(
  bucket: Bucket,
  key: string,
  etag: string,
  { start, end }: Part,
  into: Uint8Array,
): Promise<boolean> {
  const range = { ...bucket.at(key), Range: `bytes=${start}-${end - 1}`, IfMatch: etag };
  const answer = await bucket.ask('read', key, async () => {
    into.set(await wholeBody(await bucket.s3.send(new GetObjectCommand(range)), end - start), start);
  });
  return answer.kind === 'done';
}

async function wholeBody({ Body }: GetObjectCommandOutput, size: number): Promise<Uint8Array> {
  const bytes = await Body!.transformToByteArray();
  if (bytes.length !== size) throw new Error(`${bytes.length} of ${size} bytes came`);
  return bytes;
}

/** As S3 writes it. */
export function base64Crc32(bytes: Uint8Array): string {
  const value = Buffer.alloc(4);
  value.writeUInt32BE(crc32(bytes));
  return value.toString('base64');
}
