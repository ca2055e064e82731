/**
 * A training step as it is executed: one graph gives the loss and moves on what the optimizer keeps, small ones then update the
 * values from that. The numbers are those of the step as one graph, bit for bit; but the new state never stands beside the old one,
 * no gradient waits for another, and what concerns many small tensors is done once for all of them.
 */
import { fewNumbers } from './additions.ts';
import { fasterForms } from './faster-forms.ts';
import type { ModelParts } from './model.ts';
import { endToEnd, packed } from './packing.ts';
import type { Parameter, RunningStatistic } from './parameters.ts';
import { rewrite } from './rewrite.ts';
import { decaysOf, lengthOf, rateScaleOf, type StateTensor, slotsOf, type TrainingStepParts } from './step-parts.ts';
import { type InputTensor, input, nodesBelow, scope, type Tensor } from './tensor.ts';

export interface StepProgram {
  /** Inputs: the batch, `rate`, and what the groups `read`. Outputs: what they `write`, the metrics, and `loss`. */
  readonly gradients: ModelParts;
  /**
   * How values change, each new one at once in the old one's place. Inputs in order: the values, what the optimizer keeps of them by
   * now, the learning rate, the number of the update from 1 on. Output: the values.
   */
  readonly updates: readonly ModelParts[];
  readonly groups: readonly StateGroup[];
}

/** State that is updated in one go. */
export interface StateGroup {
  /** The values, then what the optimizer keeps of them; in each the same tensors, which lie end to end. */
  readonly buffers: readonly (readonly StateTensor[])[];
  /** Inputs of the gradients' graph that are parts of the buffers. */
  readonly reads: readonly StatePart[];
  /**
   * Its outputs, the next numbers of parts of the buffers: of all the values, or, where these are updated, of all that the optimizer
   * keeps. The latter may be written in their place: nothing reads that but what makes the next.
   */
  readonly writes: readonly StatePart[];
  readonly update?: GroupUpdate;
}

export interface StatePart {
  readonly name: string;
  readonly dims: readonly number[];
  /** Place of the buffer in its group. */
  readonly buffer: number;
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

interface Trained extends Parameter {
  /** Place among the parameters. */
  readonly place: number;
  readonly gradient: Tensor;
}

const elementsOf = ({ dims }: Pick<Tensor, 'dims'>) => lengthOf(dims as readonly number[]);

/** The step as one graph, whose new state takes the place of the old one. */
export const inOneGraph = ({ model, state }: { model: ModelParts; state: readonly StateTensor[] }): StepProgram => ({
  gradients: model,
  updates: [],
  groups: state.map(tensor => ({
    buffers: [[tensor]],
    reads: [{ name: tensor.name, dims: tensor.dims, buffer: 0, from: 0 }],
    writes: [{ name: `${tensor.name}.next`, dims: tensor.dims, buffer: 0, from: 0 }],
  })),
});

/**
 * The step in parts.
 * @param gradients of the parameters of the step, whose optimizer updates them through what it keeps
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
  const used = inputsOf(faster);
  const readBy = made.map(({ inputs }) => inputs.filter(({ tensor }) => used.has(tensor)));
  const groups = made.map(({ group, results }, i) => ({
    ...group,
    reads: partsOf(readBy[i]!),
    writes: partsOf(results),
  }));
  return {
    gradients: {
      name,
      inputs: [...batch, input('rate', 'float32', []), ...readBy.flat().map(({ tensor }) => tensor)],
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
    const length = elementsOf(item.tensor);
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

/** Part of the state as a tensor of the gradients' graph. */
interface Part<T extends Tensor> extends StatePart {
  readonly tensor: T;
}

interface MadeGroup {
  readonly group: Omit<StateGroup, 'reads' | 'writes'>;
  readonly results: readonly (Part<Tensor> & { readonly place: number })[];
  /** Inputs that could be read. */
  readonly inputs: readonly Part<InputTensor>[];
}

function partOf<T extends Tensor>(tensor: T, part: Omit<Part<T>, 'tensor' | 'dims'>): Part<T> {
  return { ...part, dims: tensor.dims as readonly number[], tensor };
}

function trainedGroup(members: readonly Trained[], updates: Updates): MadeGroup {
  let end = 0;
  // Each costs something; with more numbers, maps would wait for each other.
  const runs = runsOf(members, fewNumbers).map(run => {
    const from = end;
    const gradients = run.map(({ gradient }) => gradient);
    const gradient = run.length === 1 ? numbersOf(gradients[0]!) : scope('update', () => endToEnd(gradients));
    end += elementsOf(gradient);
    return updates.kept(run[0]!, gradient, from);
  });
  return {
    group: { buffers: updates.buffersOf(members), update: updates.of(members[0]!) },
    results: runs.flatMap(({ results }) => results),
    inputs: [...placed(members), ...runs.flatMap(({ inputs }) => inputs)],
  };
}

/** The same numbers in the shape in which they are made, since the runtime copies them for another one. */
function numbersOf(tensor: Tensor): Tensor {
  return tensor.kind === 'node' && tensor.node.op === 'Reshape' ? numbersOf(tensor.node.inputs[0]!) : tensor;
}

function movedGroup(members: readonly RunningStatistic[], name: string): MadeGroup {
  const nexts = members.map(({ next }) => next);
  const inputs = placed(members);
  const group = { buffers: [members.map(stateOf)] };
  const part = { buffer: 0, from: 0 };
  const result = (tensor: Tensor) => [{ ...partOf(tensor, { name, ...part }), place: Number.POSITIVE_INFINITY }];
  if (members.length === 1) return { group, results: result(nexts[0]!), inputs };
  const length = members.reduce((sum, { tensor }) => sum + elementsOf(tensor), 0);
  const before = input(`before/${name}`, 'float32', [length]);
  const all = (vectors: readonly Tensor[]) => vectors.every((vector, i) => vector === members[i]!.tensor);
  const next = scope('update', () => packed(nexts, vectors => (all(vectors) ? before : undefined)));
  return { group, results: result(next), inputs: [...inputs, partOf(before, { name: before.name, ...part })] };
}

function placed(members: readonly Parameter[]): Part<InputTensor>[] {
  let end = 0;
  return members.map(({ tensor }) => {
    const from = end;
    end += elementsOf(tensor);
    return partOf(tensor, { name: tensor.name, buffer: 0, from });
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

const partsOf = (parts: readonly Part<Tensor>[]): StatePart[] =>
  parts.map(({ name, dims, buffer, from }) => ({ name, dims, buffer, from }));

/** How the optimizer changes any numbers: what it keeps within the gradients' graph, the values by graphs of its own, with decay and without. */
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

  /** What is kept of values from here on, moved on by their gradient, in its shape. */
  kept(first: Trained, gradient: Tensor, from: number): Pick<MadeGroup, 'results' | 'inputs'> {
    const { optimizer } = this.#parts;
    const { place } = first;
    const [parameter, ...slots] = ['values', ...optimizer.slots].map(name =>
      input(`${name}/${place}`, 'float32', gradient.dims),
    ) as [InputTensor, ...InputTensor[]];
    const [rate, step] = [input('rate', 'float32', []), input('step', 'float32', [])];
    const decays = decaysOf(this.#parts, first);
    const next = scope('update', () => optimizer.update({ parameter, gradient, slots, rate, step, decays }));
    checkOverwriting(slots, next.slots);
    const read = inputsOf(next.slots);
    if (read.has(rate) || read.has(step)) throw new Error('what the optimizer keeps depends on the rate or the step');
    return {
      results: next.slots.map((tensor, i) => ({
        ...partOf(tensor, { name: `${slots[i]!.name}.next`, buffer: i + 1, from }),
        place,
      })),
      inputs: [parameter, ...slots].map((tensor, buffer) => partOf(tensor, { name: tensor.name, buffer, from })),
    };
  }

  of(parameter: Parameter): GroupUpdate {
    const decays = decaysOf(this.#parts, parameter);
    const graph = this.#places.get(decays) ?? this.graphs.push(updateGraph(this.#parts, decays)) - 1;
    this.#places.set(decays, graph);
    return { graph, rateScale: rateScaleOf(this.#parts, parameter) };
  }
}

/** The values from what the optimizer keeps of them by now. */
function updateGraph({ optimizer }: TrainingStepParts, decays: boolean): ModelParts {
  const vector = (name: string) => input(name, 'float32', ['n']);
  const [parameter, gradient] = [vector('parameter'), vector('gradient')];
  const [before, kept] = [optimizer.slots.map(vector), optimizer.slots.map(vector)];
  const [rate, step] = [input('rate', 'float32', []), input('step', 'float32', [])];
  const next = optimizer.update({ parameter, gradient, slots: before, rate, step, decays });
  const moved = new Map(next.slots.map((slot, i) => [slot, kept[i]!]));
  const [value] = rewrite([next.parameter], { node: ({ outputs }) => keptOf(outputs, moved) });
  const read = inputsOf([value!]);
  if ([gradient, ...before].some(tensor => read.has(tensor)))
    throw new Error('the optimizer updates values by more than what it keeps of them');
  checkOverwriting([parameter], [value!]);
  return { name: 'update', inputs: [parameter, ...kept, rate, step], outputs: { 'parameter.next': value! } };
}

function keptOf(outputs: readonly Tensor[], moved: ReadonlyMap<Tensor, Tensor>): readonly Tensor[] | undefined {
  const kept = moved.get(outputs[0]!);
  return kept && [kept];
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
