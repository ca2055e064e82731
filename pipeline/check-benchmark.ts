/** Looks through a folder in ImageNet-S's layout and tells what is missing or wrong before hours are spent on it. */
import { classesOfFolders, ignoredId, isWnid, merges, type Subset, subsetSizes } from '#core/benchmark/imagenet-s';
import { PermanentError, RejectedInput } from '#core/errors';
import { decodeMask, maskOf } from './ground-truth.ts';
import { mapInOrder } from './in-flight.ts';
import type { ImageCodec, Log, ObjectStore } from './ports.ts';

export interface CheckPorts {
  readonly store: Pick<ObjectStore, 'get' | 'keys'>;
  readonly images: Pick<ImageCodec, 'inflate' | 'decode'>;
  readonly log: Log;
  readonly threads: number;
}

export interface SplitCheck {
  readonly split: string;
  readonly images: number;
  /** Absent where masks are withheld or there are none. */
  readonly masks?: number;
  /** As published; absent for a subset of another size. */
  readonly expected?: number;
}

export interface BenchmarkCheck {
  readonly classes: number;
  /** 50, 300 or 919 where the folders are that many. */
  readonly subset: Subset | null;
  /** Class id → folder, from the data itself. */
  readonly categories: Readonly<Record<string, string>>;
  readonly splits: readonly SplitCheck[];
  /** What makes results wrong or impossible. */
  readonly problems: readonly string[];
  /** What one should know. */
  readonly notes: readonly string[];
}

/** Split → the folder of its masks. */
const annotated: Readonly<Record<string, string>> = {
  'train-semi': 'train-semi-segmentation',
  validation: 'validation-segmentation',
};
const splits = ['train', 'train-semi', 'validation', 'test'];
const folders = [...splits, ...Object.values(annotated)];

/** Problems of one kind that are spelled out; the others are counted. */
const shown = 5;

/** Masks of another subset show by this: in most, the folder's own class does not occur. */
const leastOwnClass = 0.9;

class Findings {
  readonly #kinds = new Map<string, string[]>();

  /** @param kind what problems of this sort are called when they are counted */
  add(kind: string, problem: string): void {
    const list = this.#kinds.get(kind);
    if (list) list.push(problem);
    else this.#kinds.set(kind, [problem]);
  }

  lines(): string[] {
    return [...this.#kinds].flatMap(([kind, list]) =>
      list.length <= shown ? list : [...list.slice(0, shown), `… and ${list.length - shown} more: ${kind}`],
    );
  }
}

/** @throws PermanentError if nothing there looks like the benchmark */
export async function checkBenchmark(ports: CheckPorts): Promise<BenchmarkCheck> {
  const files = await filesByFolder(ports);
  const problems = new Findings();
  const notes = new Findings();
  const wnids = new Set(
    ['validation-segmentation', 'validation', 'test', 'train-semi', 'train']
      .map(folder => files.get(folder)!.map(name => name.split('/')[0]!))
      .find(names => names.length > 0),
  );
  if (wnids.size === 0) {
    throw new PermanentError(`no ${folders.join('/, ')}/ with images in it; give the folder that holds validation/`);
  }
  const classOf = classesOfFolders([...wnids].filter(isWnid));
  const subset = ([50, 300, 919] as const).find(size => size === classOf.size) ?? null;
  if (!subset) notes.add('size', `${classOf.size} classes: not 50, 300 or 919, so no counts to compare with`);
  for (const folder of folders) checkFolders(folder, files.get(folder)!, classOf, problems);
  const checked = splits.map(split => countSplit(split, files, subset, problems, notes));
  for (const [split, masks] of Object.entries(annotated)) {
    checkPairs(split, files, problems);
    await checkMasks(ports, { split, masks, files, classOf }, problems);
  }
  return {
    classes: classOf.size,
    subset,
    categories: Object.fromEntries([...classOf].map(([wnid, id]) => [id, wnid])),
    splits: checked,
    problems: problems.lines(),
    notes: notes.lines(),
  };
}

type Files = ReadonlyMap<string, readonly string[]>;

async function filesByFolder({ store }: CheckPorts): Promise<Files> {
  const files = new Map<string, string[]>(folders.map(folder => [folder, []]));
  for (const [folder, names] of files) {
    for await (const key of store.keys(`${folder}/`)) {
      const name = key.slice(folder.length + 1);
      if (!name.split('/').some(part => part.startsWith('.'))) names.push(name);
    }
  }
  return files;
}

/** One folder per class, no others; folders that were to be merged are named with where they belong. */
function checkFolders(
  folder: string,
  names: readonly string[],
  classOf: Map<string, number>,
  problems: Findings,
): void {
  if (names.length === 0) return;
  const found = new Set(names.map(name => name.split('/')[0]!));
  for (const name of [...found].filter(name => !classOf.has(name))) {
    const target = merges.get(name);
    const remedy =
      target && classOf.has(target) ? `its images belong into ${target}/` : 'it is no class of this subset';
    problems.add('folders that are no class', `${folder}/${name}: ${remedy}`);
  }
  for (const wnid of classOf.keys()) {
    if (!found.has(wnid)) problems.add('classes without a folder', `${folder}/${wnid} is missing`);
  }
}

function countSplit(
  split: string,
  files: Files,
  subset: Subset | null,
  problems: Findings,
  notes: Findings,
): SplitCheck {
  const images = files.get(split)!.length;
  const maskFolder = annotated[split];
  const masks = maskFolder && files.get(maskFolder)!.length;
  const expected = subset ? subsetSizes[subset][split] : undefined;
  if (images === 0) notes.add('absent splits', `${split}/ is not there`);
  else if (expected !== undefined && images !== expected) {
    problems.add('counts', `${split}/ holds ${images} images; as published it has ${expected}`);
  }
  return { split, images, ...(masks && { masks }), ...(expected !== undefined && { expected }) };
}

function checkPairs(split: string, files: Files, problems: Findings): void {
  const images = new Set(files.get(split)!.map(maskOf));
  const masks = new Set(files.get(annotated[split]!)!);
  if (images.size === 0 || masks.size === 0) return;
  for (const mask of images)
    if (!masks.has(mask)) problems.add('masks missing', `${annotated[split]}/${mask} is missing`);
  for (const mask of masks) {
    if (!images.has(mask))
      problems.add('masks without an image', `${annotated[split]}/${mask} has no image in ${split}/`);
  }
}

interface MaskCheck {
  readonly split: string;
  readonly masks: string;
  readonly files: Files;
  readonly classOf: ReadonlyMap<string, number>;
}

async function checkMasks(ports: CheckPorts, check: MaskCheck, problems: Findings): Promise<void> {
  const { masks, files, classOf, split } = check;
  const imageOf = new Map(files.get(split)!.map(name => [maskOf(name), name]));
  const names = files.get(masks)!;
  let own = 0;
  let done = 0;
  for await (const { name, holdsOwn, problem } of mapInOrder(names, 3 * ports.threads, one =>
    checkMask(ports, check, imageOf, one),
  )) {
    if (problem) problems.add('masks', `${masks}/${name}: ${problem}`);
    if (holdsOwn) own++;
    ports.log.progress('check', masks, ++done, names.length);
  }
  if (names.length > 0 && own < leastOwnClass * names.length) {
    problems.add(
      'ids',
      `${masks}: only ${own} of ${names.length} masks hold their folder's class; ids differ between subsets: are these masks of another one (here ${classOf.size} classes)?`,
    );
  }
}

async function checkMask(
  ports: CheckPorts,
  { masks, classOf, split }: MaskCheck,
  imageOf: ReadonlyMap<string, string>,
  name: string,
): Promise<{ name: string; holdsOwn: boolean; problem?: string | undefined }> {
  try {
    const bytes = (await ports.store.get(`${masks}/${name}`))!;
    const { ids, width, height, kind } = await decodeMask(ports, bytes, 'the mask');
    const holdsOwn = ids.includes(classOf.get(name.split('/')[0]!) ?? -1);
    if (kind !== 'rgb') return { name, holdsOwn, problem: 'not RGB; ImageNet-S stores id = R + 256·G' };
    const foreign = ids.find(id => id > classOf.size && id !== ignoredId);
    if (foreign !== undefined) return { name, holdsOwn, problem: `holds id ${foreign}, above ${classOf.size}` };
    const image = imageOf.get(name);
    return { name, holdsOwn, problem: image && (await sizeProblem(ports, `${split}/${image}`, { width, height })) };
  } catch (error) {
    if (error instanceof PermanentError || error instanceof RejectedInput) {
      return { name, holdsOwn: true, problem: error.message };
    }
    throw error;
  }
}

async function sizeProblem(
  { store, images }: CheckPorts,
  image: string,
  mask: { width: number; height: number },
): Promise<string | undefined> {
  const tiny = ({ width, height }: { width: number; height: number }) => ({
    width: Math.ceil(width / 8),
    height: Math.ceil(height / 8),
  });
  const { width, height } = await images.decode((await store.get(image))!, tiny);
  if (width === mask.width && height === mask.height) return undefined;
  return `${mask.width}×${mask.height}, but its image is ${width}×${height}`;
}
