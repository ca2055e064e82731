/** Runs one session at a time in a worker thread, because `session.run` blocks the thread that calls it. Plain JavaScript: Node 20 starts no worker from TypeScript. */

import { createRequire } from 'node:module';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { parentPort } from 'node:worker_threads';

/** As CommonJS, which it is: its many small files load faster that way. @type {typeof import('onnxruntime-node')} */
const ort = createRequire(import.meta.url)('onnxruntime-node');

/**
 * @typedef {import('#pipeline/ports').TensorValue} TensorValue
 * @typedef {Record<string, TensorValue>} TensorValues
 */

/**
 * Opens a session in place of the one before.
 * @typedef {object} Start
 * @property {'open'} kind
 * @property {Uint8Array} model
 * @property {import('onnxruntime-node').InferenceSession.SessionOptions} options
 */

/**
 * One run. Its feeds' buffers have been moved here; they go back with the answer.
 * @typedef {object} Run
 * @property {'run'} kind
 * @property {TensorValues} feeds
 * @property {readonly string[]} wanted
 */

/**
 * Lets go of the session, so that the thread can serve another model.
 * @typedef {{ kind: 'close' }} Close
 */

/**
 * One answer to each request, in order; the answer to an opening says what the session takes and gives, and gives the model back.
 * @typedef {{ kind: 'ready', inputs: readonly string[], outputs: readonly string[], model: Uint8Array }
 *   | { kind: 'done', outputs: TensorValues, feeds: TensorValues }
 *   | { kind: 'closed' }
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

/** @type {import('onnxruntime-node').InferenceSession | undefined} */
let session;

/** @type {(value: TensorValue) => import('onnxruntime-node').Tensor} */
const tensorOf = ({ type, data, dims }) => new ort.Tensor(type, data, dims);

/** @type {(request: Run) => Promise<void>} */
async function run({ feeds, wanted }) {
  if (!session) throw new Error('no model is open');
  const given = Object.fromEntries(Object.entries(feeds).map(([name, value]) => [name, tensorOf(value)]));
  // Memory given for an output would be no gain: the runtime's binding copies every output into new memory all the same.
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

/** @type {(request: Start) => Promise<void>} */
async function open({ model, options }) {
  session = await ort.InferenceSession.create(model, options);
  const { inputNames: inputs, outputNames: outputs } = session;
  answer({ kind: 'ready', inputs, outputs, model }, [/** @type {ArrayBuffer} */ (model.buffer)]);
}

async function close() {
  await session?.release();
  session = undefined;
  collectGarbage();
  answer({ kind: 'closed' });
}

/** What the last runs left would lie here until another model has left as much again. */
function collectGarbage() {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
}

/** @type {(request: Start | Run | Close) => Promise<void>} */
const serve = request => (request.kind === 'open' ? open(request) : request.kind === 'run' ? run(request) : close());

ort.env.logLevel = 'fatal';
/** A third of opening the first session is the runtime's own start: it happens now, set off by what is no model, while there is none yet. */
const started = ort.InferenceSession.create(new Uint8Array(1), { logSeverityLevel: 4 }).catch(() => undefined);

parentPort?.on('message', request => {
  // Nothing is answered meanwhile: whoever ends the thread waits for an answer first.
  started.then(() => serve(request)).catch(error => answer(failed(error)));
});
