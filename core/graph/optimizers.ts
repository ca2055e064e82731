/** Optimizers as expressions: parameter, gradient, state and learning rate in, new ones out. Sorted by increasing complexity. */
import { add, div, greater, mul, pow, reduceL2, sqrt, sub, where } from './ops.ts';
import { constant, type Tensor } from './tensor.ts';

/** What one parameter is updated from. */
export interface Update {
  readonly parameter: Tensor;
  /** In the shape of the parameter. */
  readonly gradient: Tensor;
  /** One tensor per slot, in the shape of the parameter; zeros at first. */
  readonly slots: readonly Tensor[];
  /** Learning rate, a scalar. */
  readonly rate: Tensor;
  /** Number of this update, 1 at first, a float32 scalar. */
  readonly step: Tensor;
  /** Whether weight decay applies to this parameter. */
  readonly decays: boolean;
}

export interface Optimizer {
  /** Names of the tensors it keeps per parameter. */
  readonly slots: readonly string[];
  /**
   * Whether every number is updated by itself, whatever tensor it is part of, and through what is kept of it: the next value follows
   * from the next of the slots, and these do not depend on the rate or the step.
   */
  readonly throughSlots: boolean;
  update(from: Update): { readonly parameter: Tensor; readonly slots: readonly Tensor[] };
}

const zero = constant(0);
const one = constant(1);

/** Plain gradient descent: p − rate · (g + decay · p). */
export function sgd({ weightDecay = 0 }: { weightDecay?: number } = {}): Optimizer {
  return {
    slots: [],
    throughSlots: false,
    update: ({ parameter, gradient, rate, decays }) => {
      const decayed = withDecay(gradient, parameter, decays ? weightDecay : 0);
      return { parameter: sub(parameter, mul(rate, decayed)), slots: [] };
    },
  };
}

const withDecay = (gradient: Tensor, parameter: Tensor, weightDecay: number) =>
  weightDecay === 0 ? gradient : add(gradient, mul(constant(weightDecay), parameter));

/**
 * Gradient descent with a velocity: v ← momentum · v + g + decay · p; p − rate · v. As torch.optim.SGD, but for the order of the sum:
 * a product of matrices can be added to the velocity while it is computed.
 */
export function momentum({ momentum = 0.9, weightDecay = 0 } = {}): Optimizer {
  return {
    slots: ['velocity'],
    throughSlots: true,
    update: ({ parameter, gradient, slots: [before], rate, decays }) => {
      const moved = add(mul(constant(momentum), before!), gradient);
      const velocity = withDecay(moved, parameter, decays ? weightDecay : 0);
      return { parameter: sub(parameter, mul(rate, velocity)), slots: [velocity] };
    },
  };
}

/**
 * Momentum behind layer-wise adaptive rate control (https://arxiv.org/abs/1708.03888): with both lengths above zero,
 * g ← (g + decay · p) · trust · |p| / (|g| + decay · |p| + 1e-8). Decay applies to every parameter.
 */
export function larc({ momentum: factor = 0.9, weightDecay = 1e-6, trust = 0.001 } = {}): Optimizer {
  const plain = momentum({ momentum: factor });
  return {
    slots: plain.slots,
    throughSlots: false,
    update: from => {
      const { parameter, gradient } = from;
      const [length, slope] = [reduceL2(parameter), reduceL2(gradient)];
      const decay = constant(weightDecay);
      const ratio = div(mul(constant(trust), length), add(add(slope, mul(decay, length)), constant(1e-8)));
      const adapted = mul(add(gradient, mul(decay, parameter)), ratio);
      return plain.update({ ...from, gradient: where(greater(mul(length, slope), zero), adapted, gradient) });
    },
  };
}

/** Adam with decoupled weight decay (https://arxiv.org/abs/1711.05101, algorithm 2), as torch.optim.AdamW. */
export function adamW({ beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0.05 } = {}): Optimizer {
  const moving = (factor: number, before: Tensor, now: Tensor) =>
    add(mul(constant(factor), before), mul(constant(1 - factor), now));
  const corrected = (moment: Tensor, factor: number, step: Tensor) =>
    div(moment, sub(one, pow(constant(factor), step)));
  return {
    slots: ['mean', 'square'],
    throughSlots: true,
    update: ({ parameter, gradient, slots: [oldMean, oldSquare], rate, step, decays }) => {
      const mean = moving(beta1, oldMean!, gradient);
      const square = moving(beta2, oldSquare!, mul(gradient, gradient));
      const direction = div(corrected(mean, beta1, step), add(sqrt(corrected(square, beta2, step)), constant(epsilon)));
      const kept = decays ? mul(parameter, sub(one, mul(rate, constant(weightDecay)))) : parameter;
      return { parameter: sub(kept, mul(rate, direction)), slots: [mean, square] };
    },
  };
}

/**
 * Layer-wise decay of the learning rate: decay^(depth + 1 − layer), so that the head (layer depth + 1) has 1 and the
 * stem (layer 0) the least.
 */
export const layerScale = (layer: number, depth: number, decay: number): number => decay ** (depth + 1 - layer);
