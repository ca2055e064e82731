/** Stored weights made trainable: constants of a graph become inputs, and batch normalisation takes batch statistics. */
import { PermanentError } from '../errors.ts';
import { moved, normalizeByBatch, unbiased } from './batch-statistics.ts';
import type { ImportedModel } from './import.ts';
import type { Op } from './ops.ts';
import { rewrite } from './rewrite.ts';
import {
  type ConstantTensor,
  constant,
  constantData,
  type GraphNode,
  type InputTensor,
  input,
  type NodeOf,
  nodesBelow,
  type Tensor,
} from './tensor.ts';

/** A weight that is trained. */
export interface Parameter {
  readonly name: string;
  readonly tensor: InputTensor;
  readonly initial: Float32Array;
}

/** A tensor that each step replaces, though nothing is differentiated for it. */
export interface RunningStatistic extends Parameter {
  readonly next: Tensor;
}

export interface Trainable {
  /** The tensors asked for, computed from parameters. */
  readonly outputs: readonly Tensor[];
  /** In the order in which the graph first reads them. */
  readonly parameters: readonly Parameter[];
  readonly statistics: readonly RunningStatistic[];
}

export interface TrainableOptions {
  /** Stored tensors by name, as a model has them in `constants`. */
  readonly weights: ReadonlyMap<string, Tensor>;
  /**
   * Which of the weights are trained; the others are frozen. Default: all float32 tensors of more than one number that
   * are multiplied or added, so leave out the mean and spread of the images where the file holds them.
   */
  trains?(name: string, dims: readonly number[]): boolean;
  /** `batch`: nodes of batch normalisation use the batch and move their running statistics. Default: `stored`. */
  readonly statistics?: 'stored' | 'batch';
  /** Share of a new batch in the running statistics. Default 0.1. */
  readonly momentum?: number;
}

/** Inputs that hold weights, by operator. Numbers elsewhere (bounds, scales, statistics) are settings. */
const weightInputs: { readonly [O in Op]?: readonly number[] } = {
  Conv: [1, 2],
  ConvTranspose: [1, 2],
  MatMul: [0, 1],
  Gemm: [0, 1, 2],
  BatchNormalization: [1, 2],
  LayerNormalization: [1, 2],
  Add: [0, 1],
  Sub: [0, 1],
  Mul: [0, 1],
  Concat: [0, 1],
  Gather: [0],
  Expand: [0],
  Reshape: [0],
  Transpose: [0],
  Unsqueeze: [0],
};

const isWeight = (tensor: Tensor): tensor is ConstantTensor =>
  tensor.kind === 'constant' && tensor.type === 'float32' && tensor.bytes.length > 4;

/** The weights that nodes read as such, in order: float32, more than one number. */
function weightsOf(nodes: readonly GraphNode[]): ConstantTensor[] {
  const read = nodes.flatMap(node => (weightInputs[node.op] ?? []).flatMap(i => node.inputs[i] ?? []));
  return [...new Set(read.filter(isWeight))];
}

const parameterOf = (name: string, tensor: ConstantTensor): Parameter => ({
  name,
  tensor: input(name, 'float32', tensor.dims),
  initial: constantData(tensor) as Float32Array,
});

/** Running statistics of one graph; a normalisation that is applied twice moves its own twice. */
class Running {
  readonly #names: ReadonlyMap<Tensor, string>;
  readonly #momentum: number;
  readonly #statistics = new Map<Tensor, RunningStatistic>();

  constructor(names: ReadonlyMap<Tensor, string>, momentum: number) {
    this.#names = names;
    this.#momentum = momentum;
  }

  get all(): RunningStatistic[] {
    return [...this.#statistics.values()];
  }

  move(old: Tensor, now: Tensor): void {
    const name = this.#names.get(old);
    if (name === undefined || old.kind !== 'constant') throw new PermanentError('a running statistic is not stored');
    const known = this.#statistics.get(old) ?? { ...parameterOf(name, old), next: undefined };
    const next = moved(known.next ?? known.tensor, now, this.#momentum);
    this.#statistics.set(old, { ...known, next });
  }

  normalize(node: NodeOf<'BatchNormalization'>, [x, scale, bias]: readonly Tensor[]): Tensor {
    const { y, statistics } = normalizeByBatch(x!, scale!, bias!, node.attributes.epsilon);
    this.move(node.inputs[3]!, statistics.mean);
    this.move(node.inputs[4]!, unbiased(statistics));
    return y;
  }
}

/**
 * Tensors computed with parameters in place of stored weights. The graph given stays as it is.
 * @param outputs of a graph with stored weights, such as `applyModel` makes
 * @throws PermanentError if one stored tensor is a weight and a running statistic
 */
export function makeTrainable(outputs: readonly Tensor[], options: TrainableOptions): Trainable {
  const { weights, trains = () => true, statistics = 'stored', momentum = 0.1 } = options;
  const names = new Map([...weights].map(([name, tensor]) => [tensor, name]));
  const parameters = new Map<Tensor, Parameter>();
  for (const weight of weightsOf(nodesBelow(outputs))) {
    const name = names.get(weight);
    if (name !== undefined && trains(name, weight.dims)) parameters.set(weight, parameterOf(name, weight));
  }
  const running = new Running(names, momentum);
  const results = rewrite(outputs, {
    tensor: tensor => parameters.get(tensor)?.tensor,
    node: (node, inputs) =>
      statistics === 'batch' && node.op === 'BatchNormalization' ? [running.normalize(node, inputs)] : undefined,
  });
  const trained = new Set([...parameters.values()].map(({ name }) => name));
  const twice = running.all.find(({ name }) => trained.has(name));
  if (twice)
    throw new PermanentError(
      `the model stores "${twice.name}" once for a weight and a running statistic; export it without sharing equal tensors`,
    );
  return { outputs: results, parameters: [...parameters.values()], statistics: running.all };
}

/** The model with new numbers for some of its stored weights. */
export function withWeights(model: ImportedModel, values: ReadonlyMap<string, Float32Array>): ImportedModel {
  const constants = new Map(model.constants);
  for (const [name, data] of values) {
    const old = constants.get(name);
    if (old?.kind !== 'constant') throw new Error(`withWeights: the model stores no ${name}`);
    constants.set(name, constant(data, old.dims));
  }
  return { ...model, constants };
}
