/** Cutting messages into what one request to SQS may hold. */
import { PermanentError } from '#core/errors';

/** Per request. */
const mostMessages = 10;
/** Per message and per request. SQS takes 1 MiB by now; what we send are pointers, so the older limit is a guard. */
const mostBytes = 256 * 1024;

/** Batches in the order given. @throws PermanentError if a body alone is too large, before any batch is handed out */
export function batchesOf(bodies: readonly string[]): string[][] {
  const batches: string[][] = [];
  let room = 0;
  for (const body of bodies) {
    const bytes = Buffer.byteLength(body);
    if (bytes > mostBytes) throw new PermanentError(`a message of ${bytes} bytes is too large for a queue; send a key`);
    const last = batches.at(-1);
    if (last && last.length < mostMessages && bytes <= room) last.push(body);
    else {
      batches.push([body]);
      room = mostBytes;
    }
    room -= bytes;
  }
  return batches;
}
