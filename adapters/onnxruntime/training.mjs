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

/**
 * What a graph gives beside parts of the state.
 * @type {(session: InferenceSession, groups: readonly Group[]) => { name: string, dims: number[] }[]}
 */
function toldBy(session, groups) {
  const written = new Set(groups.flatMap(({ writes }) => writes.map(({ name }) => name)));
  return session.outputMetadata.flatMap(each => {
    if (!each.isTensor || written.has(each.name)) return [];
    const dims = each.shape.filter(size => typeof size === 'number');
    if (each.type !== 'float32' || dims.length < each.shape.length)
      throw new Error(
        `a training cannot tell "${each.name}": it is ${each.type} of ${each.shape.join('×')}, not float32 of a fixed size`,
      );
    return [{ name: each.name, dims }];
  });
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
  /** Loss and metrics. @type {ReturnType<typeof toldBy>} */
  #told;
  /**
   * While half a step is done: next buffers that wait to take the place of those in the state, by group and place in it.
   * @type {readonly (readonly (Float32Array | undefined)[])[] | undefined}
   */
  #waiting;
  /** Whether what has moved on by half a step lies in the state. */
  #halfway = false;
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
    this.#told = toldBy(gradients, groups);
  }

  /** @type {(state: TrainingState) => void} */
  put(state) {
    this.#state = state.map(buffers => [...buffers]);
  }

  /** @type {() => TrainingState} */
  take() {
    this.#refuseHalfway();
    const state = this.#state;
    this.#state = [];
    return state;
  }

  /**
   * Loss and metrics of a batch, whose memory is free afterwards.
   * @type {(batch: Tensors, aside: boolean) => Promise<Record<string, number>>}
   */
  async gradients(batch, aside) {
    this.#refuseHalfway();
    this.#forget();
    const waiting = this.#groups.map((group, i) => this.#besides(group, this.#buffersOf(i), aside));
    const told = this.#told.map(({ name, dims }) => ({ name, ...float32(dims, new Float32Array(lengthOf(dims))) }));
    const given = Object.entries(batch).map(([name, value]) => [name, this.#tensor(value)]);
    const places = told.map(({ name, ...value }) => [name, this.#tensor(value)]);
    const feeds = Object.fromEntries([...given, ...this.#parts('reads', [])]);
    const writes = Object.fromEntries([...this.#parts('writes', waiting), ...places]);
    this.#halfway = !aside && this.#groups.some(({ update, writes }) => update && writes.length > 0);
    await runInto(this.#gradients, feeds, writes).catch(error => {
      // Part of it may have moved on.
      if (this.#halfway) this.#state = [];
      this.#forget();
      throw error;
    });
    this.#waiting = waiting;
    free(Object.values(batch).map(({ data }) => data));
    return Object.fromEntries(told.map(({ name, data }) => [name, Number(data[0])]));
  }

  /** @type {(options: UpdateOptions) => Promise<void>} */
  async update(options) {
    const waiting = this.#waiting;
    if (!waiting) throw new Error('no gradients wait');
    if (options.trial) this.#refuseHalfway();
    for (const [i, { update }] of this.#groups.entries()) {
      const buffers = this.#buffersOf(i);
      const next = buffers.map((buffer, j) => waiting[i]?.[j] ?? buffer);
      if (update) await this.#updateGroup(update, next, options);
      if (options.trial) continue;
      free(buffers.filter((buffer, j) => buffer !== next[j]));
      this.#state[i] = next;
    }
    if (!options.trial) this.#waiting = undefined;
    this.#forget();
  }

  async release() {
    this.#forget();
    await Promise.all([this.#gradients, ...this.#updates].map(session => session.release()));
  }

  #refuseHalfway() {
    if (this.#halfway) throw new Error('half a step is done');
  }

  #forget() {
    free((this.#waiting ?? []).flatMap(buffers => buffers.filter(buffer => buffer !== undefined)));
    this.#waiting = undefined;
    this.#halfway = false;
  }

  /**
   * New memory for what must not be written over: values, and, if it is to stay, what the optimizer keeps.
   * @type {(group: Group, buffers: readonly Float32Array[], aside: boolean) => (Float32Array | undefined)[]}
   */
  #besides({ writes, update }, buffers, aside) {
    const written = new Set(writes.map(({ buffer }) => buffer));
    const isNew = (/** @type {number} */ j) => written.has(j) && (aside || !update);
    return buffers.map(({ length }, j) => (isNew(j) ? new Float32Array(length) : undefined));
  }

  /** @type {(group: number) => Float32Array[]} */
  #buffersOf(group) {
    const buffers = this.#state[group];
    if (!buffers) throw new Error('the state is not here');
    return buffers;
  }

  /**
   * Parts of the state, or of what is to be written besides, as the runtime reads or writes them where they lie.
   * @type {(which: 'reads' | 'writes', besides: readonly (readonly (Float32Array | undefined)[])[]) => [string, Tensor][]}
   */
  #parts(which, besides) {
    return this.#groups.flatMap((group, i) =>
      group[which].map(({ name, dims, buffer, from }) => {
        const all = besides[i]?.[buffer] ?? at(this.#buffersOf(i), buffer);
        return [name, this.#tensor(float32(dims, all.subarray(from, from + lengthOf(dims))))];
      }),
    );
  }

  /**
   * @param {NonNullable<Group['update']>} update
   * @param {readonly Float32Array[]} buffers the values and what is kept of them by now
   * @param {UpdateOptions} options
   */
  async #updateGroup({ graph, rateScale }, buffers, { rate, step, trial }) {
    const session = at(this.#updates, graph);
    // As a graph multiplies them, in float32.
    const scaled = Math.fround(Math.fround(rate) * Math.fround(rateScale));
    const scalars = [scaled, step].map(value => this.#tensor(float32([], Float32Array.of(value))));
    const { length } = at(buffers, 0);
    /** @type {(data: Float32Array) => Tensor} */
    const vector = data => this.#tensor(float32([data.length], data));
    for (let from = 0; from < length; from += pieceLength) {
      const pieces = buffers.map(buffer => buffer.subarray(from, from + pieceLength));
      const given = [...pieces.map(vector), ...scalars];
      const feeds = Object.fromEntries(session.inputNames.map((name, i) => [name, at(given, i)]));
      // New values are written over the old ones, which no operator reads afterwards.
      const written = trial ? vector(new Float32Array(at(pieces, 0).length)) : at(given, 0);
      await runInto(session, feeds, Object.fromEntries(outputNames(session, true).map(name => [name, written])));
    }
  }

  /** @type {(value: TensorValue) => Tensor} */
  #tensor({ type, data, dims }) {
    return new this.#runtime.Tensor(type, data, dims);
  }
}
