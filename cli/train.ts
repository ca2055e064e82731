/** `selflabel train`: parts of the method that are trained step by step, each by itself. */
import type { Command } from 'commander';
import { registerTrainAttend } from './train-attend.ts';
import { registerTrainFinetune } from './train-finetune.ts';

export function registerTrain(program: Command): void {
  const train = program.command('train').description('train a part of the method by itself');
  registerTrainAttend(train);
  registerTrainFinetune(train);
}
