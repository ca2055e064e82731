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

/** @type {(dims: readonly number[]) => number} */
const lengthOf = dims => dims.reduce((a, b) => a * b, 1);

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

/** @type {(session: InferenceSession, tensor: boolean) => string[]} */
const outputNames = ({ outputMetadata }, tensor) =>
  outputMetadata.filter(({ isTensor }) => isTensor === tensor).map(({ name }) => name);

/**
 * Runs a graph whose results are all written to given places. Its first output, no tensor, is one that the runtime's binding refuses
 * to hand over, and with it all that follow: they lie where they are wanted by then, and handed over they would be copied once more.
 * @type {(session: InferenceSession, feeds: Record<string, Tensor>, places: Record<string, Tensor>) => Promise<void>}
 */
async function runInto(session, feeds, places) {
  const refused = Object.fromEntries(outputNames(session, false).map(name => [name, null]));
  try {
    await session.run(feeds, { ...refused, ...places });
  } catch (error) {
    if (!/^Non tensor type/.test(/** @type {Error} */ (error).message)) throw error;
  }
}

/** @typedef {{ readonly name: string, readonly dims: readonly number[] }} Output */

/** @type {(session: InferenceSession) => Output[]} */
const outputsOf = ({ outputMetadata }) =>
  outputMetadata.flatMap(each => {
    if (!each.isTensor) return [];
    const { name, type, shape } = each;
    const dims = shape.filter(size => typeof size === 'number');
    if (type !== 'float32' || dims.length < shape.length)
      throw new Error(
        `a training cannot use the output "${name}": ${type} of ${shape.join('×')}, not float32 of fixed size`,
      );
    return [{ name, dims }];
  });

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
   * By group, what the last batch gave end to end, and where the next one's is written.
   * @type {Float32Array[]}
   */
  #given;
  /**
   * Places in these, by group.
   * @type {readonly (readonly (Output & { readonly from: number })[])[]}
   */
  #places;
  /** Loss and metrics. @type {readonly Output[]} */
  #told;
  /** Whether something was given that is not applied yet. */
  #waits = false;
  /** @type {Float32Array[][]} */
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
    const outputs = new Map(outputsOf(gradients).map(output => [output.name, output]));
    this.#places = groups.map(group => {
      let end = 0;
      return group.outputs.map(name => {
        const output = outputs.get(name);
        if (!output) throw new Error(`the graph of the gradients has no output "${name}"`);
        outputs.delete(name);
        const from = end;
        end += lengthOf(output.dims);
        return { ...output, from };
      });
    });
    this.#given = this.#places.map(
      places => new Float32Array(places.reduce((sum, { dims }) => sum + lengthOf(dims), 0)),
    );
    this.#told = [...outputs.values()];
  }

  /** @type {(state: TrainingState) => void} */
  put(state) {
    this.#state = state.map(buffers => [...buffers]);
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
    this.#waits = false;
    const given = Object.entries(batch).map(([name, value]) => [name, this.#tensor(value)]);
    const told = this.#told.map(({ name, dims }) => ({ name, ...float32(dims, new Float32Array(lengthOf(dims))) }));
    const feeds = Object.fromEntries([...given, ...this.#read()]);
    const toldPlaces = told.map(({ name, ...value }) => [name, this.#tensor(value)]);
    await runInto(this.#gradients, feeds, Object.fromEntries([...this.#write(), ...toldPlaces]));
    free(Object.values(batch).map(({ data }) => data));
    this.#waits = true;
    return Object.fromEntries(told.map(({ name, data }) => [name, Number(data[0])]));
  }

  /** @type {(options: UpdateOptions) => Promise<void>} */
  async update(options) {
    if (!this.#waits) throw new Error('no gradients wait');
    this.#waits = false;
    for (const [i, { update }] of this.#groups.entries()) {
      const buffers = this.#buffersOf(i);
      if (update) await this.#updateGroup(update, buffers, at(this.#given, i), options);
      else if (!options.trial) [buffers[0], this.#given[i]] = [at(this.#given, i), at(buffers, 0)];
    }
  }

  async release() {
    free(this.#given);
    await Promise.all([this.#gradients, ...this.#updates].map(session => session.release()));
  }

  /** @type {(group: number) => Float32Array[]} */
  #buffersOf(group) {
    const buffers = this.#state[group];
    if (!buffers) throw new Error('the state is not here');
    return buffers;
  }

  /** Parts of the values, which the runtime reads where they lie. @type {() => [string, Tensor][]} */
  #read() {
    return this.#groups.flatMap(({ reads }, i) => reads.map(part => this.#part(at(this.#buffersOf(i), 0), part)));
  }

  /** Where it writes what is given. @type {() => [string, Tensor][]} */
  #write() {
    return this.#places.flatMap((places, i) => places.map(part => this.#part(at(this.#given, i), part)));
  }

  /** @type {(buffer: Float32Array, part: Output & { readonly from: number }) => [string, Tensor]} */
  #part(buffer, { name, dims, from }) {
    return [name, this.#tensor(float32(dims, buffer.subarray(from, from + lengthOf(dims))))];
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
      /** @type {(data: Float32Array) => Tensor} */
      const vector = data => this.#tensor(float32([data.length], data));
      const given = pieces.map(vector);
      /** @type {(names: readonly string[], tensors: readonly Tensor[]) => Record<string, Tensor>} */
      const named = (names, tensors) => Object.fromEntries(names.map((name, i) => [name, at(tensors, i)]));
      // New values are written over the old ones, which no operator reads afterwards.
      const written = trial ? pieces.map(piece => vector(new Float32Array(piece.length))) : given;
      const feeds = named(session.inputNames, [...given, ...scalars]);
      await runInto(session, feeds, named(outputNames(session, true), written));
    }
  }

  /** @type {(value: TensorValue) => Tensor} */
  #tensor({ type, data, dims }) {
    return new this.#runtime.Tensor(type, data, dims);
  }
}
