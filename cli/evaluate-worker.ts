/** A thread of `evaluate`: counts the batches it is sent, with everything it needs opened once. */
import { parentPort, workerData } from 'node:worker_threads';
import { inflateSync } from 'node:zlib';
import { quickFolder } from '#adapters/local/quick-folder';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { PermanentError, RejectedInput } from '#core/errors';
import { type Counted, type CountingPorts, type CountRequest, countPairs } from '#pipeline/count-pairs';
import { type EvaluationPlaces, openPlaces } from './evaluation-places.ts';

export interface BatchRequest {
  readonly request: CountRequest;
  readonly names: readonly string[];
}

/** `permanent`: the message is for people as it is. */
export type BatchAnswer = { readonly counted: Counted } | { readonly failed: string; readonly permanent: boolean };

/** Unpacks in this thread: it has nothing else to do meanwhile. An ordinary map comes in one piece, with room to see that it ends. */
const inflate = async (bytes: Uint8Array, limit: number) =>
  inflateSync(bytes, { maxOutputLength: limit, chunkSize: Math.max(64, Math.min(limit + 1, 2 ** 20)) });

async function answer(opening: Promise<CountingPorts>, { request, names }: BatchRequest): Promise<BatchAnswer> {
  try {
    return { counted: await countPairs(await opening, request, names) };
  } catch (error) {
    const permanent = error instanceof PermanentError || error instanceof RejectedInput;
    return { failed: permanent ? error.message : String((error as Error).stack ?? error), permanent };
  }
}

const { deflate } = new SharpCodec();
const opened = openPlaces(workerData as EvaluationPlaces, { deflate }, quickFolder).then(
  ({ predictions, truth, scores }): CountingPorts => ({ predictions, truth: truth.store, scores, images: { inflate } }),
);
// Told with the first batch.
opened.catch(() => undefined);

parentPort?.on('message', (batch: BatchRequest) => {
  void answer(opened, batch).then(message => parentPort?.postMessage(message));
});
