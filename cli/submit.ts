/** `selflabel submit`: a job in the cloud, with the options of `run`. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { Command } from 'commander';
import { nodeDigest } from '#adapters/local/node-digest';
import { PermanentError } from '#core/errors';
import { keys } from '#core/job/keys';
import { parseRequest, settleRun } from '#core/job/request';
import { type Submitted, submit } from '#pipeline/submit';
import { type CloudOptions, endpointOption, openBucket, parseNamed } from './cloud-place.ts';
import { noteMisspelt, readNetwork } from './network-file.ts';
import { nameOption } from './options.ts';
import { registerRun } from './run.ts';

interface SubmitOptions extends CloudOptions {
  readonly job?: string;
  readonly masks?: boolean;
  readonly validation?: string;
  readonly json?: boolean;
  /** The options of `run`, as it names them. */
  readonly [shaping: string]: unknown;
}

/** Of `run`, but about this machine. */
const notForJobs = ['out', 'masks', 'valImages', 'valMasks', 'threads', 'json'];

export function registerSubmit(program: Command): void {
  const command = program
    .command('submit')
    .description('start a job in the cloud on photos that were pushed')
    .argument('<address>', 's3://bucket/datasets/<name>')
    .option('--job <name>', 'name of the job (default: the data set’s and eight digits of the request)', nameOption)
    .option('--masks', 'measure against the masks pushed with the photos')
    .option(
      '--validation <name>',
      'data set pushed with masks: the threshold from-masks and the matching come from it, as with run --val-images',
      nameOption,
    );
  for (const option of runOptions()) if (!notForJobs.includes(option.attributeName())) command.addOption(option);
  command
    .option(...endpointOption)
    .option('--json', 'print the result as one JSON line on stdout')
    .addHelpText('after', '\nThe same command again finds the same job and starts nothing.')
    .action(async (address: string, options: SubmitOptions) => {
      const { job, outcome, place } = await submitJob(address, options);
      const words =
        outcome === 'there'
          ? `${place} has this request already; nothing was started`
          : `submitted ${place}\nselflabel status ${place} --watch`;
      process.stdout.write(options.json ? `${JSON.stringify({ job, outcome, place })}\n` : `${words}\n`);
    });
}

/** As `run` declares them, whether or not the program at hand knows it: only the command asked for is registered. */
function runOptions() {
  const program = new Command();
  registerRun(program);
  return program.commands[0]!.options;
}

export async function submitJob(address: string, options: SubmitOptions): Promise<Submitted & { place: string }> {
  const { bucket, name } = parseNamed(address, 'datasets');
  const { job, masks, validation, json: _json, endpoint, ...shaping } = options;
  if (options.threshold === 'from-masks' && !masks && !validation)
    throw new PermanentError(
      '--threshold from-masks needs --masks or --validation, pushed with selflabel push --masks',
    );
  const files = new Map<string, Uint8Array>();
  const settled = Object.entries(shaping).map(([key, value]) => [key, isNetwork(value) ? take(value, files) : value]);
  const request = parseRequest({
    kind: 'run',
    images: keys.images(name),
    ...(masks && { masks: keys.masks(name) }),
    ...(validation && { valImages: keys.images(validation), valMasks: keys.masks(validation) }),
    ...Object.fromEntries(settled),
  });
  if (request.kind === 'run') settleRun(request);
  const store = await openBucket(bucket, endpoint ? { endpoint } : {});
  const submitted = await submit({ store, digest: nodeDigest }, { request, job, files });
  return { ...submitted, place: `s3://${bucket}/jobs/${submitted.job}` };
}

const isNetwork = (value: unknown): value is string => typeof value === 'string' && value.endsWith('.onnx');

/** Reads a network and its settings. @returns the key under which they go into the bucket */
function take(file: string, files: Map<string, Uint8Array>): string {
  const { bytes, settings } = readNetwork(file, readNetworkFile);
  noteMisspelt(settings);
  const key = keys.backbone(basename(file));
  files.set(key, bytes);
  if (settings) files.set(key.replace(/\.onnx$/, '.json'), new TextEncoder().encode(JSON.stringify(settings.json)));
  return key;
}

function readNetworkFile(file: string): Uint8Array {
  if (existsSync(file) && statSync(file).isFile()) return readFileSync(file);
  throw new PermanentError(`${file} does not exist; give the file of the network`);
}
