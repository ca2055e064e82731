/** `selflabel push`: a folder of photos into the bucket, ready to be submitted. */
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { MountedFolder } from '#adapters/local/mounted-folder';
import { TerminalLog } from '#adapters/local/terminal-log';
import { PermanentError } from '#core/errors';
import { keys } from '#core/job/keys';
import type { ObjectStore } from '#pipeline/ports';
import { type Packing, type Pushed, push } from '#pipeline/push';
import { type CloudOptions, endpointOption, openBucket, parseNamed } from './cloud-place.ts';
import { integer, oneOf } from './options.ts';
import { readIfThere } from './workplace.ts';

interface PushOptions extends CloudOptions {
  readonly masks?: string;
  readonly pack: Packing;
  readonly parallel: number;
  readonly json?: boolean;
}

export function registerPush(program: Command): void {
  program
    .command('push')
    .description('upload a folder of photos to S3')
    .argument('<folder>', 'folder of photos, with its subfolders')
    .argument('<address>', 's3://bucket/datasets/<name>')
    .option('--masks <dir>', 'ground-truth masks too, to measure the result')
    .option(
      '--pack <when>',
      'tar archives of up to 4096 photos and 512 MB: auto (above 10,000 files), always, never',
      oneOf('auto', 'always', 'never'),
      'auto',
    )
    .option('--parallel <n>', 'files under way at once', integer(1, 256), 16)
    .option(...endpointOption)
    .option('--json', 'print the result as one JSON line on stdout')
    .addHelpText('after', '\nThe same command again uploads only what is not there yet, by size and checksum.')
    .action(async (folder: string, address: string, options: PushOptions) => {
      const pushed = await pushFolder(folder, address, options);
      process.stdout.write(options.json ? `${JSON.stringify(pushed)}\n` : describe(pushed, address));
      const [first] = pushed.unreadable;
      if (first)
        throw new PermanentError(
          `${pushed.unreadable.length} files could not be read and were not pushed, first ${first.name}: ${first.reason}`,
        );
    });
}

export async function pushFolder(folder: string, address: string, options: PushOptions): Promise<Pushed> {
  const { bucket, name } = parseNamed(address, 'datasets');
  for (const one of [folder, options.masks])
    if (one !== undefined && !existsSync(one)) throw new PermanentError(`${one} does not exist; give a folder`);
  const to = await openBucket(bucket, options);
  const log = new TerminalLog();
  try {
    // Masks before images: whoever sees the images finds the masks too.
    if (options.masks) await pushMasks(to, options.masks, name, options, log);
    return await pushTo(to, folder, keys.images(name), options, options.pack, log, 'push');
  } finally {
    log.close();
  }
}

async function pushTo(
  to: ObjectStore,
  folder: string,
  prefix: string,
  { parallel }: PushOptions,
  pack: Packing,
  log: TerminalLog,
  what: string,
): Promise<Pushed> {
  const { usualPartBytes } = await import('#core/job/requests');
  const { contentEtag } = await import('#adapters/aws/content-etag');
  const mounted = await MountedFolder.open({ prefix, folder }, '');
  return push({
    from: { list: wanted => mounted.list(wanted), get: async key => (await mounted.read(key))?.bytes },
    to,
    prefix,
    pack,
    atOnce: parallel,
    holds: ({ etag }, bytes) => etag === contentEtag(bytes, usualPartBytes),
    progress: (done, total) => log.progress(what, folder, done, total),
  });
}

/** Always loose: a mask is looked up by its name. `categories.txt` lies beside their folder, as for `run`. */
async function pushMasks(
  to: ObjectStore,
  masks: string,
  name: string,
  options: PushOptions,
  log: TerminalLog,
): Promise<void> {
  const { unreadable } = await pushTo(to, masks, keys.masks(name), options, 'never', log, 'masks');
  const [first] = unreadable;
  if (first) throw new PermanentError(`the mask ${first.name} cannot be read: ${first.reason}`);
  const categories = readIfThere(join(dirname(resolve(masks)), 'categories.txt'));
  if (categories) await to.put(keys.categories(keys.masks(name)), categories);
}

function describe({ files, bytes, written, unchanged, archives, others }: Pushed, address: string): string {
  const form = archives ? ` in ${archives} tar archives` : '';
  const lines = [
    `${files} files${form}, ${Math.ceil(bytes / 1e6)} MB, at ${address}: ${written} objects written, ${unchanged} there already`,
  ];
  if (others)
    lines.push(`${others} other objects lie there too and will be labelled with them; remove what is not wanted`);
  return `${lines.join('\n')}\n`;
}
