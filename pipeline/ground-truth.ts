/** Ground-truth masks: where they lie, what their ids mean, and what is wrong with them. */
import { PermanentError } from '#core/errors';
import { decodeIndexPng, type IndexPng, type IndexPngKind } from '#core/formats/png-index';
import { keys } from '#core/job/keys';
import type { Plan } from '#core/job/plan';
import type { LabelMap } from '#core/labels/label-map';
import type { BackgroundRule } from '#core/metrics/tally';
import { mapInOrder } from './in-flight.ts';
import type { ImageCodec, ObjectStore } from './ports.ts';

/** What reading masks needs; `Ports` has it. */
export interface TruthSource {
  readonly store: Pick<ObjectStore, 'get' | 'keys'>;
  readonly images: Pick<ImageCodec, 'inflate'>;
}

export interface TruthRules {
  /** Prefix of the masks, with a final `/`. */
  readonly masks: string;
  /** N. Where it is missing, any id may occur. */
  readonly classes?: number | undefined;
  /** Ids that do not count. Default: by the kind of PNG. */
  readonly ignore?: readonly number[] | undefined;
  readonly background: BackgroundRule;
}

/** One image's ground truth. */
export interface Truth {
  /** Class ids. */
  readonly map: LabelMap;
  /** Ids in it that do not count. */
  readonly ignore: readonly number[];
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** How the plan's masks are to be read. @throws Error without masks: no such piece is planned then */
export function truthRules({ request, classes }: Plan): TruthRules {
  if (!request.masks) throw new Error('internal: nothing to measure without masks');
  return { masks: request.masks, classes, ignore: request.ignore, background: request.background };
}

/** Masks decoded at the same time when all of them have to be looked through. */
const atOnce = 8;

/** Path of an image's mask below the masks' prefix: the same, but ending in `.png`. */
export const maskOf = (image: string): string => `${image.replace(/\.[^./]+$/, '')}.png`;

/** Ids that do not count where the user names none: 255 in 8-bit masks, 1000 in 16-bit and RGB ones. */
export const defaultIgnore = (kind: IndexPngKind): readonly number[] =>
  kind === 'index8' || kind === 'grey8' ? [255] : [1000];

/** Highest class id of N classes: without background they start at 0. */
const highestOf = (classes: number, background: BackgroundRule): number =>
  background === 'auto' ? classes : classes - 1;

/**
 * A decoded mask by the rules.
 * @param name of the mask, for messages
 * @param size of the label map it is compared with, where that is known
 * @throws PermanentError that names the mask if it has another size or an id above the classes
 */
export function truthOf(png: IndexPng, rules: Omit<TruthRules, 'masks'>, name: string, size?: Size): Truth {
  if (size && (png.width !== size.width || png.height !== size.height)) throw sizeMismatch(name, png, size);
  const ignore = rules.ignore ?? defaultIgnore(png.kind);
  const highest = rules.classes === undefined ? undefined : highestOf(rules.classes, rules.background);
  const wrong = highest === undefined ? -1 : idAbove(png.ids, highest, ignore);
  if (wrong !== -1) {
    throw new PermanentError(
      `${name} holds id ${wrong}, above the highest class ${highest}; give --classes, or --ignore ${wrong}`,
    );
  }
  return { map: { width: png.width, height: png.height, data: png.ids }, ignore };
}

/** @param name of the mask */
export const sizeMismatch = (name: string, mask: Size, map: Size): PermanentError =>
  new PermanentError(
    `${name} is ${mask.width}×${mask.height}, but its label map is ${map.width}×${map.height}; both must have the image's size`,
  );

/** The first id above `highest` that is not ignored; −1 where there is none. */
function idAbove(ids: Uint16Array, highest: number, ignore: readonly number[]): number {
  for (let i = 0; i < ids.length; i++) if (ids[i]! > highest && !ignore.includes(ids[i]!)) return ids[i]!;
  return -1;
}

/**
 * Reads a mask.
 * @param mask path below the masks' prefix, as by `maskOf`
 * @throws PermanentError that names the mask if it is missing, unreadable, or against the rules
 */
export async function readTruth(source: TruthSource, rules: TruthRules, mask: string, size?: Size): Promise<Truth> {
  const bytes = await source.store.get(rules.masks + mask);
  if (!bytes) throw noMask(mask);
  return truthOf(await decodeMask(source, bytes, `mask ${mask}`), rules, `mask ${mask}`, size);
}

const noMask = (mask: string) => new PermanentError(`there is no mask ${mask}; add it, or leave its image out`);

/**
 * Before hours are spent: every image has a mask, or is none.
 * @param readable whether a file without a mask is an image at all
 * @throws PermanentError naming the first mask that is missing
 */
export async function assertMasked<Image extends { readonly name: string }>(
  { store }: Pick<TruthSource, 'store'>,
  masks: string,
  images: readonly Image[],
  readable: (image: Image) => Promise<boolean>,
): Promise<void> {
  const known = new Set(await listMasks({ store }, masks));
  for (const image of images) {
    const mask = maskOf(image.name);
    if (!known.has(mask) && (await readable(image))) throw noMask(mask);
  }
}

/** @param name of the file, for messages. @throws PermanentError */
export const decodeMask = (
  { images }: Pick<TruthSource, 'images'>,
  bytes: Uint8Array,
  name: string,
): Promise<IndexPng> => decodeIndexPng(bytes, (packed, limit) => images.inflate(packed, limit), name);

/** Paths of all masks below their prefix, in path order. */
export async function listMasks({ store }: Pick<TruthSource, 'store'>, masks: string): Promise<string[]> {
  const names: string[] = [];
  for await (const key of store.keys(masks)) {
    const name = key.slice(masks.length);
    if (name.toLowerCase().endsWith('.png') && !name.split('/').some(part => part.startsWith('.'))) names.push(name);
  }
  return names;
}

/** Names by class id, from `categories.txt` beside the masks' folder; empty without one. @throws PermanentError */
export async function classNames({ store }: Pick<TruthSource, 'store'>, masks: string): Promise<Map<number, string>> {
  const bytes = await store.get(keys.categories(masks));
  return bytes ? parseCategories(new TextDecoder().decode(bytes)) : new Map();
}

/** `id<tab>name` per line; empty lines are passed over. @throws PermanentError that names the line */
export function parseCategories(text: string): Map<number, string> {
  const names = new Map<number, string>();
  for (const [i, line] of text
    .replace(/^\ufeff/, '')
    .split(/\r?\n/)
    .entries()) {
    if (line.trim() === '') continue;
    const [, id, name] = /^\s*(\d{1,5})\t(.*)$/.exec(line) ?? [];
    if (id === undefined || Number(id) > 65_535) {
      throw new PermanentError(`categories.txt: line ${i + 1} is not "id<tab>name": ${line.trim().slice(0, 80)}`);
    }
    names.set(Number(id), name!.trim());
  }
  return names;
}

/**
 * N by the rules or by `categories.txt`; undefined where only the masks themselves could tell.
 * @throws PermanentError if `categories.txt` cannot be read or there is no mask
 */
export async function givenClasses(source: TruthSource, rules: TruthRules): Promise<number | undefined> {
  if (rules.classes !== undefined) return rules.classes;
  const names = await classNames(source, rules.masks);
  if (names.size === 0) return undefined;
  const ignore = rules.ignore ?? (await firstIgnore(source, rules.masks));
  const highest = Math.max(0, ...[...names.keys()].filter(id => !ignore.includes(id)));
  return rules.background === 'auto' ? highest : highest + 1;
}

/** What is ignored by default in the first mask: one kind of mask is taken for all when categories are counted. */
async function firstIgnore(source: TruthSource, masks: string): Promise<readonly number[]> {
  const [first] = await listMasks(source, masks);
  if (first === undefined) throw new PermanentError(`there is no mask (.png) under ${masks}`);
  const { kind } = await decodeMask(source, (await source.store.get(masks + first))!, `mask ${first}`);
  return defaultIgnore(kind);
}

/**
 * N: `--classes`, else the highest id of `categories.txt`, else of all masks.
 * @param images paths of the images, to see whether any has a mask
 * @throws PermanentError if none has one, or masks cannot be read
 */
export async function countClasses(
  source: TruthSource,
  rules: TruthRules,
  images: readonly { readonly name: string }[],
): Promise<number> {
  const masks = await listMasks(source, rules.masks);
  const known = new Set(masks);
  if (!images.some(({ name }) => known.has(maskOf(name)))) {
    const [first] = images;
    const expected = first ? `; ${first.name} needs ${maskOf(first.name)}` : '';
    throw new PermanentError(`no image has a mask among the ${masks.length} under ${rules.masks}${expected}`);
  }
  return classesOfMasks(source, rules, masks);
}

/** N as `countClasses`, of masks alone. @param masks their paths, where they are at hand */
export async function classesOfMasks(
  source: TruthSource,
  rules: TruthRules,
  masks?: readonly string[],
): Promise<number> {
  const given = await givenClasses(source, rules);
  return given ?? highestClass(source, rules, masks ?? (await listMasks(source, rules.masks)));
}

async function highestClass(source: TruthSource, rules: TruthRules, masks: readonly string[]): Promise<number> {
  const decode = async (mask: string) =>
    decodeMask(source, (await source.store.get(rules.masks + mask))!, `mask ${mask}`);
  let highest = 0;
  for await (const { ids, kind } of mapInOrder(masks, atOnce, decode)) {
    const ignore = rules.ignore ?? defaultIgnore(kind);
    for (const id of ids) if (id > highest && !ignore.includes(id)) highest = id;
  }
  return rules.background === 'auto' ? highest : highest + 1;
}
