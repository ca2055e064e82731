/** The door on a laptop: parses the command line, calls one command, turns errors into one line and an exit code. */
import { Command, CommanderError } from 'commander';
import { PermanentError, UsageError } from '#core/errors';
import { programVersion } from '#pipeline/version';
import { commands, isCommand } from './commands.ts';

const examples = `
A first look, without photos or downloads:
  selflabel demo

Is this network usable, and what does it see?
  selflabel doctor network.onnx --image photo.jpg

Photos in, labels and a report out; then names, an export, and the model on other photos:
  selflabel run photos --out result --backbone network.onnx
  selflabel classes rename result 3 dog
  selflabel export result --format coco --to coco
  selflabel predict more-photos --model result/model --out more

The model over HTTP:
  selflabel serve result/model

The same on AWS (docs/cloud.md):
  selflabel estimate --images 1200000 --backbone resnet50
  selflabel push photos s3://bucket/datasets/birds
  selflabel submit s3://bucket/datasets/birds --job birds --backbone network.onnx
  selflabel status s3://bucket/jobs/birds --watch
  selflabel pull s3://bucket/jobs/birds --out result

selflabel help COMMAND says more. Exit codes: 0 done, 1 failed, 2 bad usage, 130 interrupted.`;

const program = new Command('selflabel')
  .description('Unlabeled images in; pixel labels, a report and a segmentation model out.')
  .version(programVersion, '-V, --version', 'print the version')
  .option('--debug', 'show where an error comes from')
  .addHelpText('after', examples)
  .showHelpAfterError('(add --help for the options)')
  .exitOverride();

/** The command asked for alone: what the others need is not even read. All of them where there is none, to be listed. */
async function register(words: readonly string[]): Promise<void> {
  const asked = words.find(word => !word.startsWith('-'));
  const loads = isCommand(asked) ? [commands[asked]] : Object.values(commands);
  for (const load of loads) (await load())(program);
}

/** @returns the exit code: 0 done, 1 failed, 2 bad usage, 130 interrupted */
export async function main(): Promise<number> {
  // Whoever reads the output has had enough, as `| head` does: no failure of ours.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  process.once('SIGINT', () => {
    process.stderr.write('\ninterrupted; the same command again resumes\n');
    // Ending in order would tear threads away from a model at work, whose library then aborts the process.
    process.removeAllListeners('SIGINT');
    process.kill(process.pid, 'SIGINT');
    // The first process of a container is not ended by its own signal.
    process.exit(130);
  });
  try {
    await register(process.argv.slice(2));
    await program.parseAsync();
    return 0;
  } catch (error) {
    return report(error);
  }
}

function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`selflabel: ${message}\n`);
  if (program.opts().debug && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  else if (!(error instanceof PermanentError || error instanceof UsageError))
    process.stderr.write('(--debug shows where)\n');
  return error instanceof UsageError ? 2 : 1;
}
