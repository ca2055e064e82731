/** Fine-tuning: a 1×1 head on a backbone, trained on label maps (method 3.1, 5.4), as a training step and as the model that results. */
import { type Backbone, backboneMaps, imageInput } from '../attention/segmentation-model.ts';
import { foldNormalization } from '../graph/fold-normalization.ts';
import type { ImportedModel } from '../graph/import.ts';
import { l2Normalize, resizeLike } from '../graph/layers.ts';
import { learningRate } from '../graph/learning-rate.ts';
import { crossEntropy } from '../graph/losses.ts';
import { toModel } from '../graph/model.ts';
import { concat, conv, mul, resize } from '../graph/ops.ts';
import { layerScale } from '../graph/optimizers.ts';
import { makeTrainable, type Parameter, withWeights } from '../graph/parameters.ts';
import { constant, input, scope, type Tensor } from '../graph/tensor.ts';
import { type TrainingStep, trainingStep } from '../graph/training-step.ts';
import { Random, seedOf } from '../random.ts';
import type { FineTuningRecipe } from './recipes.ts';
import { targetInput, viewInput } from './view-input.ts';

export interface FineTuningTask {
  readonly backbone: Backbone;
  /** What is trained: the head alone, or the backbone with it. */
  readonly scope: 'head' | 'all';
  /** Background, which is class 0, included. */
  readonly classes: number;
  readonly batch: number;
  readonly recipe: FineTuningRecipe;
  readonly seed: number;
  /** Id of pixels that do not count. */
  readonly ignore?: number;
  /** A head to begin with, as a run of the same task with `scope` head hands it over. */
  readonly start?: ReadonlyMap<string, Float32Array>;
}

/** The head's tensors; the names of weights in ONNX files are no obstacle, these have a place of their own. */
const headWeight = 'selflabel.head.weight';
const headBias = 'selflabel.head.bias';

interface Head {
  readonly weight: Tensor;
  readonly bias: Tensor;
}

/** What the head sees: the deep map as it is, or all maps at the size of the finest, each of length one at every position. */
function headFeatures(backbone: Backbone, image: Tensor, maps: FineTuningRecipe['maps']): Tensor {
  const { deep, fine } = backboneMaps({ ...backbone, scales: 1 }, image);
  if (maps === 'deep') return deep!;
  // So that both have a say from the start, and one learning rate suits every network.
  const unit = (map: Tensor) => mul(l2Normalize(map, 1), constant(featureLength));
  return fine ? concat([unit(fine), unit(resizeLike(deep!, fine))], { axis: 1 }) : unit(deep!);
}

const featureLength = 8;

const logitsOf = (task: Pick<FineTuningTask, 'backbone' | 'recipe'>, image: Tensor, { weight, bias }: Head): Tensor =>
  scope('head', () => conv(headFeatures(task.backbone, image, task.recipe.maps), weight, bias));

const channelsOf = ({ backbone, recipe }: FineTuningTask): number => {
  const { deep, fine } = backbone.settings;
  return deep.channels + (recipe.maps === 'all' && fine ? fine.channels : 0);
};

/** Numbers that a head begins with: small and random, as a layer of its size has them, or nothing. */
function headStart({ recipe, seed, ...task }: FineTuningTask, channels: number): Float32Array {
  const random = new Random(seedOf('head', seed));
  const spread = recipe.headStart === 'zero' ? 0 : Math.sqrt(1 / channels);
  return Float32Array.from({ length: task.classes * channels }, () => spread * (2 * random.uniform() - 1));
}

function headParameters(task: FineTuningTask): [Parameter, Parameter] {
  const channels = channelsOf(task);
  const dims = [task.classes, channels, 1, 1];
  const weight = task.start?.get(headWeight)?.slice() ?? headStart(task, channels);
  const bias = task.start?.get(headBias)?.slice() ?? new Float32Array(task.classes);
  return [
    { name: headWeight, tensor: input(headWeight, 'float32', dims), initial: weight },
    { name: headBias, tensor: input(headBias, 'float32', [task.classes]), initial: bias },
  ];
}

/** Levels that the weights of a backbone are sorted into for the layer-wise decay of the learning rate. */
const levels = 12;

/** The factor of the learning rate by name: less, the nearer a weight is to the image. */
function rateScales({ recipe }: FineTuningTask, parameters: readonly Parameter[]): Map<string, number> {
  // A bias has the level of the weight before it.
  let matrices = 0;
  const places = parameters.map(({ tensor }) => (tensor.dims.length > 1 ? matrices++ : Math.max(0, matrices - 1)));
  const scales = parameters.map(({ name }, i) => {
    const level = 1 + Math.floor((places[i]! * levels) / Math.max(1, matrices));
    return [name, recipe.backboneRate * layerScale(level, levels, recipe.layerDecay)] as const;
  });
  return new Map(scales);
}

/**
 * One step: `pixels` and `targets` in, `loss` and the share of pixels called right out.
 * @throws PermanentError naming the operator of the backbone that has no gradient; `head` needs none of it
 */
export function fineTuningStep(task: FineTuningTask): TrainingStep {
  const { backbone, batch, recipe, ignore } = task;
  const view = viewInput(batch, recipe.side);
  const target = targetInput(batch, recipe.targetSide);
  const head = headParameters(task);
  const logits = logitsOf(task, view.image, { weight: head[0].tensor, bias: head[1].tensor });
  const trainable = makeTrainable([logits], {
    weights: backbone.model.constants,
    trains: () => task.scope === 'all',
    statistics: task.scope === 'all' ? recipe.statistics : 'stored',
  });
  const large = enlarged(trainable.outputs[0]!, recipe.targetSide);
  const loss = scope('loss', () => crossEntropy(large, target.targets, ignore === undefined ? {} : { ignore }));
  const scales = rateScales(task, trainable.parameters);
  return trainingStep({
    name: 'finetune',
    batch: [view.pixels, target.ids],
    loss,
    parameters: [...trainable.parameters, ...head],
    statistics: trainable.statistics,
    optimizer: recipe.optimizer,
    rateScale: name => scales.get(name) ?? 1,
  });
}

/** Bilinear, as the model's decision upsamples. */
function enlarged(logits: Tensor, side: number): Tensor {
  const how = { mode: 'linear', coordinate_transformation_mode: 'half_pixel' } as const;
  const [height, width] = logits.dims.slice(2);
  if (typeof height !== 'number' || typeof width !== 'number')
    throw new Error(`internal: the size of the logits [${logits.dims}] is not known`);
  return resize(logits, { scales: [1, 1, side / height, side / width] }, how);
}

/** Learning rate of a step (from 0 on), by the recipe. */
export function fineTuningRate({ recipe, scope }: FineTuningTask, step: number, steps: number): number {
  const { end, warmUp, headFirst } = recipe;
  const peak = scope === 'head' && headFirst ? headFirst.peak : recipe.peak;
  return learningRate(step + 1, { steps: steps + 1, peak, end, warmUp: Math.round(warmUp * steps) });
}

/**
 * The model that was trained: `scores` [N,K+1,h,w], logits with background first, of an `image` of any height and width;
 * normalisation is folded into the convolutions.
 * @param values the state by name, as a training run hands it over
 */
export function fineTunedModel(task: FineTuningTask, values: ReadonlyMap<string, Float32Array>): Uint8Array {
  const { backbone } = task;
  const model = tunedBackbone(backbone.model, values);
  const [weight, bias] = [values.get(headWeight)!, values.get(headBias)!];
  const image = imageInput(backbone.settings.batch);
  const scores = logitsOf({ ...task, backbone: { ...backbone, model } }, image, {
    weight: constant(weight, [task.classes, channelsOf(task), 1, 1]),
    bias: constant(bias, [task.classes]),
  });
  const [folded] = foldNormalization([scores]);
  return toModel({ name: 'selflabel', inputs: [image], outputs: { scores: folded! } });
}

function tunedBackbone(model: ImportedModel, values: ReadonlyMap<string, Float32Array>): ImportedModel {
  const own = [...values].filter(([name]) => model.constants.has(name));
  return withWeights(model, new Map(own));
}
