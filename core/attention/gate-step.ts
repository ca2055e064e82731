/** One step of training the gate (method 2.3) as a pure graph: frozen backbone, gate, projection, prototypes, queue. */
import { applyBackbone } from '../backbone/apply-backbone.ts';
import { type BackboneSettings, defaultSettings } from '../backbone/settings.ts';
import { applyModel, type ImportedModel } from '../graph/import.ts';
import { l2Normalize } from '../graph/layers.ts';
import { add, concat, matmul, reshape, slice, transpose } from '../graph/ops.ts';
import { larc, type Optimizer } from '../graph/optimizers.ts';
import { makeTrainable, type RunningStatistic, type Trainable } from '../graph/parameters.ts';
import { rewrite } from '../graph/rewrite.ts';
import { type ConstantTensor, type InputTensor, input, scope, type Tensor } from '../graph/tensor.ts';
import { type TrainingStep, trainingStep } from '../graph/training-step.ts';
import { type Gate, gatedFeatures, pooledThrough, type Reduction } from './gate.ts';
import { swavLoss } from './swav-loss.ts';

/** From a pooled vector to the space of the prototypes. */
export type EmbeddingHead =
  /** x Wᵀ + b, trained with the gate. */
  | { readonly kind: 'trained'; readonly weight: ConstantTensor; readonly bias: ConstantTensor }
  /** Part of the backbone's file, frozen: from one of its tensors to another. */
  | { readonly kind: 'given'; readonly input: string; readonly output: string };

export interface GateTraining {
  readonly model: ImportedModel;
  readonly settings: BackboneSettings;
  /** What is fed: `image` [2·batch, 3, side, side], RGB 0 … 255, all first views before all second ones. */
  readonly views: { readonly pixels: InputTensor; readonly image: Tensor };
  /** The deep map of such a view. */
  readonly grid: { readonly channels: number; readonly height: number; readonly width: number };
  readonly gate: Gate;
  readonly reduction?: Reduction | undefined;
  readonly head: EmbeddingHead;
  /** [P, D], unit rows. */
  readonly prototypes: ConstantTensor;
  /** Rows of the queue; 0 for none. */
  readonly queue: number;
}

/** Backbone weights stand apart from those that are trained. */
export const backbonePrefix = 'backbone/';

/** Normalisations undo them: their gradient is zero, and only rounding noise for LARC to blow up to full size. */
const still = new Set(['atten.0.bias', 'atten.3.bias']);

/**
 * State: the gate by its own names, `projection.weight` and `.bias` where they are trained, `prototypes.weight`, `queue`,
 * and as `backbone/NAME` the running statistics of the backbone, which move though its weights stand still.
 */
export function gateStep(training: GateTraining): TrainingStep {
  const { views, prototypes, queue: length } = training;
  const queue = length > 0 ? input('queue', 'float32', [2, length, prototypes.dims[1]!]) : undefined;
  const deep = deepMaps(training);
  const standIn = training.settings.batch === 1 ? input('deep', 'float32', deep.dims) : undefined;
  const embeddings = embed(training, standIn ?? deep);
  const { loss, assignments, queue: pushed } = scope('loss', () => swavLoss(embeddings, prototypes, queue));
  const trained = trainedParts(training, [loss, ...assignments, ...(pushed ? [pushed] : [])]);
  const { outputs, statistics, parameters } = standIn ? withMaps(trained, standIn, deep) : trained;
  const [trainedLoss, first, second, next] = outputs;
  return trainingStep({
    name: 'attend',
    batch: [views.pixels],
    loss: trainedLoss!,
    parameters,
    statistics: [...statistics, ...(queue && next ? [queueState(queue, next)] : [])],
    optimizer: onUnitRows(larc(), parameters.find(({ name }) => name === 'prototypes.weight')!.tensor),
    held: [first!, second!],
  });
}

function trainedParts({ model, gate, head, prototypes }: GateTraining, outputs: readonly Tensor[]): Trainable {
  const backbone = [...model.constants].map(([name, tensor]) => [`${backbonePrefix}${name}`, tensor] as const);
  const projection = head.kind === 'trained' ? { 'projection.weight': head.weight, 'projection.bias': head.bias } : {};
  const own = new Map([...gate.tensors, ...Object.entries(projection), ['prototypes.weight', prototypes] as const]);
  return makeTrainable(outputs, {
    weights: new Map<string, Tensor>([...backbone, ...own]),
    trains: name => own.has(name) && !still.has(name),
    statistics: 'batch',
  });
}

/**
 * The maps put in for their stand-in, under which their network kept its stored statistics: one that takes one image at a
 * time knows no batch.
 */
function withMaps({ outputs, statistics, parameters }: Trainable, standIn: Tensor, deep: Tensor): Trainable {
  const nexts = statistics.map(({ next }) => next);
  const all = rewrite([...outputs, ...nexts], { tensor: tensor => (tensor === standIn ? deep : undefined) });
  const moved = statistics.map((statistic, i) => ({ ...statistic, next: all[outputs.length + i]! }));
  return { outputs: all.slice(0, outputs.length), statistics: moved, parameters };
}

function queueState(tensor: InputTensor, next: Tensor): RunningStatistic {
  const length = (tensor.dims as readonly number[]).reduce((a, b) => a * b, 1);
  return { name: 'queue', tensor, next, initial: new Float32Array(length) };
}

/** Prototypes have length one before every step: they get it after each, and start with it. */
const onUnitRows = (optimizer: Optimizer, prototypes: Tensor): Optimizer => ({
  ...optimizer,
  update: from => {
    const { parameter, slots } = optimizer.update(from);
    return { slots, parameter: from.parameter === prototypes ? l2Normalize(parameter, 1) : parameter };
  },
});

/** z of every view, [2·batch, D], unit rows. */
function embed(training: GateTraining, deep: Tensor): Tensor {
  const { unit, gate } = gatedFeatures(deep, training.gate, training.reduction);
  const pooled = pooledThrough(unit, gate);
  return scope('projection', () => l2Normalize(project(training, pooled), 1));
}

function project({ head, model }: GateTraining, pooled: Tensor): Tensor {
  if (head.kind === 'given') return applyModel(model, { [head.input]: pooled }, [head.output])[0]!;
  return add(matmul(pooled, transpose(head.weight, { perm: [1, 0] })), head.bias);
}

function deepMaps({ model, settings, head, views: { image }, grid }: GateTraining): Tensor {
  const scaling = head.kind === 'given' ? withTrainingDeviation(settings) : settings;
  const mapOf = (part: Tensor) => applyBackbone(model, scaling, part).deep;
  const one = (i: number) => mapOf(slice(image, { starts: [i], ends: [i + 1], axes: [0] }));
  const count = image.dims[0] as number;
  const maps = settings.batch === 1 ? Array.from({ length: count }, (_, i) => one(i)) : [mapOf(image)];
  return reshape(concat(maps, { axis: 0 }), [count, grid.channels, grid.height, grid.width]);
}

/** Networks of the method saw red with a deviation of .228 in their first training, and do so here (1.6, 2.3). */
function withTrainingDeviation(settings: BackboneSettings): BackboneSettings {
  const [red, green, blue] = settings.deviation;
  return red === defaultSettings.deviation[0] ? { ...settings, deviation: [0.228, green, blue] } : settings;
}
