/** A training in the session's thread: gradients by one graph, then updates in place by small ones. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * @typedef {typeof import('onnxruntime-node')} Runtime
 * @typedef {import('onnxruntime-node').InferenceSession} InferenceSession
 * @typedef {import('onnxruntime-node').Tensor} Tensor
 * @typedef {import('onnxruntime-node').InferenceSession.SessionOptions} SessionOptions
 * @typedef {import('#pipeline/ports').Tensors} Tensors
 * @typedef {import('#pipeline/ports').TensorValue} TensorValue
 * @typedef {import('#pipeline/ports').TrainingGraphs} TrainingGraphs
 * @typedef {import('#pipeline/ports').TrainingState} TrainingState
 * @typedef {import('#pipeline/ports').UpdateOptions} UpdateOptions
 * @typedef {TrainingGraphs['groups'][number]} Group
 */

/** Numbers updated at once: what the operators hand to each other stays in the processor's cache. */
const pieceLength = 2 ** 18;

/** @type {(dims: readonly number[], data: Float32Array) => TensorValue} */
const float32 = (dims, data) => ({ type: 'float32', dims, data });

/**
 * @template T
 * @param {readonly T[]} list
 * @param {number} i a place that there is
 */
const at = (list, i) => /** @type {T} */ (list[i]);

/** @type {(parts: readonly Float32Array[]) => Float32Array} */
function endToEnd(parts) {
  if (parts.length === 1) return at(parts, 0);
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let end = 0;
  for (const part of parts) {
    all.set(part, end);
    end += part.length;
  }
  return all;
}

/** Moves a buffer's memory to another place. Node 20 has it, but hides it. */
function moving() {
  if (ArrayBuffer.prototype.transfer) return ArrayBuffer.prototype.transfer;
  setFlagsFromString('--harmony-rab-gsab-transfer');
  return /** @type {ArrayBuffer['transfer']} */ (runInNewContext('ArrayBuffer.prototype.transfer'));
}

/**
 * Found when it is needed first: a flag set while the program starts makes the engine refuse the code that `serve` keeps.
 * @type {ArrayBuffer['transfer'] | undefined}
 */
let move;

/**
 * Frees arrays: their memory goes at once and serves the next ones, while it is still in the processor's cache, and not when
 * the heap is collected.
 * @type {(arrays: readonly TensorValue['data'][]) => void}
 */
function free(arrays) {
  move ??= moving();
  for (const { buffer } of arrays) if (buffer.byteLength > 0) move.call(buffer, 0);
}

export class Training {
  /** @type {Runtime} */
  #runtime;
  /** @type {InferenceSession} */
  #gradients;
  /** @type {readonly InferenceSession[]} */
  #updates;
  /** @type {readonly Group[]} */
  #groups;
  /**
   * What the last batch gave, by output, until it is applied.
   * @type {Map<string, Float32Array>}
   */
  #waiting = new Map();
  /** @type {TrainingState} */
  #state = [];

  /** @type {(runtime: Runtime, graphs: TrainingGraphs, options: SessionOptions) => Promise<Training>} */
  static async open(runtime, { gradients, updates, groups }, options) {
    const [first, ...others] = await Promise.all(
      [gradients, ...updates].map(model => runtime.InferenceSession.create(model, options)),
    );
    return new Training(runtime, /** @type {InferenceSession} */ (first), others, groups);
  }

  /**
   * @param {Runtime} runtime
   * @param {InferenceSession} gradients
   * @param {readonly InferenceSession[]} updates
   * @param {readonly Group[]} groups
   */
  constructor(runtime, gradients, updates, groups) {
    this.#runtime = runtime;
    this.#gradients = gradients;
    this.#updates = updates;
    this.#groups = groups;
  }

  /** @type {(state: TrainingState) => void} */
  put(state) {
    this.#state = state;
  }

  /** @type {() => TrainingState} */
  take() {
    const state = this.#state;
    this.#state = [];
    return state;
  }

  /**
   * Loss and metrics of a batch, whose memory is free afterwards.
   * @type {(batch: Tensors) => Promise<Record<string, number>>}
   */
  async gradients(batch) {
    this.#forget();
    const given = Object.entries(batch).map(([name, value]) => [name, this.#tensor(value)]);
    const results = await this.#gradients.run(Object.fromEntries([...given, ...this.#read()]));
    free(Object.values(batch).map(({ data }) => data));
    const outputs = new Set(this.#groups.flatMap(({ outputs }) => outputs));
    /** @type {Record<string, number>} */
    const told = {};
    for (const [name, { data }] of Object.entries(results))
      if (outputs.has(name)) this.#waiting.set(name, /** @type {Float32Array} */ (data));
      else told[name] = Number(data[0]);
    return told;
  }

  /** @type {(options: UpdateOptions) => Promise<void>} */
  async update(options) {
    for (const [i, { outputs, update }] of this.#groups.entries()) {
      const buffers = this.#buffersOf(i);
      const given = endToEnd(outputs.map(output => this.#given(output)));
      if (update) await this.#updateGroup(update, buffers, given, options);
      else if (!options.trial) at(buffers, 0).set(given);
      free([given]);
    }
    this.#forget();
  }

  async release() {
    this.#forget();
    await Promise.all([this.#gradients, ...this.#updates].map(session => session.release()));
  }

  /** @type {(group: number) => readonly Float32Array[]} */
  #buffersOf(group) {
    const buffers = this.#state[group];
    if (!buffers) throw new Error('the state is not here');
    return buffers;
  }

  /** @type {(output: string) => Float32Array} */
  #given(output) {
    const given = this.#waiting.get(output);
    if (!given) throw new Error('no gradients wait');
    return given;
  }

  /** Parts of the values, which the runtime reads where they lie. @type {() => [string, Tensor][]} */
  #read() {
    return this.#groups.flatMap(({ reads }, i) =>
      reads.map(({ name, dims, from }) => {
        const data = at(this.#buffersOf(i), 0).subarray(from, from + dims.reduce((a, b) => a * b, 1));
        return /** @type {[string, Tensor]} */ ([name, this.#tensor(float32(dims, data))]);
      }),
    );
  }

  /**
   * @param {NonNullable<Group['update']>} update
   * @param {readonly Float32Array[]} buffers
   * @param {Float32Array} gradient
   * @param {UpdateOptions} options
   */
  async #updateGroup({ graph, rateScale }, buffers, gradient, { rate, step, trial }) {
    const session = at(this.#updates, graph);
    // As a graph multiplies them, in float32.
    const scaled = Math.fround(Math.fround(rate) * Math.fround(rateScale));
    const scalars = [scaled, step].map(value => this.#tensor(float32([], Float32Array.of(value))));
    for (let from = 0; from < gradient.length; from += pieceLength) {
      const pieces = [...buffers, gradient].map(buffer => buffer.subarray(from, from + pieceLength));
      const given = [...pieces.map(piece => this.#tensor(float32([piece.length], piece))), ...scalars];
      /** @type {(names: readonly string[]) => Record<string, Tensor>} */
      const named = names => Object.fromEntries(names.map((name, i) => [name, at(given, i)]));
      const feeds = named(session.inputNames);
      // New values are written over the old ones, which no operator reads afterwards.
      const results = await (trial ? session.run(feeds) : session.run(feeds, named(session.outputNames)));
      // The runtime copies them for its answer all the same.
      free(Object.values(results).map(({ data }) => /** @type {Float32Array} */ (data)));
    }
  }

  #forget() {
    free([...this.#waiting.values()]);
    this.#waiting.clear();
  }

  /** @type {(value: TensorValue) => Tensor} */
  #tensor({ type, data, dims }) {
    return new this.#runtime.Tensor(type, data, dims);
  }
}
