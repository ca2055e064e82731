/** What a training step is made of. */
import type { GradientOptions } from './gradients.ts';
import type { Optimizer } from './optimizers.ts';
import type { Parameter, RunningStatistic } from './parameters.ts';
import type { InputTensor, Tensor } from './tensor.ts';

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

export const lengthOf = (dims: readonly number[]) => dims.reduce((a, b) => a * b, 1);

/** What the optimizer keeps of a parameter. */
export const slotsOf = ({ optimizer }: TrainingStepParts, name: string, dims: readonly number[]): StateTensor[] =>
  optimizer.slots.map(slot => ({ name: `${slot}/${name}`, dims, initial: new Float32Array(lengthOf(dims)) }));

export const rateScaleOf = ({ rateScale }: TrainingStepParts, { name }: Parameter): number => rateScale?.(name) ?? 1;

export function decaysOf({ decays }: TrainingStepParts, { name, tensor }: Parameter): boolean {
  const dims = tensor.dims as readonly number[];
  return decays ? decays(name, dims) : dims.length > 1;
}
