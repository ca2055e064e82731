/** The etag S3 gives to bytes that it stores unencrypted or under its own keys: tells without a question whether an object holds them. */
import { createHash } from 'node:crypto';
import { partsOf } from './parts.ts';

const md5 = (bytes: Uint8Array) => createHash('md5').update(bytes).digest();

/** MD5 of the bytes; of the parts' MD5s and their number, where they go in parts of `partBytes`. In quotes, as S3 writes it. */
export function contentEtag(bytes: Uint8Array, partBytes: number): string {
  if (bytes.length <= partBytes) return `"${md5(bytes).toString('hex')}"`;
  const parts = partsOf(bytes.length, partBytes).map(({ start, end }) => md5(bytes.subarray(start, end)));
  return `"${md5(Buffer.concat(parts)).toString('hex')}-${parts.length}"`;
}
