/** `selflabel pull`: the results of a job in the cloud as the folder that `run` would have left. */
import { join } from 'node:path';
import type { Command } from 'commander';
import { PermanentError, UsageError } from '#core/errors';
import { keys } from '#core/job/keys';
import type { Plan } from '#core/job/plan';
import type { Receipt } from '#core/job/receipt';
import { readState } from '#pipeline/advance';
import { collect } from '#pipeline/collect';
import { readJson, readObject, toJson } from '#pipeline/documents';
import { type CloudOptions, endpointOption, openBucket, parseNamed } from './cloud-place.ts';
import { atWork } from './workplace.ts';

interface PullOptions extends CloudOptions {
  readonly out: string;
  readonly json?: boolean;
}

export function registerPull(program: Command): void {
  program
    .command('pull')
    .description('fetch the results of a job in the cloud: label maps, tables, report, model')
    .argument('<address>', 's3://bucket/jobs/<job>')
    .argument('[dir]', 'where the results go (the same as --out)')
    .option('--out <dir>', 'where the results go; the same command again resumes')
    .option(...endpointOption)
    .option('--json', 'print the result as one JSON line on stdout')
    .action(async (address: string, dir: string | undefined, options: Partial<PullOptions>) => {
      const out = options.out ?? dir;
      if (out === undefined) throw new UsageError('say where the results go: selflabel pull ADDRESS --out DIR');
      const { counts, timing } = await pull(address, { ...options, out });
      const summary = { out, images: counts, timing };
      process.stdout.write(
        options.json
          ? `${JSON.stringify(summary)}\n`
          : `${counts.labelled} labelled, ${counts.empty} empty, ${counts.duplicate} duplicate, ${counts.rejected} rejected; report in ${join(out, 'report', 'index.html')}\n${costLine(timing)}`,
      );
    });
}

/** As `estimate` says it beforehand; nothing where no price was known. */
const costLine = ({ machineHours, dollars }: Receipt['timing']): string =>
  typeof dollars === 'number' && typeof machineHours === 'number'
    ? `machines: ${machineHours.toFixed(2)} h of work, $${dollars.toFixed(2)}\n`
    : '';

export async function pull(address: string, options: PullOptions): Promise<Pick<Receipt, 'counts' | 'timing'>> {
  const { bucket, name } = parseNamed(address, 'jobs');
  const from = await openBucket(bucket, options);
  const found = await readState(from, name);
  if (!found && (await from.head(keys.request(name))))
    throw new PermanentError(`the job ${name} has not begun; selflabel status ${address} --watch waits for it`);
  if (!found) throw new PermanentError(`there is no job ${name} in ${bucket}; selflabel submit starts one`);
  if (found.state.stage !== 'done')
    throw new PermanentError(
      `the job ${name} is not done (${found.state.stage}${found.state.error ? `: ${found.state.error}` : ''}); selflabel status ${address} --watch waits for it`,
    );
  const plan = await readJson<Plan>(from, keys.plan(name));
  return atWork(options.out, name, [], {}, async ({ ports }) => {
    // First the request: it says whose folder this is. Last the state: `status` on a folder half pulled must not say done.
    await ports.store.put(keys.request(name), await readObject(from, keys.request(name)));
    await collect({ ...ports, store: from }, ports.store, plan);
    await ports.store.put(keys.state(name), toJson(found.state));
    return readJson<Receipt>(ports.store, 'receipt.json');
  });
}
