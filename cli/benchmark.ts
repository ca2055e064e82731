/** `selflabel benchmark check` and `selflabel submission pack|check`: the benchmark's data and the zips sent to it. */
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { FolderStore } from '#adapters/local/folder-store';
import { TerminalLog } from '#adapters/local/terminal-log';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { ZipArchive } from '#adapters/zip/zip-archive';
import { writeZip } from '#adapters/zip/zip-writer';
import { methodForm } from '#core/benchmark/submission';
import { PermanentError } from '#core/errors';
import { type BenchmarkCheck, checkBenchmark } from '#pipeline/check-benchmark';
import { listMasks } from '#pipeline/ground-truth';
import { packSubmission, problemsOfMaps, readSubmission } from '#pipeline/submissions';
import { classesOption } from './shared-options.ts';
import { openTruth } from './truth-folder.ts';

/** Wrong label maps that are spelled out; the others are counted. */
const problemsShown = 20;

export function registerBenchmark(program: Command): void {
  program
    .command('benchmark')
    .description('the ImageNet-S data of the LUSS benchmark')
    .command('check')
    .description('tell what is missing or wrong in a folder in the layout of ImageNet-S')
    .argument('<dir>', 'folder that holds validation/, validation-segmentation/, …')
    .option('--categories <file>', 'write the class list, id<tab>wnid, as categories.txt beside masks has it')
    .option('--json', 'print the result as one JSON line')
    .action(checkData);
  const submission = program.command('submission').description('zips for the evaluation service');
  submission
    .command('pack')
    .description('pack label maps, method.txt and match.json into a zip')
    .requiredOption('--labels <dir>', 'label maps, one folder per class (DIR/labels of predict)')
    .requiredOption('--method <file>', 'method.txt with its six lines; an empty form is written where there is none')
    .option('--matching <file>', 'the matching found on validation (evaluate --save-matching)')
    .requiredOption('--out <zip>', 'the zip to write')
    .action(pack);
  submission
    .command('check')
    .description('say what is wrong with a zip before it is sent')
    .argument('<zip>', 'as pack wrote it')
    .option('--masks <dir>', 'ground truth (of validation): every mask needs a label map of its size')
    .addOption(classesOption())
    .action(checkZip);
}

async function checkData(dir: string, options: { categories?: string; json?: boolean }): Promise<void> {
  if (!statSync(dir, { throwIfNoEntry: false })?.isDirectory()) throw new PermanentError(`${dir} is not a folder`);
  const log = new TerminalLog();
  const ports = { store: await FolderStore.open(dir), images: new SharpCodec(), log, threads: availableParallelism() };
  const check = await checkBenchmark(ports);
  log.close();
  if (options.categories) {
    writeFileSync(
      options.categories,
      Object.entries(check.categories)
        .map(([id, wnid]) => `${id}\t${wnid}\n`)
        .join(''),
    );
  }
  process.stdout.write(options.json ? `${JSON.stringify(check)}\n` : describe(check));
  if (check.problems.length > 0)
    throw new PermanentError(`${dir} is not ready: see the ${check.problems.length} lines above`);
}

function describe({ classes, subset, splits, problems, notes }: BenchmarkCheck): string {
  const rows = splits
    .filter(({ images }) => images > 0)
    .map(({ split, images, masks }) => `  ${split.padEnd(12)}${images} images${masks ? `, ${masks} masks` : ''}`);
  return `${[
    `${classes} classes${subset ? ` (ImageNet-S ${subset})` : ''}`,
    ...rows,
    ...notes.map(note => `note: ${note}`),
    ...problems.map(problem => `wrong: ${problem}`),
    ...(problems.length ? [] : ['everything is in its place']),
  ].join('\n')}\n`;
}

async function pack(options: { labels: string; method: string; matching?: string; out: string }): Promise<void> {
  const { labels, method, matching, out } = options;
  if (!existsSync(method)) {
    writeFileSync(method, methodForm());
    throw new PermanentError(`${method} was not there; an empty form is now, fill in its six lines`);
  }
  if (matching !== undefined && !existsSync(matching)) throw new PermanentError(`${matching} is not there`);
  if (!statSync(labels, { throwIfNoEntry: false })?.isDirectory())
    throw new PermanentError(`${labels} is not a folder`);
  const texts = { method: readFileSync(method, 'utf8'), matching: matching && readFileSync(matching, 'utf8') };
  const world = { images: new SharpCodec(), labels: await FolderStore.open(resolve(labels)) };
  let without: readonly number[] = [];
  const packing = packSubmission(world, texts, unmatched => {
    without = unmatched;
  });
  const files = await writeZip(out, packing);
  process.stdout.write(`${out}: ${files} files\n`);
  if (without.length > 0)
    process.stdout.write(`note: ${matching} says nothing of ${without.join(', ')}: they will match no class\n`);
}

async function checkZip(file: string, { masks, classes }: { masks?: string; classes?: number }): Promise<void> {
  const images = new SharpCodec();
  const truth = masks ? await openTruth(masks, '--masks', images, folder => FolderStore.open(folder)) : undefined;
  if (!existsSync(file)) throw new PermanentError(`${file} is not there; give the zip that pack wrote`);
  const zip = await ZipArchive.open(file, file);
  const names = truth && (await listMasks(truth, truth.masks));
  const content = await readSubmission(zip, names && { masks: names });
  let wrong = 0;
  for await (const problem of problemsOfMaps(images, zip, content, { truth, classes }))
    if (++wrong <= problemsShown) process.stdout.write(`wrong: ${problem}\n`);
  zip.close();
  if (wrong > problemsShown) process.stdout.write(`… and ${wrong - problemsShown} more\n`);
  if (wrong > 0) throw new PermanentError(`${file} is not ready: ${wrong} of its files are wrong, see above`);
  const { method, matching, maps } = content;
  const ids = matching ? `cluster ids, ${matching.classOf.size} matched` : 'class ids';
  process.stdout.write(`${join(file)}: "${method.name}", ${maps.length} label maps of ${ids}; ready to be sent\n`);
}
