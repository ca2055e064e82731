/**
 * A training step as it is executed: one graph gives the loss and the gradients, small ones then update the state where it
 * lies. The numbers are those of the step as one graph, bit for bit; but the new state never stands beside the old one, and
 * what concerns many small tensors is done once for all of them.
 */
import { fasterForms } from './faster-forms.ts';
import type { ModelParts } from './model.ts';
import { endToEnd, packed } from './packing.ts';
import type { Parameter, RunningStatistic } from './parameters.ts';
import { decaysOf, lengthOf, rateScaleOf, type StateTensor, slotsOf, type TrainingStepParts } from './step-parts.ts';
import { type InputTensor, input, nodesBelow, scope, type Tensor } from './tensor.ts';

export interface StepProgram {
  /** Inputs: the batch, `rate`, and what the groups `read`. Outputs: `loss`, the metrics, and the `outputs` of every group. */
  readonly gradients: ModelParts;
  /**
   * How values change, each new one at once in the old one's place. Inputs in order: the values, what the optimizer keeps of them,
   * their gradients, the learning rate, the number of the update from 1 on. Outputs in order: the values and what is kept.
   */
  readonly updates: readonly ModelParts[];
  readonly groups: readonly StateGroup[];
}

/** State that is updated in one go. */
export interface StateGroup {
  /** The values, then what the optimizer keeps of them; in each the same tensors, which lie end to end. */
  readonly buffers: readonly (readonly StateTensor[])[];
  /** Inputs of the gradients' graph that are parts of the values. */
  readonly reads: readonly StatePart[];
  /**
   * Outputs of the gradients' graph which end to end say of the values: their gradients, or, where there is no `update`,
   * the new values.
   */
  readonly outputs: readonly string[];
  readonly update?: GroupUpdate;
}

export interface StatePart {
  readonly name: string;
  readonly dims: readonly number[];
  /** Number of values before it. */
  readonly from: number;
}

export interface GroupUpdate {
  /** Place among the `updates`; the graph takes any part of the buffers, [n]. */
  readonly graph: number;
  /** Factor of the learning rate. */
  readonly rateScale: number;
}

/** Tensors of the same rate and decay form groups of so many numbers: an update of less costs more by being asked for. */
const perGroup = 2 ** 18;

/** Small gradients that follow each other are one output of so many numbers, since each costs something; with more, maps would wait for each other. */
const perOutput = 2 ** 14;

interface Trained extends Parameter {
  /** Place among the parameters. */
  readonly place: number;
  readonly gradient: Tensor;
}

const dimsOf = ({ tensor }: Parameter) => tensor.dims as readonly number[];

/** The step as one graph, whose new state takes the place of the old one. */
export const inOneGraph = ({ model, state }: { model: ModelParts; state: readonly StateTensor[] }): StepProgram => ({
  gradients: model,
  updates: [],
  groups: state.map(tensor => ({
    buffers: [[tensor]],
    reads: [{ name: tensor.name, dims: tensor.dims, from: 0 }],
    outputs: [`${tensor.name}.next`],
  })),
});

/**
 * The step in parts.
 * @param gradients of the parameters of the step, whose optimizer is elementwise
 */
export function stepProgram(parts: TrainingStepParts, gradients: readonly Tensor[]): StepProgram {
  const { name, batch, loss, parameters, statistics = [], metrics = {} } = parts;
  const updates = new Updates(parts);
  const trained = parameters.map((parameter, place) => ({ ...parameter, place, gradient: gradients[place]! }));
  const made = [
    ...groupsOf(trained, parts).map(members => trainedGroup(members, updates)),
    ...movedTogether(statistics).map((members, i) => movedGroup(members, `next/${i}`)),
  ];
  const results = made.flatMap(({ results }) => results).toSorted((a, b) => a.place - b.place);
  // The runtime begins with what stands last: the loss needs large maps that would wait for it to the end.
  const outputs = Object.entries({
    ...Object.fromEntries(results.map(({ name, tensor }) => [name, tensor])),
    ...metrics,
    loss,
  });
  const faster = fasterForms(outputs.map(([, tensor]) => tensor));
  const read = inputsOf(faster);
  const groups = made.map(({ group, inputs }) => ({ ...group, reads: partsOf(inputs, read) }));
  const inputs = made.flatMap(({ inputs }) => inputs.flatMap(({ tensor }) => (read.has(tensor) ? [tensor] : [])));
  return {
    gradients: {
      name,
      inputs: [...batch, input('rate', 'float32', []), ...inputs],
      outputs: Object.fromEntries(outputs.map(([output], i) => [output, faster[i]!])),
    },
    updates: updates.graphs,
    groups,
  };
}

/** Runs of the items, each of `most` numbers together, or of one item that has more by itself. */
function runsOf<T extends Parameter>(items: readonly T[], most: number): T[][] {
  const runs: T[][] = [];
  let room = 0;
  for (const item of items) {
    const length = lengthOf(dimsOf(item));
    if (length <= room) runs.at(-1)!.push(item);
    else runs.push([item]);
    room = (length <= room ? room : most) - length;
  }
  return runs;
}

/** Parameters of the same rate and decay, in groups. */
function groupsOf(trained: readonly Trained[], parts: TrainingStepParts): (readonly Trained[])[] {
  const alike = new Map<string, Trained[]>();
  for (const parameter of trained) {
    const key = `${rateScaleOf(parts, parameter)} ${decaysOf(parts, parameter)}`;
    alike.set(key, [...(alike.get(key) ?? []), parameter]);
  }
  return [...alike.values()].flatMap(parameters => runsOf(parameters, perGroup));
}

/** Small vectors together, everything else by itself. */
function movedTogether(statistics: readonly RunningStatistic[]): (readonly RunningStatistic[])[] {
  const small = ({ tensor: { dims } }: RunningStatistic) => dims.length === 1;
  const together = statistics.filter(small);
  const others = statistics.filter(statistic => !small(statistic)).map(statistic => [statistic]);
  return together.length > 0 ? [...others, together] : others;
}

interface MadeGroup {
  readonly group: Omit<StateGroup, 'reads'>;
  readonly results: readonly { readonly name: string; readonly tensor: Tensor; readonly place: number }[];
  /** Inputs that could be read, and where they lie among the values. */
  readonly inputs: readonly { readonly tensor: InputTensor; readonly from: number }[];
}

function trainedGroup(members: readonly Trained[], updates: Updates): MadeGroup {
  const [first] = members;
  const results = runsOf(members, perOutput).map(run => {
    const gradients = run.map(({ gradient }) => gradient);
    const tensor = run.length === 1 ? numbersOf(gradients[0]!) : scope('update', () => endToEnd(gradients));
    const { place } = run[0]!;
    return { name: `gradient/${place}`, tensor, place };
  });
  const outputs = results.map(({ name }) => name);
  return {
    group: { buffers: updates.buffersOf(members), outputs, update: updates.of(first!) },
    results,
    inputs: placed(members),
  };
}

/** The same numbers in the shape in which they are made, since the runtime copies them for another one. */
function numbersOf(tensor: Tensor): Tensor {
  return tensor.kind === 'node' && tensor.node.op === 'Reshape' ? numbersOf(tensor.node.inputs[0]!) : tensor;
}

function movedGroup(members: readonly RunningStatistic[], name: string): MadeGroup {
  const nexts = members.map(({ next }) => next);
  const inputs = placed(members);
  const group = { buffers: [members.map(stateOf)], outputs: [name] };
  const result = (tensor: Tensor) => [{ name, tensor, place: Number.POSITIVE_INFINITY }];
  if (members.length === 1) return { group, results: result(nexts[0]!), inputs };
  const length = members.reduce((sum, member) => sum + lengthOf(dimsOf(member)), 0);
  const before = input(`before/${name}`, 'float32', [length]);
  const all = (vectors: readonly Tensor[]) => vectors.every((vector, i) => vector === members[i]!.tensor);
  const next = scope('update', () => packed(nexts, vectors => (all(vectors) ? before : undefined)));
  return { group, results: result(next), inputs: [...inputs, { tensor: before, from: 0 }] };
}

function placed(members: readonly Parameter[]): { tensor: InputTensor; from: number }[] {
  let end = 0;
  return members.map(member => {
    const from = end;
    end += lengthOf(dimsOf(member));
    return { tensor: member.tensor, from };
  });
}

const stateOf = ({ name, tensor, initial }: Parameter): StateTensor => ({
  name,
  dims: tensor.dims as readonly number[],
  initial,
});

function inputsOf(outputs: readonly Tensor[]): ReadonlySet<Tensor> {
  const read = [...outputs, ...nodesBelow(outputs).flatMap(node => node.inputs)];
  return new Set(read.filter(({ kind }) => kind === 'input'));
}

const partsOf = (inputs: MadeGroup['inputs'], read: ReadonlySet<Tensor>): StatePart[] =>
  inputs.flatMap(({ tensor, from }) =>
    read.has(tensor) ? [{ name: tensor.name, dims: tensor.dims as readonly number[], from }] : [],
  );

/** The graphs by which the optimizer updates any numbers, with decay and without. */
class Updates {
  readonly #parts: TrainingStepParts;
  readonly #places = new Map<boolean, number>();
  readonly graphs: ModelParts[] = [];

  constructor(parts: TrainingStepParts) {
    this.#parts = parts;
  }

  buffersOf(members: readonly Parameter[]): StateTensor[][] {
    const kept = members.map(({ name, tensor }) => slotsOf(this.#parts, name, tensor.dims as readonly number[]));
    return [members.map(stateOf), ...this.#parts.optimizer.slots.map((_, i) => kept.map(slots => slots[i]!))];
  }

  of(parameter: Parameter): GroupUpdate {
    const decays = decaysOf(this.#parts, parameter);
    const graph = this.#places.get(decays) ?? this.graphs.push(updateGraph(this.#parts, decays)) - 1;
    this.#places.set(decays, graph);
    return { graph, rateScale: rateScaleOf(this.#parts, parameter) };
  }
}

function updateGraph({ optimizer }: TrainingStepParts, decays: boolean): ModelParts {
  const [parameter, gradient, ...slots] = ['parameter', 'gradient', ...optimizer.slots].map(name =>
    input(name, 'float32', ['n']),
  ) as [InputTensor, InputTensor, ...InputTensor[]];
  const [rate, step] = [input('rate', 'float32', []), input('step', 'float32', [])];
  const next = optimizer.update({ parameter, gradient, slots, rate, step, decays });
  const [before, after] = [
    [parameter, ...slots],
    [next.parameter, ...next.slots],
  ];
  checkOverwriting(before, after);
  const outputs = before.map(({ name }, i) => [`${name}.next`, after[i]!]);
  return {
    name: 'update',
    inputs: [parameter, ...slots, gradient, rate, step],
    outputs: Object.fromEntries(outputs),
  };
}

/** @throws Error if new values cannot take the place of the old ones while they are made, because something may still read those */
function checkOverwriting(before: readonly InputTensor[], after: readonly Tensor[]): void {
  const all = nodesBelow(after);
  for (const [i, value] of before.entries()) {
    const first = new Set(nodesBelow([after[i]!]));
    if (all.some(node => node.inputs.includes(value) && !first.has(node)))
      throw new Error(`the optimizer reads ${value.name} for something else than its next value`);
  }
}
