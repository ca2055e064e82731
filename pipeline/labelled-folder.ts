/** What a finished run left in its folder, read for exports and counts: receipt, label maps, classes. */
import * as z from 'zod';
import { PermanentError } from '#core/errors';
import { parseClustersCsv } from '#core/formats/clusters-csv';
import { decodeIndexPng } from '#core/formats/png-index';
import { type ClassMap, parseClassMap } from '#core/labels/class-map';
import type { LabelMap } from '#core/labels/label-map';
import { labelPaths } from '#core/labels/label-path';
import { mapInOrder } from './in-flight.ts';
import type { ObjectStore, Ports } from './ports.ts';

/** Label maps read ahead of their use. */
const readAhead = 8;
const decoder = new TextDecoder();

/** An image that was not rejected, and where its label map lies below `labels/`. */
export interface FolderImage {
  readonly image: string;
  /** `a/b.png` */
  readonly path: string;
}

const listsSchema = z.object({
  labelled: z.array(z.string()),
  empty: z.array(z.string()),
  duplicate: z.array(z.object({ image: z.string() })),
});
/** The lists themselves, or where they lie. */
const receiptSchema = z.union([listsSchema, z.object({ lists: z.array(z.string()) })]);

async function readNeeded(store: ObjectStore, key: string): Promise<Uint8Array> {
  const bytes = await store.get(key);
  if (!bytes) throw new PermanentError(`${key} is missing; give the folder that selflabel run wrote (its --out)`);
  return bytes;
}

/** Bytes as JSON. @throws PermanentError naming the file */
function jsonOf(bytes: Uint8Array, name: string): unknown {
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch (cause) {
    throw new PermanentError(`${name} is no JSON; run the job again to make it anew`, { cause });
  }
}

/** Every image with a label map, in path order. @throws PermanentError if there is no receipt or it lists no images */
export async function listFolderImages(store: ObjectStore): Promise<FolderImage[]> {
  const receipt = await readLists(store, 'receipt.json', receiptSchema);
  const images: string[] = [];
  for (const file of 'lists' in receipt ? receipt.lists : [undefined]) {
    const { labelled, empty, duplicate } = file
      ? await readLists(store, file, listsSchema)
      : listsSchema.parse(receipt);
    for (const name of [labelled, empty, duplicate.map(({ image }) => image)].flat()) images.push(name);
  }
  images.sort();
  const paths = labelPaths(images);
  return images.map(image => ({ image, path: paths.of(image) }));
}

async function readLists<T>(store: ObjectStore, file: string, schema: z.ZodType<T>): Promise<T> {
  const result = schema.safeParse(jsonOf(await readNeeded(store, file), file));
  if (!result.success) throw new PermanentError(`${file} does not list the images; exports need these lists`);
  return result.data;
}

/** The classes as they are now. @throws PermanentError if there are none or the file is broken */
export async function readClasses(store: ObjectStore): Promise<ClassMap> {
  return parseClassMap(await readNeeded(store, 'classes.json'));
}

/** The label maps of images, in their order, a few read ahead. @throws PermanentError if one is missing or damaged */
export function readLabelMaps(
  { images: codec }: Pick<Ports, 'images'>,
  store: ObjectStore,
  images: Iterable<FolderImage>,
): AsyncGenerator<FolderImage & { map: LabelMap }> {
  return mapInOrder(images, readAhead, async ({ image, path }) => {
    const key = `labels/${path}`;
    const bytes = await readNeeded(store, key);
    const { width, height, ids } = await decodeIndexPng(bytes, (packed, limit) => codec.inflate(packed, limit), key);
    return { image, path, map: { width, height, data: ids } };
  });
}

/** Confidence per image, where `clusters.csv` is there and says it. */
export async function readConfidences(store: ObjectStore): Promise<Map<string, number>> {
  const bytes = await store.get('clusters.csv');
  const rows = bytes ? parseClustersCsv(decoder.decode(bytes)) : [];
  return new Map(rows.filter(row => Number.isFinite(row.confidence)).map(row => [row.image, row.confidence]));
}

/** Name of the model that made the labels, from its card. */
export async function readModelName(store: ObjectStore): Promise<string> {
  const bytes = await store.get('model/card.json');
  const card = z.object({ name: z.string().min(1) }).safeParse(bytes && jsonOf(bytes, 'model/card.json'));
  return card.success ? card.data.name : 'selflabel';
}
