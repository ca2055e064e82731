/** `selflabel classes …`: looks at and edits the names, merges and ignores of a run's classes. */
import type { Command } from 'commander';
import { UsageError } from '#core/errors';
import { ignoreClasses, mergeClasses, renameClass, splitClass } from '#core/labels/class-edits';
import type { ClassMap } from '#core/labels/class-map';
import { type LabelCounts, type Occurrence, previewEdit } from '#core/labels/label-counts';
import { mergeProposed, proposedAbove } from '#core/labels/merge-proposals';
import { shellWord } from '#core/pages/shell-word';
import { type ClassChange, countLabels, editClasses, previewUndo, undoClasses } from '#pipeline/classes';
import { exportPrefix, rewriteExports } from '#pipeline/export';
import { readClasses } from '#pipeline/labelled-folder';
import { readMergeProposals } from '#pipeline/merge-proposals';
import type { Ports } from '#pipeline/ports';
import { classList, classTable } from './class-table.ts';
import { assertRunFolder, type OpenedFolder, type OpenFolder, withFolder } from './open-folder.ts';
import { share } from './options.ts';

interface EditOptions {
  readonly name?: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** What a command does to the classes: in words for the history, and as a function of the classes. */
interface Edit {
  readonly words: string;
  readonly preview: (map: ClassMap, opened: OpenedFolder) => ClassMap | Promise<ClassMap>;
  readonly carryOut: (opened: OpenedFolder) => Promise<ClassChange>;
}

const edit = (words: readonly string[], make: (map: ClassMap) => ClassMap): Edit => {
  const text = words.join(' ');
  return { words: text, preview: make, carryOut: ({ ports }) => editClasses(ports.store, text, make) };
};

const undo: Edit = {
  words: 'undo',
  preview: (map, { ports }) => previewUndo(ports.store, map),
  carryOut: ({ ports }) => undoClasses(ports.store),
};

/** @throws UsageError */
function clusterNumber(word: string): number {
  if (!/^\d+$/.test(word)) throw new UsageError(`${word} is no cluster id; selflabel classes show lists them`);
  return Number(word);
}

interface MergeOptions extends EditOptions {
  readonly proposed?: boolean;
  readonly above?: number;
}

/** @throws UsageError for words that do not go together */
function assertMerge(first: string | undefined, { proposed, above, name }: MergeOptions): void {
  if (!proposed && first === undefined)
    throw new UsageError('name the classes to join, or give --proposed to join those that the report proposes');
  if (!proposed && above !== undefined) throw new UsageError('--above goes with --proposed');
  if (proposed && (first !== undefined || name !== undefined))
    throw new UsageError('--proposed takes the classes from merges.json; leave out classes and --name');
}

/** Every proposal that is sure enough, as one edit. */
function mergeAsProposed(above = proposedAbove): Edit {
  const words = above === proposedAbove ? 'merge --proposed' : `merge --proposed --above ${above}`;
  const make = async ({ store }: Pick<Ports, 'store'>) => {
    const proposals = await readMergeProposals(store);
    return (map: ClassMap) => mergeProposed(map, proposals, above);
  };
  return {
    words,
    preview: async (map, { ports }) => (await make(ports))(map),
    carryOut: async ({ ports }) => editClasses(ports.store, words, await make(ports)),
  };
}

const nameWords = (name: string | undefined) => (name === undefined ? [] : ['as', name]);

/** Adds an editing command with the argument and options all of them have. */
type AddEdit = (name: string, description: string) => Command;
/** Carries an edit out, or previews it. */
type Apply = (dir: string, options: EditOptions, change: Edit) => Promise<void>;

const folderHelp = 'folder that selflabel run wrote';
const classHelp = 'id or name of a class';

/** Adds `classes` and its commands. @param open plugs the adapters into a folder */
export function registerClasses(program: Command, open: OpenFolder): void {
  const classes = program.command('classes').description('show, rename, merge, split and ignore the classes of a run');
  classes
    .command('show')
    .description('the classes with their clusters, images and pixels')
    .argument('<dir>', folderHelp)
    .option('--json', 'print one JSON line')
    .action((dir: string, options: EditOptions) => show(open, dir, options));
  const add: AddEdit = (name, description) =>
    classes
      .command(name)
      .description(description)
      .argument('<dir>', folderHelp)
      .option('--dry-run', 'only say what would change')
      .option('--json', 'print one JSON line');
  const carryOut: Apply = (dir, options, change) => apply(open, dir, options, change);
  for (const register of [registerRename, registerMerge, registerSplit, registerIgnore, registerUndo])
    register(add, carryOut);
}

function registerRename(add: AddEdit, carryOut: Apply): void {
  add('rename', 'give a class another name')
    .argument('<class>', classHelp)
    .argument('<name>')
    .action((dir: string, reference: string, name: string, options: EditOptions) =>
      carryOut(
        dir,
        options,
        edit(['rename', reference, name], map => renameClass(map, reference, name)),
      ),
    );
}

function registerMerge(add: AddEdit, carryOut: Apply): void {
  add('merge', 'join classes into the first of them')
    .argument('[class]', classHelp)
    .argument('[classes...]', 'classes to join it with')
    .option('--name <name>', 'name of the joined class (default: that of the first)')
    .option('--proposed', 'join the classes that merges.json proposes; the report shows them')
    .option(
      '--above <score>',
      `with --proposed: how sure a proposal must be, 0 to 1 (default: ${proposedAbove})`,
      share,
    )
    .action((dir: string, first: string | undefined, others: string[], options: MergeOptions) => {
      assertMerge(first, options);
      if (first === undefined) return carryOut(dir, options, mergeAsProposed(options.above));
      const all = [first, ...others];
      const words = ['merge', ...all, ...nameWords(options.name)];
      return carryOut(
        dir,
        options,
        edit(words, map => mergeClasses(map, all, options.name)),
      );
    });
}

function registerSplit(add: AddEdit, carryOut: Apply): void {
  add('split', 'take clusters out of a class into one of their own')
    .argument('<class>', classHelp)
    .argument('<clusters...>', 'cluster ids, as selflabel classes show lists them')
    .option('--name <name>', 'name of the new class')
    .action((dir: string, reference: string, numbers: string[], options: EditOptions) => {
      const clusters = numbers.map(clusterNumber);
      const words = ['split', reference, ...numbers, ...nameWords(options.name)];
      return carryOut(
        dir,
        options,
        edit(words, map => splitClass(map, reference, clusters, options.name)),
      );
    });
}

function registerIgnore(add: AddEdit, carryOut: Apply): void {
  const register = (name: string, ignore: boolean, description: string) =>
    add(name, description)
      .argument('<classes...>', classHelp)
      .action((dir: string, references: string[], options: EditOptions) =>
        carryOut(
          dir,
          options,
          edit([name, ...references], map => ignoreClasses(map, references, ignore)),
        ),
      );
  register('ignore', true, 'leave classes out of exports: their pixels become background');
  register('unignore', false, 'take ignored classes in again');
}

function registerUndo(add: AddEdit, carryOut: Apply): void {
  add('undo', 'take back the last edit; again for the one before').action((dir: string, options: EditOptions) =>
    carryOut(dir, options, undo),
  );
}

async function show(open: OpenFolder, dir: string, options: EditOptions): Promise<void> {
  assertRunFolder(dir);
  await withFolder(open, dir, async ({ ports }) => {
    const map = await readClasses(ports.store);
    const counts = await countLabels(ports, ports.store);
    const coloured = process.stdout.isTTY === true && !process.env.NO_COLOR;
    process.stdout.write(
      options.json ? `${JSON.stringify(classList(map, counts))}\n` : classTable(map, counts, coloured),
    );
  });
}

const counted = (count: number, noun: string) => `${count.toLocaleString('en-US')} ${noun}${count === 1 ? '' : 's'}`;

/** `1,204 pixels in 12 of 300 images` */
const extent = ({ pixels, images }: Occurrence, counts: LabelCounts) =>
  `${counted(pixels, 'pixel')} in ${images.toLocaleString('en-US')} of ${counted(counts.images, 'image')}`;

async function apply(
  open: OpenFolder,
  dir: string,
  options: EditOptions,
  { words, preview, carryOut }: Edit,
): Promise<void> {
  assertRunFolder(dir);
  await withFolder(open, dir, async opened => {
    const { ports } = opened;
    const map = await readClasses(ports.store);
    const planned = await preview(map, opened);
    const counts = await countLabels(ports, ports.store);
    if (options.dryRun) {
      const changes = previewEdit(map, planned, counts);
      const json = { edit: words, dryRun: true, version: map.version, changes };
      print(options, json, `${words} would change ${extent(changes, counts)}; nothing is written\n`);
      return;
    }
    const { before, after, edit: done } = await carryOut(opened);
    const changes = previewEdit(before, after, counts);
    const rewritten = (await rewriteExports(ports, ports.store)).map(({ format }) => exportPrefix(format));
    const exported = rewritten.length > 0 ? `written anew: ${rewritten.join(', ')}\n` : '';
    const undoable = words === 'undo' ? '' : `to take it back: selflabel classes undo ${shellWord(dir)}\n`;
    const json = { edit: done, dryRun: false, version: after.version, changes, exports: rewritten };
    print(options, json, `${done}: changes ${extent(changes, counts)}\n${exported}${undoable}`);
  });
}

function print(options: EditOptions, json: object, text: string): void {
  process.stdout.write(options.json ? `${JSON.stringify(json)}\n` : text);
}
