/** The step of a fine-tuning, and whether there can be one: said before any stage has worked for it. */
import type { Backbone } from '#core/attention/segmentation-model';
import { PermanentError } from '#core/errors';
import type { TrainingStep } from '#core/graph/training-step';
import type { SettledRun } from '#core/job/request';
import { type FineTuningTask, fineTuningStep } from '#core/training/fine-tuning';
import { defaultRecipe, type FineTuningRecipe, publishedRecipe } from '#core/training/recipes';
import { openBackbone } from './backbone.ts';
import { naming } from './documents.ts';
import type { ObjectStore } from './ports.ts';

/** @throws PermanentError naming the backbone and its operator that has no gradient, and what to do */
export function stepOf(task: FineTuningTask): TrainingStep {
  try {
    return naming(task.backbone.name ?? 'the backbone', () => fineTuningStep(task));
  } catch (error) {
    if (!(error instanceof PermanentError) || task.scope === 'head') throw error;
    throw new PermanentError(`${error.message}, or train the head alone (--finetune head)`, { cause: error });
  }
}

export const recipeOf = ({ method }: Pick<SettledRun, 'method'>): FineTuningRecipe =>
  method === 'pass' ? publishedRecipe : defaultRecipe;

/**
 * Whether the whole backbone can be trained, where that is asked for.
 * @throws PermanentError as `stepOf`
 */
export function assertTrainable(run: Pick<SettledRun, 'finetune' | 'method'>, backbone: Backbone): void {
  if (run.finetune === 'all') assertTrainableBy(recipeOf(run), backbone);
}

/** As `assertTrainable`, by a recipe. The gradient does not depend on the classes, and hardly on the batch. */
export function assertTrainableBy(recipe: FineTuningRecipe, backbone: Backbone): void {
  stepOf({ backbone, scope: 'all', classes: 2, batch: backbone.settings.batch ?? 2, recipe, seed: 0 });
}

/** A planner has little memory; `attend` looks at larger networks. */
const largestForPlanner = 2 ** 28;

/** `assertTrainable` before the job is planned, unless the network is large. @throws PermanentError as `stepOf` */
export async function assertRequestTrainable(store: ObjectStore, run: SettledRun): Promise<void> {
  if (run.finetune !== 'all') return;
  const found = await store.head(run.backbone);
  if (found && found.size <= largestForPlanner) assertTrainable(run, await openBackbone(store, run));
}
