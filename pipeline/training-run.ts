/** Runs a training step again and again: checkpoints that a killed run goes on from to the same bytes, metrics, a budget in steps or minutes. */
import { PermanentError } from '#core/errors';
import { readSafetensors, type SavedTensor, writeSafetensors } from '#core/formats/safetensors';
import { toModel } from '#core/graph/model';
import type { StateTensor } from '#core/graph/step-parts';
import type { StepProgram } from '#core/graph/step-program';
import type { TrainingStep } from '#core/graph/training-step';
import { fromJson, toJson } from './documents.ts';
import { mapInOrder } from './in-flight.ts';
import type { ObjectStore, Ports, Tensors, TensorValue, Trainer, TrainingGraphs, TrainingState } from './ports.ts';
import { beginSlice, SliceOver } from './slices.ts';

/** Everything is a function of the number of the step (from 0 on), so that a run can go on anywhere. */
export interface TrainingRun {
  /** As people name it, in messages and progress. */
  readonly name: string;
  readonly step: Pick<TrainingStep, 'program'>;
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
  /** The state by name, as the last step left it: parameters, running statistics, what the optimizer keeps. Parts of larger buffers. */
  readonly values: ReadonlyMap<string, Float32Array>;
  readonly history: readonly StepRecord[];
}

interface Position {
  /** Steps done. */
  readonly done: number;
  readonly state: TrainingState;
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
  const { program } = run.step;
  const graphs = graphsOf(program);
  const hash = hashOf(ports, program, graphs);
  const trainer = await ports.models.train(graphs, { threads: ports.tuning.threads });
  try {
    const { state, done, history } = await startOf(ports, run, hash);
    await trainer.put(state);
    const steps = await settleSteps(ports, run, trainer);
    return await new Runner(ports, run, { trainer, hash, steps, done, history }).toTheEnd();
  } finally {
    await trainer.release();
  }
}

export const graphsOf = ({ gradients, updates, groups }: StepProgram): TrainingGraphs => ({
  gradients: toModel(gradients),
  updates: updates.map(toModel),
  groups: groups.map(({ reads, writes, update }) => ({ reads, writes, update })),
});

/** Removes what a finished run needs no more. */
export async function clearTraining(store: ObjectStore, prefix: string): Promise<void> {
  for (const key of Object.values(runKeys(prefix))) await store.delete(key);
}

/** One JSON object per line. */
export const historyLines = (history: readonly StepRecord[]): Uint8Array =>
  new TextEncoder().encode(history.map(record => `${JSON.stringify(record)}\n`).join(''));

/** The step's graphs and the numbers that it starts from. */
function hashOf({ digest }: Ports, program: StepProgram, { gradients, updates, groups }: TrainingGraphs): string {
  const sha256 = ({ buffer, byteOffset, byteLength }: Float32Array) =>
    digest.sha256(new Uint8Array(buffer, byteOffset, byteLength));
  const start = program.groups.map(({ buffers }) =>
    buffers.map(tensors => tensors.map(({ name, dims, initial }) => [name, dims, sha256(initial)])),
  );
  return digest.sha256(toJson([[gradients, ...updates].map(digest.sha256), groups, start]));
}

/** The numbers of a step's state, in buffers as its groups have them. */
export const stateOf = (
  { groups }: StepProgram,
  numbersOf: (tensor: StateTensor) => Float32Array = ({ initial }) => initial,
): TrainingState => groups.map(({ buffers }) => buffers.map(tensors => endToEnd(tensors.map(numbersOf))));

function endToEnd(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let end = 0;
  for (const part of parts) {
    all.set(part, end);
    end += part.length;
  }
  return all;
}

/** The tensors that lie in the buffers, by name. */
export function tensorsIn({ groups }: StepProgram, state: TrainingState): Map<string, SavedTensor> {
  const found = new Map<string, SavedTensor>();
  for (const [i, { buffers }] of groups.entries())
    for (const [j, tensors] of buffers.entries()) {
      let end = 0;
      for (const { name, dims, initial } of tensors) {
        found.set(name, { dims, data: state[i]![j]!.subarray(end, end + initial.length) });
        end += initial.length;
      }
    }
  return found;
}

/** Where the run begins: at its checkpoint, if there is one. */
async function startOf({ store }: Ports, { step, prefix, name }: TrainingRun, hash: string): Promise<Position> {
  const key = runKeys(prefix).checkpoint;
  const bytes = await store.get(key);
  if (!bytes) return { done: 0, state: stateOf(step.program), history: [] };
  const { tensors, metadata } = readSafetensors(bytes, key);
  if (metadata.model !== hash)
    throw new PermanentError(
      `${key} is a checkpoint of another model than this ${name}; remove it, or give the network it was made with`,
    );
  return {
    done: Number(metadata.step),
    state: stateOf(step.program, ({ name }) => tensors.get(name)!.data),
    history: JSON.parse(metadata.history!) as StepRecord[],
  };
}

const scalar = (value: number): TensorValue => ({ type: 'float32', dims: [], data: Float32Array.of(value) });

/** Steps that are tried for a budget in minutes: the first one warms up, the others are timed. */
const trialSteps = 3;

/**
 * How many steps the run has. A budget in minutes is turned into steps once, by the time of the first ones; the number is
 * stored, so that a run which goes on later, faster or slower, still does the same.
 */
async function settleSteps(ports: Ports, run: TrainingRun, trainer: Trainer): Promise<number> {
  if ('steps' in run.budget) return run.budget.steps;
  const { store, clock } = ports;
  const key = runKeys(run.prefix).steps;
  const known = await store.get(key);
  if (known) return fromJson<{ steps: number }>(known).steps;
  let began = clock.now();
  for (let i = 0; i < trialSteps; i++) {
    await trainer.gradients({ ...(await run.feeds(i)), rate: scalar(0) }, true);
    await trainer.update({ rate: 0, step: 1, trial: true });
    if (i === 0) began = clock.now();
  }
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

interface RunnerParts {
  /** It has the state. */
  readonly trainer: Trainer;
  readonly hash: string;
  readonly steps: number;
  readonly done: number;
  readonly history: readonly StepRecord[];
}

class Runner {
  readonly #ports: Ports;
  readonly #run: TrainingRun;
  readonly #trainer: Trainer;
  readonly #hash: string;
  readonly #steps: number;
  readonly #history: StepRecord[];
  #done: number;
  /** Of the last checkpoint: steps done, and when it was written. */
  #saved: number;
  #savedAt: number;

  constructor(ports: Ports, run: TrainingRun, { trainer, hash, steps, done, history }: RunnerParts) {
    this.#ports = ports;
    this.#run = run;
    this.#trainer = trainer;
    this.#hash = hash;
    this.#steps = steps;
    this.#history = [...history];
    [this.#done, this.#saved, this.#savedAt] = [done, done, ports.clock.now()];
  }

  async toTheEnd(): Promise<Trained> {
    const { name, prefix, feeds, step } = this.#run;
    const isSliceOver = beginSlice(this.#ports);
    const ahead = mapInOrder(numbers(this.#done, this.#steps), batchesAhead, i => feeds(i));
    for await (const batch of ahead) {
      await this.#step(batch);
      this.#ports.log.progress(name, prefix, this.#done, this.#steps);
      if (this.#done === this.#steps || !isSliceOver()) continue;
      await this.#saveGood();
      throw new SliceOver(`${name}: step ${this.#done} of ${this.#steps}`);
    }
    const values = [...tensorsIn(step.program, await this.#saveGood())];
    return { values: new Map(values.map(([name, { data }]) => [name, data])), history: this.#history };
  }

  async #step(batch: Tensors): Promise<void> {
    const rate = this.#run.rate(this.#done, this.#steps);
    const step = this.#done + 1;
    const saves = this.#isTimeToSave();
    const told = await this.#trainer.gradients({ ...batch, rate: scalar(rate) }, saves);
    const record: StepRecord = { step, loss: told.loss!, rate, ...told };
    if (!Number.isFinite(record.loss)) throw this.#broken(record);
    // Parameters are good once a loss was computed from them: those before the update are, those after it may not be.
    if (saves) {
      const state = await this.#trainer.take();
      await this.#save(state);
      await this.#trainer.put(state);
    }
    await this.#trainer.update({ rate, step });
    this.#history.push(record);
    this.#done = step;
  }

  #isTimeToSave(): boolean {
    const seconds = this.#run.checkpointSeconds ?? 20;
    return this.#done > this.#saved && this.#ports.clock.now() - this.#savedAt >= 1000 * seconds;
  }

  /** At an end no later loss can tell whether the parameters are good. */
  async #saveGood(): Promise<TrainingState> {
    const state = await this.#trainer.take();
    const last = this.#history.at(-1);
    if (last && !allFinite(state)) throw this.#broken(last);
    await this.#save(state);
    return state;
  }

  async #save(state: TrainingState): Promise<void> {
    const metadata = {
      model: this.#hash,
      step: String(this.#done),
      steps: String(this.#steps),
      history: JSON.stringify(this.#history),
    };
    const { checkpoint, log } = runKeys(this.#run.prefix);
    const { store, clock } = this.#ports;
    await store.put(checkpoint, writeSafetensors({ tensors: tensorsIn(this.#run.step.program, state), metadata }));
    await store.put(log, historyLines(this.#history));
    [this.#saved, this.#savedAt] = [this.#done, clock.now()];
  }

  #broken({ step, loss, rate }: StepRecord): PermanentError {
    const kept = this.#saved ? `the checkpoint after step ${this.#saved} stays` : 'there is no checkpoint yet';
    const what = Number.isFinite(loss) ? 'a parameter' : 'the loss';
    return new PermanentError(
      `${this.#run.name}: ${what} is no finite number at step ${step} of ${this.#steps} (learning rate ${rate.toPrecision(3)}); ${kept}; ${this.#run.remedy}`,
    );
  }
}

const allFinite = (state: TrainingState): boolean => state.flat().every(numbers => numbers.every(Number.isFinite));
