/** Runs one session at a time in a worker thread, because `session.run` blocks the thread that calls it. Plain JavaScript: Node 20 starts no worker from TypeScript. */

import { createRequire } from 'node:module';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { parentPort } from 'node:worker_threads';
import { Training } from './training.mjs';

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
 * Opens a training in place of it.
 * @typedef {object} StartTraining
 * @property {'train'} kind
 * @property {import('#pipeline/ports').TrainingGraphs} graphs
 * @property {import('onnxruntime-node').InferenceSession.SessionOptions} options
 */

/**
 * Something for the training: its state is moved here or back, or half a step is done, whose batch has been moved here.
 * @typedef {{ kind: 'put', state: TrainingState } | { kind: 'take' } | { kind: 'gradients', batch: TensorValues, aside: boolean }
 *   | { kind: 'update', options: import('#pipeline/ports').UpdateOptions }} Train
 * @typedef {import('#pipeline/ports').TrainingState} TrainingState
 */

/**
 * @typedef {object} Trained
 * @property {'trained'} kind
 * @property {Record<string, number>} [told] loss and metrics
 * @property {TrainingState} [state]
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
 *   | Trained
 *   | { kind: 'open' }
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

/** @type {Training | undefined} */
let training;

/** @type {(value: TensorValue) => import('onnxruntime-node').Tensor} */
const tensorOf = ({ type, data, dims }) => new ort.Tensor(type, data, dims);

/** @type {(request: Run) => Promise<void>} */
async function run({ feeds, wanted }) {
  if (!session) throw new Error('no model is open');
  const given = Object.fromEntries(Object.entries(feeds).map(([name, value]) => [name, tensorOf(value)]));
  // Memory given for an output would be no gain: the runtime's binding copies every output that it hands over into new memory.
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

/** @type {(request: StartTraining) => Promise<void>} */
async function startTraining({ graphs, options }) {
  training = await Training.open(ort, graphs, options);
  answer({ kind: 'open' });
}

/** @type {(request: Train) => Promise<void>} */
async function train(request) {
  if (!training) throw new Error('no training is open');
  if (request.kind === 'take') {
    const state = training.take();
    const buffers = state.flat().map(({ buffer }) => /** @type {ArrayBuffer} */ (buffer));
    return answer({ kind: 'trained', state }, buffers);
  }
  if (request.kind === 'gradients')
    return answer({ kind: 'trained', told: await training.gradients(request.batch, request.aside) });
  if (request.kind === 'put') training.put(request.state);
  else await training.update(request.options);
  answer({ kind: 'trained' });
}

async function close() {
  await session?.release();
  await training?.release();
  session = undefined;
  training = undefined;
  collectGarbage();
  answer({ kind: 'closed' });
}

/** What the last runs left would lie here until another model has left as much again. */
function collectGarbage() {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
}

/** @type {(request: Start | StartTraining | Run | Train | Close) => Promise<void>} */
function serve(request) {
  switch (request.kind) {
    case 'open':
      return open(request);
    case 'run':
      return run(request);
    case 'train':
      return startTraining(request);
    case 'close':
      return close();
    default:
      return train(request);
  }
}

ort.env.logLevel = 'fatal';
/** A third of opening the first session is the runtime's own start: it happens now, set off by what is no model, while there is none yet. */
const started = ort.InferenceSession.create(new Uint8Array(1), { logSeverityLevel: 4 }).catch(() => undefined);

parentPort?.on('message', request => {
  // Nothing is answered meanwhile: whoever ends the thread waits for an answer first.
  started.then(() => serve(request)).catch(error => answer(failed(error)));
});
