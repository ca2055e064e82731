/** `selflabel redrive`: a job in the cloud that failed goes on; what is done stays done. */
import type { Command } from 'commander';
import { systemClock } from '#adapters/local/system-clock';
import { redrive } from '#pipeline/redrive';
import { type CloudOptions, endpointOption, openBucket, parseNamed } from './cloud-place.ts';

interface RedriveOptions extends CloudOptions {
  readonly deadLetters?: string[];
  readonly json?: boolean;
}

export function registerRedrive(program: Command): void {
  program
    .command('redrive')
    .description('let a failed job go on: every missing piece is tried again')
    .argument('<address>', 's3://bucket/jobs/<job>')
    .option(
      '--dead-letters <urls...>',
      'dead-letter queues to clear of this job’s messages (their pieces are sent anew)',
    )
    .option(...endpointOption)
    .option('--json', 'print the result as one JSON line on stdout')
    .action(async (address: string, options: RedriveOptions) => {
      const { bucket, name } = parseNamed(address, 'jobs');
      const { SqsQueue } = await import('#adapters/aws/sqs-queue');
      const store = await openBucket(bucket, options);
      const client = options.endpoint ? { endpoint: options.endpoint } : {};
      const queues = (options.deadLetters ?? []).map(url => new SqsQueue({ url, client, visibilitySeconds: 60 }));
      const { failures, letters } = await redrive({ store, clock: systemClock }, name, queues);
      process.stdout.write(
        options.json
          ? `${JSON.stringify({ job: name, failures, letters })}\n`
          : `${failures.length} failed pieces and ${letters} dead letters taken back; the job goes on\nselflabel status ${address} --watch\n`,
      );
    });
}
