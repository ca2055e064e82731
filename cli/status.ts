/** `selflabel status`: where a job stands, in a folder or in the cloud. */
import { existsSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { Command } from 'commander';
import { FolderStore } from '#adapters/local/folder-store';
import { systemClock } from '#adapters/local/system-clock';
import { PermanentError } from '#core/errors';
import { keys } from '#core/job/keys';
import type { JobStatus } from '#core/job/status';
import type { ObjectStore } from '#pipeline/ports';
import { isOver, JobWatch } from '#pipeline/status';
import { type CloudOptions, endpointOption, isCloudAddress, openBucket, parseNamed } from './cloud-place.ts';
import { integer } from './options.ts';
import { statusText } from './status-text.ts';

interface StatusOptions extends CloudOptions {
  readonly watch?: boolean;
  readonly every: number;
  readonly json?: boolean;
}

export function registerStatus(program: Command): void {
  program
    .command('status')
    .description('show where a job stands: stages, rejected images, rate, time left')
    .argument('<place>', 'results folder of a run, or s3://bucket/jobs/<job>')
    .option('--watch', 'look again and again until the job is over')
    .option('--every <seconds>', 'pause between two looks', integer(1, 3600), 10)
    .option(...endpointOption)
    .option('--json', 'print the status as one JSON line on stdout (with --watch the last)')
    .addHelpText('after', '\nExit code 1 where the job has failed.')
    .action(async (place: string, options: StatusOptions) => {
      const status = await follow(place, options);
      if (options.json) process.stdout.write(`${JSON.stringify(status)}\n`);
      else if (!options.watch || !process.stdout.isTTY) process.stdout.write(statusText(status));
      if (status.stage === 'failed') throw new PermanentError(`the job failed: ${status.error}`);
    });
}

/** @returns the last status seen */
async function follow(place: string, options: StatusOptions): Promise<JobStatus> {
  const watch = await open(place, options);
  let shown = 0;
  let before = '';
  for (;;) {
    const status = await watch.look();
    if (!options.watch) return status;
    const text = statusText(status);
    if (process.stdout.isTTY && !options.json) {
      process.stdout.write(`${shown ? `\x1b[${shown}F\x1b[J` : ''}${text}`);
      shown = text.split('\n').length - 1;
    } else if (!options.json && !isOver(status.stage) && text !== before) process.stdout.write(text);
    before = text;
    if (isOver(status.stage)) return status;
    await pause(options.every * 1000);
  }
}

async function open(place: string, options: CloudOptions): Promise<JobWatch> {
  if (isCloudAddress(place)) {
    const { bucket, name } = parseNamed(place, 'jobs');
    return new JobWatch(await openBucket(bucket, options), systemClock, name);
  }
  if (!existsSync(place)) throw new PermanentError(`${place} does not exist; give the --out of a run, or s3://…`);
  const store = await FolderStore.open(place);
  return new JobWatch(store, systemClock, await jobIn(store, place));
}

/** A results folder holds one job. */
async function jobIn(store: ObjectStore, place: string): Promise<string> {
  for await (const key of store.keys('jobs/')) {
    const [, job, file] = key.split('/');
    if (job && file && key === keys.request(job)) return job;
  }
  throw new PermanentError(`${place} holds no job; give the --out of a run or pull, or s3://bucket/jobs/<job>`);
}
