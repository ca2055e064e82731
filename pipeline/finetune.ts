/** Stage finetune: a model trained on the pseudo labels, and the label maps it gives (method 3). */
import { PermanentError } from '#core/errors';
import { decodeIndexPng } from '#core/formats/png-index';
import { readTar } from '#core/formats/tar';
import { keys } from '#core/job/keys';
import type { Plan, PlannedImage, PlannedShard } from '#core/job/plan';
import { tunedPiece } from '#core/job/progress';
import type { SettledRun } from '#core/job/request';
import { seedOf } from '#core/random';
import { assertBatch, stepsPerEpoch } from '#core/training/data-order';
import { type FineTuningTask, fineTunedModel, fineTuningRate } from '#core/training/fine-tuning';
import type { FineTuningRecipe } from '#core/training/recipes';
import { openBackbone, runOf } from './backbone.ts';
import { clustersOf } from './choose-clusters.ts';
import { readJson, readObject } from './documents.ts';
import { recipeOf, stepOf } from './fine-tuning-step.ts';
import { labelShard } from './label.ts';
import { finishPiece, outputKey } from './marker.ts';
import type { Ports } from './ports.ts';
import { openTuned } from './run-labeller.ts';
import { settledImages } from './settle-receipt.ts';
import { TrainingPictures, viewBatch } from './training-pictures.ts';
import { clearTraining, historyLines, runTraining, type Trained, type TrainingRun } from './training-run.ts';

/** What the training tells; part of the model's card. */
export interface TunedSummary {
  readonly scope: 'head' | 'all';
  readonly recipe: 'default' | 'published' | 'semi-supervised';
  readonly pictures: number;
  readonly batch: number;
  readonly steps: number;
  /** Mean loss of the first and of the last tenth of the steps. */
  readonly firstLoss: number;
  readonly lastLoss: number;
}

export async function finetune(ports: Ports, plan: Plan, piece: string): Promise<void> {
  if (piece === tunedPiece) return tune(ports, plan);
  await labelShard(ports, plan, 'finetune', piece, await openTuned(ports, plan));
}

async function tune(ports: Ports, plan: Plan): Promise<void> {
  const started = ports.clock.now();
  const run = runOf(plan);
  const recipe = recipeOf(run);
  const pictures = await labelledPictures(ports, plan, recipe);
  const backbone = await openBackbone(ports.store, run);
  const task: FineTuningTask = {
    backbone,
    scope: run.finetune === 'head' ? 'head' : 'all',
    classes: (await clustersOf(ports.store, plan)) + 1,
    batch: batchFor(run, recipe, pictures.count, backbone.settings.batch),
    recipe,
    seed: run.seed,
  };
  const prefix = outputKey(plan, 'finetune', tunedPiece, '');
  const trained = await fineTune(ports, task, pictures, { prefix, budget: budgetOf(run) });
  const outputs = { onnx: fineTunedModel(task, trained.values), jsonl: historyLines(trained.history) };
  const summary: TunedSummary = {
    scope: task.scope,
    recipe: run.method === 'pass' ? 'published' : 'default',
    pictures: pictures.count,
    batch: task.batch,
    steps: trained.history.length,
    ...lossesOf(trained),
  };
  await finishPiece(ports, plan, 'finetune', tunedPiece, outputs, summary, started);
  for (const each of [prefix, `${prefix}head.`]) await clearTraining(ports.store, each);
}

/** How long to train. */
export interface TrainingBudget {
  readonly minutes?: number | undefined;
  /** Passes of each part, where the head comes first. */
  readonly epochs?: number | undefined;
}

const budgetOf = ({ trainMinutes, trainEpochs }: SettledRun): TrainingBudget => ({
  minutes: trainMinutes,
  epochs: trainEpochs,
});

/** Views per step: as asked for, or the recipe's, or all pictures where they are fewer. */
export function batchFor(
  { trainBatch }: { readonly trainBatch?: number | undefined },
  recipe: FineTuningRecipe,
  count: number,
  only: 1 | undefined,
): number {
  if (trainBatch !== undefined) assertBatch({ count, batch: trainBatch });
  return only ?? trainBatch ?? Math.min(recipe.batch, count);
}

/** Trains by a task. @throws PermanentError naming the operator that has no gradient, or the step at which the loss broke */
export async function fineTune(
  ports: Ports,
  task: FineTuningTask,
  pictures: TrainingPictures,
  { prefix, budget }: { prefix: string; budget: TrainingBudget },
): Promise<Trained> {
  const { headFirst } = task.recipe;
  if (task.scope === 'head' || !headFirst) return train(ports, task, pictures, prefix, budget);
  // What cannot be trained is said before anything is.
  stepOf(task);
  const head = { ...task, scope: 'head' } as const;
  const share = (of: number): TrainingBudget => ({ ...budget, minutes: budget.minutes && budget.minutes * of });
  const first = await train(ports, head, pictures, `${prefix}head.`, share(headMinutes));
  const whole = await train(ports, { ...task, start: first.values }, pictures, prefix, share(1 - headMinutes));
  const done = first.history.length;
  const later = whole.history.map(record => ({ ...record, step: done + record.step }));
  return { values: whole.values, history: [...first.history, ...later] };
}

/** Share of a budget in minutes for the head alone. */
const headMinutes = 0.25;

async function train(
  ports: Ports,
  task: FineTuningTask,
  pictures: TrainingPictures,
  prefix: string,
  budget: TrainingBudget,
): Promise<Trained> {
  const { recipe, batch } = task;
  const order = { count: pictures.count, batch, seed: seedOf('finetune', task.seed) };
  const { augmentation, side, targetSide: mapSide } = recipe;
  const training: TrainingRun = {
    name: 'finetune',
    step: stepOf(task),
    budget: budget.minutes
      ? { minutes: budget.minutes }
      : { steps: stepsOf(task, budget.epochs, stepsPerEpoch(order)) },
    rate: (step, steps) => fineTuningRate(task, step, steps),
    feeds: step => viewBatch(pictures, order, step, { augmentation, side, mapSide }),
    remedy: remedyOf(task),
    prefix,
  };
  return runTraining(ports, training);
}

/** Of a loss that breaks: the head alone, on features that are numbers, is hard to break. */
const remedyOf = ({ scope }: FineTuningTask): string =>
  scope === 'all'
    ? 'train the head alone (--finetune head), or give more photos per step (--train-batch)'
    : 'look at the features of the network (selflabel doctor) and take another --backbone';

/** Passes as asked for, or those of the recipe. */
function stepsOf({ recipe, scope }: FineTuningTask, epochs: number | undefined, perEpoch: number): number {
  if (epochs !== undefined) return epochs * perEpoch;
  const { epochs: passes, leastSteps = 1 } = (scope === 'head' && recipe.headFirst) || recipe;
  return Math.max(passes * perEpoch, leastSteps);
}

export function lossesOf({ history }: Trained): { firstLoss: number; lastLoss: number } {
  const tenth = Math.ceil(history.length / 10);
  const mean = (records: Trained['history']) => records.reduce((sum, { loss }) => sum + loss, 0) / records.length;
  return { firstLoss: mean(history.slice(0, tenth)), lastLoss: mean(history.slice(-tenth)) };
}

/** More would not fit into memory with their label maps; they are taken evenly from all. */
const mostPictures = 20_000;

/** Pictures with their pseudo labels, copies left out. @throws PermanentError if all pixels have one class */
export async function labelledPictures(ports: Ports, plan: Plan, recipe: FineTuningRecipe): Promise<TrainingPictures> {
  const names: string[] = [];
  const seen = new Set<number>();
  for await (const image of settledImages(ports.store, plan, 'label')) {
    if (image.state !== 'labelled' && image.state !== 'empty') continue;
    names.push(image.name);
    if (image.foreground < 1) seen.add(0);
    for (const [label] of image.labels) seen.add(label);
  }
  if (seen.size < 2)
    throw new PermanentError(
      `all pseudo labels are of one class, so there is nothing to learn; look at the labels (--finetune none) and try another --threshold`,
    );
  const chosen = new Set(names.filter((_, i) => isChosen(i, names.length)));
  const images: PlannedImage[] = [];
  const maps = new Map<string, Uint8Array>();
  for (const shard of plan.shards) {
    const planned = await readJson<PlannedShard>(ports.store, keys.shard(plan.job, plan.fingerprints.plan, shard));
    for (const image of planned.images) if (chosen.has(image.name)) images.push(image);
    for (const { name, bytes } of readTar(await readObject(ports.store, outputKey(plan, 'label', shard, 'tar')))) {
      const image = name.slice(0, -'.png'.length);
      // Part of the tar: a copy lets the rest of it go.
      if (chosen.has(image)) maps.set(image, bytes.slice());
    }
  }
  const mapOf = async (name: string) => {
    const { width, height, ids } = await decodeIndexPng(maps.get(name)!, (b, limit) => ports.images.inflate(b, limit));
    return { width, height, data: ids };
  };
  const { shorterSide = wholeSide } = recipe;
  return TrainingPictures.of(ports, { prefix: plan.request.images, images, shorterSide, mapOf });
}

/** Larger than any picture, which then stays as it is. */
const wholeSide = 100_000;

const isChosen = (i: number, count: number): boolean =>
  count <= mostPictures || Math.floor(((i + 1) * mostPictures) / count) > Math.floor((i * mostPictures) / count);
