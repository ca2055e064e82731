/** Runs one session in a worker thread, because `session.run` blocks the thread that calls it. Plain JavaScript: Node 20 starts no worker from TypeScript. */

import { parentPort, workerData } from 'node:worker_threads';
import ort from 'onnxruntime-node';

/**
 * @typedef {import('#pipeline/ports').TensorValue} TensorValue
 * @typedef {Record<string, TensorValue>} TensorValues
 */

/**
 * Given as workerData.
 * @typedef {object} Start
 * @property {Uint8Array} model
 * @property {import('onnxruntime-node').InferenceSession.SessionOptions} options
 */

/**
 * One run. Its feeds' buffers have been moved here; they go back with the answer.
 * @typedef {object} Request
 * @property {TensorValues} feeds
 * @property {readonly string[]} wanted
 */

/**
 * The first answer says what the session takes and gives; each later one belongs to one request.
 * @typedef {{ kind: 'ready', inputs: readonly string[], outputs: readonly string[] }
 *   | { kind: 'done', outputs: TensorValues, feeds: TensorValues }
 *   | { kind: 'failed', message: string }} Answer
 */

/** @type {(value: TensorValues) => ArrayBuffer[]} */
const buffersOf = tensors =>
  Object.values(tensors).flatMap(({ data }) =>
    data.buffer instanceof ArrayBuffer && data.byteLength === data.buffer.byteLength ? [data.buffer] : [],
  );

/** @type {(answer: Answer, moved?: ArrayBuffer[]) => void} */
const answer = (message, moved = []) => parentPort?.postMessage(message, [...new Set(moved)]);

/** @type {(error: unknown) => Answer} */
const failed = error => ({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });

/** @type {(session: import('onnxruntime-node').InferenceSession, request: Request) => Promise<void>} */
async function run(session, { feeds, wanted }) {
  const given = Object.fromEntries(
    Object.entries(feeds).map(([name, { type, data, dims }]) => [name, new ort.Tensor(type, data, dims)]),
  );
  const results = await session.run(given, wanted);
  /** @type {TensorValues} */
  const outputs = Object.fromEntries(
    Object.entries(results).map(([name, { type, data, dims }]) => [
      name,
      { type: /** @type {TensorValue['type']} */ (type), data: /** @type {TensorValue['data']} */ (data), dims },
    ]),
  );
  answer({ kind: 'done', outputs, feeds }, [...buffersOf(outputs), ...buffersOf(feeds)]);
}

ort.env.logLevel = 'fatal';
const { model, options } = /** @type {Start} */ (workerData);
try {
  const session = await ort.InferenceSession.create(model, options);
  parentPort?.on('message', request => {
    run(session, request).catch(error => answer(failed(error)));
  });
  answer({ kind: 'ready', inputs: session.inputNames, outputs: session.outputNames });
} catch (error) {
  answer(failed(error));
}
