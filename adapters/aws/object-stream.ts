/** A range of an object as it comes: one request however large, and another from where it broke. */
import { GetObjectCommand } from '@aws-sdk/client-s3';
import { RejectedInput } from '#core/errors';
import type { Bucket } from './bucket.ts';

/**
 * Bytes `start` to before `end`. A broken connection, or one that stood still because the reader was slow, goes on from there.
 * @throws RejectedInput if the object is gone or has another etag by now, Error if nothing came in as many tries as the patience has
 */
export async function* streamObject(
  bucket: Bucket,
  key: string,
  etag: string,
  { start, end }: { readonly start: number; readonly end: number },
): AsyncGenerator<Uint8Array> {
  let at = start;
  for (let idle = 0; at < end; idle++) {
    if (idle >= bucket.patience.attempts)
      throw new Error(`cannot read ${key} (bucket ${bucket.name}): the connection broke ${idle} times`);
    try {
      for await (const piece of await open(bucket, key, etag, at, end)) {
        at += piece.length;
        idle = 0;
        yield piece;
      }
    } catch (failure) {
      if (!(failure instanceof BrokenStream)) throw failure;
    }
  }
}

class BrokenStream extends Error {}

async function open(bucket: Bucket, key: string, etag: string, start: number, end: number) {
  const stopped = new AbortController();
  const range = { ...bucket.at(key), Range: `bytes=${start}-${end - 1}`, IfMatch: etag };
  const answer = await bucket.ask('read', key, () =>
    bucket.s3.send(new GetObjectCommand(range), { abortSignal: stopped.signal }),
  );
  if (answer.kind !== 'done') throw new RejectedInput('gone or replaced since the job was planned');
  return pieces(answer.value.Body as AsyncIterable<Uint8Array>, stopped);
}

/** The reader may leave early; the rest is then not fetched. */
async function* pieces(body: AsyncIterable<Uint8Array>, stopped: AbortController): AsyncGenerator<Uint8Array> {
  const iterator = body[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await iterator.next().catch(cause => {
        throw new BrokenStream('the stream broke', { cause });
      });
      if (next.done) return;
      yield next.value;
    }
  } finally {
    await iterator.return?.();
    stopped.abort();
  }
}
