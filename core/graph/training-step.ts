/** One step of training as one pure graph: a batch, the state and a learning rate in, the loss and the new state out. */
import { PermanentError } from '../errors.ts';
import { fasterForms } from './faster-forms.ts';
import { gradientsOf } from './gradients.ts';
import type { ModelParts } from './model.ts';
import { add, mul } from './ops.ts';
import type { Parameter } from './parameters.ts';
import { decaysOf, rateScaleOf, type StateTensor, slotsOf, type TrainingStepParts } from './step-parts.ts';
import { inOneGraph, type StepProgram, stepProgram } from './step-program.ts';
import { constant, type InputTensor, input, scope, type Tensor } from './tensor.ts';

export interface TrainingStep {
  /** The step's definition. Inputs: the batch, `rate`, the state. Outputs: `loss`, the metrics, the state by `name.next`. */
  readonly model: ModelParts;
  /** Parameters, running statistics, what the optimizer keeps (`slot/name`), and the number of steps (`step`). */
  readonly state: readonly StateTensor[];
  /** The form that is executed: the same numbers, bit for bit. Where the optimizer looks at whole tensors, or keeps nothing, it is the one graph. */
  readonly program: StepProgram;
}

interface Pair {
  readonly tensor: InputTensor;
  readonly next: Tensor;
  readonly initial: Float32Array;
}

function updateOf(
  parameter: Parameter,
  gradient: Tensor,
  parts: TrainingStepParts,
  rate: Tensor,
  step: Tensor,
): Pair[] {
  const { name, tensor, initial } = parameter;
  const kept = slotsOf(parts, name, tensor.dims as readonly number[]);
  const slots = kept.map(slot => input(slot.name, 'float32', slot.dims));
  const factor = rateScaleOf(parts, parameter);
  const scaled = factor === 1 ? rate : mul(rate, constant(factor));
  const from = { parameter: tensor, gradient, slots, rate: scaled, step, decays: decaysOf(parts, parameter) };
  const updated = scope('update', () => parts.optimizer.update(from));
  const next = slots.map((slot, i) => ({ tensor: slot, next: updated.slots[i]!, initial: kept[i]!.initial }));
  return [{ tensor, next: updated.parameter, initial }, ...next];
}

/**
 * Builds the step. Running its model is `state = run(model, { ...batch, rate, ...state })`, with `.next` taken off the names.
 * @throws PermanentError if there are no parameters, or naming the operator between them and the loss that has no gradient
 */
export function trainingStep(parts: TrainingStepParts): TrainingStep {
  const { name, loss, parameters, held = [] } = parts;
  if (parameters.length === 0)
    throw new PermanentError(
      `${name}: nothing to train; no weight is chosen, or the model stores its weights in another type than float32`,
    );
  const gradients = gradientsOf(
    loss,
    parameters.map(({ tensor }) => tensor),
    { held },
  );
  const whole = onDemand(() => wholeStep(parts, gradients));
  const program = onDemand(() => (parts.optimizer.throughSlots ? stepProgram(parts, gradients) : inOneGraph(whole())));
  return {
    get model() {
      return whole().model;
    },
    get state() {
      return whole().state;
    },
    get program() {
      return program();
    },
  };
}

/** Who runs a step needs one of its forms. */
function onDemand<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}

function wholeStep(parts: TrainingStepParts, gradients: readonly Tensor[]): Pick<TrainingStep, 'model' | 'state'> {
  const { name, batch, loss, parameters, statistics = [], metrics = {} } = parts;
  const rate = input('rate', 'float32', []);
  const before = input('step', 'float32', []);
  const step = scope('update', () => add(before, constant(1)));
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
