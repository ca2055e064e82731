/** One step of training as one pure graph: a batch, the state and a learning rate in, the loss and the new state out. */
import { PermanentError } from '../errors.ts';
import { fasterForms } from './faster-forms.ts';
import { type GradientOptions, gradientsOf } from './gradients.ts';
import type { ModelParts } from './model.ts';
import { add, mul } from './ops.ts';
import type { Optimizer } from './optimizers.ts';
import type { Parameter, RunningStatistic } from './parameters.ts';
import { constant, type InputTensor, input, scope, type Tensor } from './tensor.ts';

export interface TrainingStepParts extends GradientOptions {
  readonly name: string;
  /** What is fed anew at every step: images, targets. */
  readonly batch: readonly InputTensor[];
  /** One float32 number. */
  readonly loss: Tensor;
  readonly parameters: readonly Parameter[];
  readonly statistics?: readonly RunningStatistic[];
  readonly optimizer: Optimizer;
  /** Factor of the learning rate for a parameter. Default 1. */
  rateScale?(name: string): number;
  /** Whether weight decay applies to a parameter. Default: to those with more than one axis. */
  decays?(name: string, dims: readonly number[]): boolean;
  /** Further outputs, by name. */
  readonly metrics?: Readonly<Record<string, Tensor>>;
}

/** A tensor that goes in as `name` and comes out as `name.next`. */
export interface StateTensor {
  readonly name: string;
  readonly dims: readonly number[];
  readonly initial: Float32Array;
}

export interface TrainingStep {
  /** Inputs: the batch, `rate`, the state. Outputs: `loss`, the metrics, the state by `name.next`. */
  readonly model: ModelParts;
  /** Parameters, running statistics, what the optimizer keeps (`slot/name`), and the number of steps (`step`). */
  readonly state: readonly StateTensor[];
}

interface Pair {
  readonly tensor: InputTensor;
  readonly next: Tensor;
  readonly initial: Float32Array;
}

const lengthOf = (dims: readonly number[]) => dims.reduce((a, b) => a * b, 1);

function updateOf(
  { name, tensor, initial }: Parameter,
  gradient: Tensor,
  { optimizer, rateScale = () => 1, decays = (_name, dims) => dims.length > 1 }: TrainingStepParts,
  rate: Tensor,
  step: Tensor,
): Pair[] {
  const dims = tensor.dims as readonly number[];
  const slots = optimizer.slots.map(slot => input(`${slot}/${name}`, 'float32', dims));
  const factor = rateScale(name);
  const scaled = factor === 1 ? rate : mul(rate, constant(factor));
  const from = { parameter: tensor, gradient, slots, rate: scaled, step, decays: decays(name, dims) };
  const updated = scope('update', () => optimizer.update(from));
  const kept = slots.map((slot, i) => ({
    tensor: slot,
    next: updated.slots[i]!,
    initial: new Float32Array(lengthOf(dims)),
  }));
  return [{ tensor, next: updated.parameter, initial }, ...kept];
}

/**
 * Builds the step. Running it is `state = run(step, { ...batch, rate, ...state })`, with `.next` taken off the names.
 * @throws PermanentError if there are no parameters, or naming the operator between them and the loss that has no gradient
 */
export function trainingStep(parts: TrainingStepParts): TrainingStep {
  const { name, batch, loss, parameters, statistics = [], metrics = {}, held = [] } = parts;
  if (parameters.length === 0)
    throw new PermanentError(
      `${name}: nothing to train; no weight is chosen, or the model stores its weights in another type than float32`,
    );
  const rate = input('rate', 'float32', []);
  const before = input('step', 'float32', []);
  const step = scope('update', () => add(before, constant(1)));
  const gradients = gradientsOf(
    loss,
    parameters.map(({ tensor }) => tensor),
    { held },
  );
  const updates = parameters.flatMap((parameter, i) => updateOf(parameter, gradients[i]!, parts, rate, step));
  const pairs: Pair[] = [...updates, ...statistics, { tensor: before, next: step, initial: new Float32Array(1) }];
  const next = Object.fromEntries(pairs.map(({ tensor, next }) => [`${tensor.name}.next`, next]));
  // The runtime begins with what stands last: the loss needs large maps that would wait for it to the end.
  const outputs = Object.entries({ ...next, ...metrics, loss });
  const faster = fasterForms(outputs.map(([, tensor]) => tensor));
  return {
    model: {
      name,
      inputs: [...batch, rate, ...pairs.map(({ tensor }) => tensor)],
      outputs: Object.fromEntries(outputs.map(([output], i) => [output, faster[i]!])),
    },
    state: pairs.map(({ tensor, initial }) => ({
      name: tensor.name,
      dims: tensor.dims as readonly number[],
      initial,
    })),
  };
}
