/** Every command by its name, with how to load what declares it; in the order of the help. */
import type { Command } from 'commander';

type Register = (program: Command) => void;

export const commands = {
  run: async () => (await import('./run.ts')).registerRun,
  train: async () => (await import('./train.ts')).registerTrain,
  predict: async () => (await import('./predict.ts')).registerPredict,
  evaluate: async () => {
    const [{ registerEvaluate }, { evaluationWorld }] = [await import('./evaluate.ts'), await import('./workplace.ts')];
    return program => registerEvaluate(program, evaluationWorld);
  },
  benchmark: async () => (await import('./benchmark.ts')).registerBenchmark,
  leaderboard: async () => (await import('./leaderboard.ts')).registerLeaderboard,
  classes: async () => {
    const [{ registerClasses }, { openFolder }] = [await import('./classes.ts'), await import('./workplace.ts')];
    return program => registerClasses(program, openFolder);
  },
  export: async () => {
    const [{ registerExport }, { openFolder }] = [await import('./export.ts'), await import('./workplace.ts')];
    return program => registerExport(program, openFolder);
  },
  doctor: async () => (await import('./doctor.ts')).registerDoctor,
  serve: async () => (await import('./serve.ts')).registerServe,
  demo: async () => (await import('./demo.ts')).registerDemo,
  status: async () => (await import('./status.ts')).registerStatus,
  push: async () => (await import('./push.ts')).registerPush,
  submit: async () => (await import('./submit.ts')).registerSubmit,
  pull: async () => (await import('./pull.ts')).registerPull,
  redrive: async () => (await import('./redrive.ts')).registerRedrive,
  estimate: async () => (await import('./estimate.ts')).registerEstimate,
} satisfies Record<string, () => Promise<Register>>;

export const isCommand = (word: string | undefined): word is keyof typeof commands =>
  word !== undefined && Object.hasOwn(commands, word);
