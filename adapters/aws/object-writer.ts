/** Writing an object under a condition, so that it is written exactly once although every answer may be lost on the way. */
import { randomUUID } from 'node:crypto';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import type { Answer } from './ask.ts';
import type { Bucket } from './bucket.ts';
import { base64Crc32 } from './object-reader.ts';
import { mapParts, type Part, partsOf } from './parts.ts';

/** None: write in any case. */
export type Condition = { readonly IfNoneMatch?: '*' } | { readonly IfMatch: string };

/** Metadata that tells whose write stands when an answer was lost and the next try meets a refusal. */
const writeId = 'write-id';

/** In one piece, up to S3's 5 GB. The new etag, or undefined if the condition did not hold. */
export async function writeObject(
  bucket: Bucket,
  key: string,
  bytes: Uint8Array,
  condition: Condition,
): Promise<string | undefined> {
  const id = randomUUID();
  const put = {
    ...bucket.at(key),
    Body: bytes,
    ContentType: contentType(key),
    Metadata: { [writeId]: id },
    ...condition,
  };
  const answer = await bucket.ask('write', key, () => bucket.s3.send(new PutObjectCommand(put)));
  if (answer.kind === 'done') return answer.value.ETag;
  if (answer.kind === 'absent' && !('IfMatch' in condition)) throw noAnswer(bucket, key);
  return answer.perhapsDone ? etagIfOurs(bucket, key, id) : undefined;
}

/** What a browser does with an object is up to this: without it, it saves pages instead of showing them. */
const contentTypes: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  json: 'application/json',
  csv: 'text/csv; charset=utf-8',
  png: 'image/png',
  jpg: 'image/jpeg',
};

const contentType = (key: string): string =>
  contentTypes[key.slice(key.lastIndexOf('.') + 1)] ?? 'application/octet-stream';

/** "Not found" to a write that presupposes nothing. */
const noAnswer = (bucket: Bucket, key: string): Error =>
  new Error(`cannot write ${key} (bucket ${bucket.name}): the answer was "not found", as no S3 would say`);

/** In parts, several at once; the object appears as a whole or not at all. */
export async function writeLargeObject(
  bucket: Bucket,
  key: string,
  bytes: Uint8Array,
  condition: { readonly IfNoneMatch?: '*' },
): Promise<string | undefined> {
  for (let attempt = 1; attempt <= bucket.patience.attempts; attempt++) {
    const upload = await beginUpload(bucket, key);
    try {
      const parts = await mapParts(partsOf(bytes.length, bucket.partBytes), part => sendPart(upload, part, bytes));
      const answer = await complete(upload, parts, base64Crc32(bytes), condition);
      if (answer.kind === 'done') return answer.value.ETag;
      const ours = answer.perhapsDone ? await etagIfOurs(bucket, key, upload.id) : undefined;
      if (ours === undefined) await abort(upload);
      // Where two complete the same key at once, S3 wants all parts sent anew.
      if (ours !== undefined || answer.kind === 'lost') return ours;
    } catch (error) {
      await abort(upload);
      throw error;
    }
  }
  throw new Error(`cannot write ${key} (bucket ${bucket.name}): others were writing it every time`);
}

interface Upload {
  readonly bucket: Bucket;
  readonly key: string;
  /** Our write id, not S3's. */
  readonly id: string;
  /** Names the upload to S3. */
  readonly at: { readonly Bucket: string; readonly Key: string; readonly UploadId: string };
}

async function beginUpload(bucket: Bucket, key: string): Promise<Upload> {
  const id = randomUUID();
  const options = {
    ...bucket.at(key),
    ContentType: contentType(key),
    Metadata: { [writeId]: id },
    ChecksumAlgorithm: 'CRC32',
    ChecksumType: 'FULL_OBJECT',
  } as const;
  const answer = await bucket.ask('write', key, () => bucket.s3.send(new CreateMultipartUploadCommand(options)));
  if (answer.kind !== 'done') throw noAnswer(bucket, key);
  return { bucket, key, id, at: { ...bucket.at(key), UploadId: answer.value.UploadId! } };
}

interface SentPart {
  readonly PartNumber: number;
  readonly ETag: string | undefined;
  readonly ChecksumCRC32: string | undefined;
}

async function sendPart({ bucket, key, at }: Upload, part: Part, bytes: Uint8Array): Promise<SentPart> {
  const body = { ...at, PartNumber: part.number, Body: bytes.subarray(part.start, part.end) };
  const answer = await bucket.ask('write', key, () =>
    bucket.s3.send(new UploadPartCommand({ ...body, ChecksumAlgorithm: 'CRC32' })),
  );
  if (answer.kind !== 'done') throw new Error(`cannot write ${key} (bucket ${bucket.name}): its upload is gone`);
  return { PartNumber: part.number, ETag: answer.value.ETag, ChecksumCRC32: answer.value.ChecksumCRC32 };
}

const complete = (
  { bucket, key, at }: Upload,
  parts: SentPart[],
  checksum: string,
  condition: { readonly IfNoneMatch?: '*' },
): Promise<Answer<{ ETag?: string | undefined }>> =>
  bucket.ask(
    'write',
    key,
    () =>
      bucket.s3.send(
        new CompleteMultipartUploadCommand({
          ...at,
          MultipartUpload: { Parts: parts },
          ChecksumCRC32: checksum,
          ChecksumType: 'FULL_OBJECT',
          ...condition,
        }),
      ),
    'tell',
  );

/** An upload that cannot be given up either is left to the bucket's rule that clears unfinished ones; the first error tells more. */
async function abort({ bucket, at }: Upload): Promise<void> {
  await bucket.s3.send(new AbortMultipartUploadCommand(at)).catch(() => undefined);
}

async function etagIfOurs(bucket: Bucket, key: string, id: string): Promise<string | undefined> {
  const answer = await bucket.ask('read', key, () => bucket.s3.send(new HeadObjectCommand(bucket.at(key))));
  return answer.kind === 'done' && answer.value.Metadata?.[writeId] === id ? answer.value.ETag : undefined;
}
