/** Runs a training step again and again: checkpoints that a killed run goes on from to the same bytes, metrics, a budget in steps or minutes. */
import { PermanentError } from '#core/errors';
import { readSafetensors, type SavedTensor, writeSafetensors } from '#core/formats/safetensors';
import { toModel } from '#core/graph/model';
import type { TrainingStep } from '#core/graph/training-step';
import { fromJson, toJson } from './documents.ts';
import { mapInOrder } from './in-flight.ts';
import type { Model, ObjectStore, Ports, Tensors, TensorValue } from './ports.ts';
import { beginSlice, SliceOver } from './slices.ts';

/** Everything is a function of the number of the step (from 0 on), so that a run can go on anywhere. */
export interface TrainingRun {
  /** As people name it, in messages and progress. */
  readonly name: string;
  readonly step: TrainingStep;
  readonly budget: { readonly steps: number } | { readonly minutes: number };
  rate(step: number, steps: number): number;
  /** The batch. */
  feeds(step: number): Promise<Tensors>;
  /** What the user may try where the loss breaks. */
  readonly remedy: string;
  /** Where the run keeps itself: `<prefix>checkpoint.safetensors`, `<prefix>steps.json`, `<prefix>log.jsonl`. */
  readonly prefix: string;
  /** Seconds of work that a kill may cost. Default 20. */
  readonly checkpointSeconds?: number;
}

/** What one step told. */
export interface StepRecord {
  /** Number of the step, 1 at first. */
  readonly step: number;
  readonly loss: number;
  readonly rate: number;
  readonly [metric: string]: number;
}

export interface Trained {
  /** The state by name, as the last step left it: parameters, running statistics, what the optimizer keeps. */
  readonly values: ReadonlyMap<string, Float32Array>;
  readonly history: readonly StepRecord[];
}

type State = Record<string, TensorValue>;

interface Position {
  /** Steps done. */
  readonly done: number;
  readonly state: State;
  readonly history: readonly StepRecord[];
}

const runKeys = (prefix: string) => ({
  checkpoint: `${prefix}checkpoint.safetensors`,
  steps: `${prefix}steps.json`,
  log: `${prefix}log.jsonl`,
});

/**
 * Runs all steps that are missing. On one kind of CPU the result does not depend on how often the run was killed or cut.
 * @throws SliceOver, with a checkpoint, where pieces are worked on in slices
 * @throws PermanentError if the loss or a parameter is no finite number (the last good checkpoint stays), or if the
 *   checkpoint is that of another model
 */
export async function runTraining(ports: Ports, run: TrainingRun): Promise<Trained> {
  const bytes = toModel(run.step.model);
  const hash = hashOf(ports, run.step, bytes);
  const model = await ports.models.load(bytes, {
    sessions: 1,
    threadsPerSession: ports.tuning.threads,
    largeGraph: true,
  });
  try {
    const start = await startOf(ports, run, hash);
    const steps = await settleSteps(ports, run, model, start);
    return await new Runner(ports, run, model, hash, steps).from(start);
  } finally {
    await model.release();
  }
}

/** Removes what a finished run needs no more. */
export async function clearTraining(store: ObjectStore, prefix: string): Promise<void> {
  for (const key of Object.values(runKeys(prefix))) await store.delete(key);
}

/** One JSON object per line. */
export const historyLines = (history: readonly StepRecord[]): Uint8Array =>
  new TextEncoder().encode(history.map(record => `${JSON.stringify(record)}\n`).join(''));

/** The step's graph and the numbers that it starts from. */
function hashOf({ digest }: Ports, { state }: TrainingStep, model: Uint8Array): string {
  const parts = state.map(({ name, dims, initial }) => {
    const { buffer, byteOffset, byteLength } = initial;
    return [name, dims, digest.sha256(new Uint8Array(buffer, byteOffset, byteLength))];
  });
  return digest.sha256(toJson([digest.sha256(model), parts]));
}

const tensorOf = (dims: readonly number[], data: Float32Array): TensorValue => ({ type: 'float32', dims, data });

async function startOf({ store }: Ports, { step, prefix, name }: TrainingRun, hash: string): Promise<Position> {
  const key = runKeys(prefix).checkpoint;
  const bytes = await store.get(key);
  if (!bytes) {
    const state = step.state.map(({ name, dims, initial }) => [name, tensorOf(dims, initial.slice())] as const);
    return { done: 0, state: Object.fromEntries(state), history: [] };
  }
  const { tensors, metadata } = readSafetensors(bytes, key);
  if (metadata.model !== hash)
    throw new PermanentError(
      `${key} is a checkpoint of another model than this ${name}; remove it, or give the network it was made with`,
    );
  const state = step.state.map(({ name, dims }) => [name, tensorOf(dims, tensors.get(name)!.data)] as const);
  return {
    done: Number(metadata.step),
    state: Object.fromEntries(state),
    history: JSON.parse(metadata.history!) as StepRecord[],
  };
}

/** Steps that are tried for a budget in minutes: the first one warms up, the others are timed. */
const trialSteps = 3;

/**
 * How many steps the run has. A budget in minutes is turned into steps once, by the time of the first ones; the number is
 * stored, so that a run which goes on later, faster or slower, still does the same.
 */
async function settleSteps(ports: Ports, run: TrainingRun, model: Model, { state }: Position): Promise<number> {
  if ('steps' in run.budget) return run.budget.steps;
  const { store, clock } = ports;
  const key = runKeys(run.prefix).steps;
  const known = await store.get(key);
  if (known) return fromJson<{ steps: number }>(known).steps;
  let began = clock.now();
  let current = state;
  for (let i = 0; i < trialSteps; i++) {
    const rate = tensorOf([], Float32Array.of(0));
    const { feeds } = await model.run({ ...(await run.feeds(i)), rate, ...current });
    current = Object.fromEntries(Object.keys(state).map(name => [name, feeds[name]!]));
    if (i === 0) began = clock.now();
  }
  Object.assign(state, current);
  const seconds = Math.max((clock.now() - began) / 1000 / (trialSteps - 1), 1e-3);
  const steps = Math.max(1, Math.round((60 * run.budget.minutes) / seconds));
  await store.putNew(key, toJson({ steps }));
  return fromJson<{ steps: number }>((await store.get(key))!).steps;
}

/** Batches under way while a step runs. */
const batchesAhead = 2;

function* numbers(from: number, to: number): Generator<number> {
  for (let i = from; i < to; i++) yield i;
}

class Runner {
  readonly #ports: Ports;
  readonly #run: TrainingRun;
  readonly #model: Model;
  readonly #hash: string;
  readonly #steps: number;
  /** Everything but the state. */
  readonly #told: readonly string[];
  /** The state before the last step, which nobody needs once that step was good. */
  #spent: State = {};

  constructor(ports: Ports, run: TrainingRun, model: Model, hash: string, steps: number) {
    this.#ports = ports;
    this.#run = run;
    this.#model = model;
    this.#hash = hash;
    this.#steps = steps;
    this.#told = Object.keys(run.step.model.outputs).filter(name => !name.endsWith('.next'));
  }

  async from(start: Position): Promise<Trained> {
    const { clock, log } = this.#ports;
    const history = [...start.history];
    let { state, done } = start;
    let [saved, savedAt] = [done, clock.now()];
    const isSliceOver = beginSlice(this.#ports);
    const ahead = mapInOrder(numbers(done, this.#steps), batchesAhead, async i => ({
      i,
      batch: await this.#run.feeds(i),
    }));
    for await (const { i, batch } of ahead) {
      const { before, next, record } = await this.#step(i, batch, state);
      if (!Number.isFinite(record.loss)) throw this.#broken(record, saved);
      // Parameters are good once a loss was computed from them: those before this step are, those after it may not be.
      if (i > saved && clock.now() - savedAt >= 1000 * (this.#run.checkpointSeconds ?? 20)) {
        await this.#save({ done: i, state: before, history });
        [saved, savedAt] = [i, clock.now()];
      }
      [state, done] = [next, i + 1];
      this.#spent = before;
      history.push(record);
      log.progress(this.#run.name, this.#run.prefix, done, this.#steps);
      if (done === this.#steps || !isSliceOver()) continue;
      await this.#saveGood({ done, state, history }, saved);
      throw new SliceOver(`${this.#run.name}: step ${done} of ${this.#steps}`);
    }
    await this.#saveGood({ done, state, history }, saved);
    const values = Object.entries(state).map(([name, { data }]) => [name, data as Float32Array] as const);
    return { values: new Map(values), history };
  }

  async #step(i: number, batch: Tensors, state: State): Promise<{ before: State; next: State; record: StepRecord }> {
    const rate = this.#run.rate(i, this.#steps);
    const given = { ...batch, rate: tensorOf([], Float32Array.of(rate)), ...state };
    const { outputs, feeds } = await this.#model.run(given, undefined, this.#spent);
    const pick = (from: Tensors, ending: string): State =>
      Object.fromEntries(Object.keys(state).map(name => [name, from[name + ending]!]));
    const told = Object.fromEntries(this.#told.map(name => [name, Number(outputs[name]!.data[0])]));
    return {
      before: pick(feeds, ''),
      next: pick(outputs, '.next'),
      record: { step: i + 1, loss: told.loss!, rate, ...told },
    };
  }

  /** At an end no later loss can tell whether the parameters are good. */
  async #saveGood(position: Position, saved: number): Promise<void> {
    const last = position.history.at(-1);
    if (last && !allFinite(position.state)) throw this.#broken(last, saved);
    await this.#save(position);
  }

  async #save({ done, state, history }: Position): Promise<void> {
    const tensors = new Map<string, SavedTensor>();
    for (const [name, { dims, data }] of Object.entries(state)) tensors.set(name, { dims, data: data as Float32Array });
    const metadata = {
      model: this.#hash,
      step: String(done),
      steps: String(this.#steps),
      history: JSON.stringify(history),
    };
    const { checkpoint, log } = runKeys(this.#run.prefix);
    await this.#ports.store.put(checkpoint, writeSafetensors({ tensors, metadata }));
    await this.#ports.store.put(log, historyLines(history));
  }

  #broken({ step, loss, rate }: StepRecord, saved: number): PermanentError {
    const kept = saved ? `the checkpoint after step ${saved} stays` : 'there is no checkpoint yet';
    const what = Number.isFinite(loss) ? 'a parameter' : 'the loss';
    return new PermanentError(
      `${this.#run.name}: ${what} is no finite number at step ${step} of ${this.#steps} (learning rate ${rate.toPrecision(3)}); ${kept}; ${this.#run.remedy}`,
    );
  }
}

const allFinite = (state: State): boolean =>
  Object.values(state).every(({ data }) => (data as Float32Array).every(Number.isFinite));
