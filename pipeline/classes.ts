/** Edits of the class map in a run's folder: one at a time, undoable, copied to the model. Label maps are only ever read. */
import { PermanentError, UsageError } from '#core/errors';
import {
  type ClassHistoryEntry,
  formatClassHistory,
  historyEntry,
  parseClassHistory,
  undoEdit,
} from '#core/labels/class-history';
import { type ClassMap, formatClassMap, parseClassMap } from '#core/labels/class-map';
import { LabelCounter, type LabelCounts, parseLabelCounts } from '#core/labels/label-counts';
import { listFolderImages, readLabelMaps } from './labelled-folder.ts';
import type { ObjectStore, Ports } from './ports.ts';

const mapKey = 'classes.json';
const historyKey = 'classes.history.json';
const countsKey = 'classes.counts.json';
const modelKey = 'model/classes.json';
/** Writes by others that are met before giving up: each lost try means that somebody else's write was made. */
const mostTries = 1000;

export interface ClassChange {
  readonly before: ClassMap;
  readonly after: ClassMap;
  /** The edit in words. */
  readonly edit: string;
}

/** Writes an object that others may write too: reads it, and writes what `next` makes of it, again if somebody was faster. */
async function update(
  store: ObjectStore,
  key: string,
  next: (bytes: Uint8Array | undefined) => Uint8Array,
): Promise<void> {
  for (let i = 0; i < mostTries; i++) {
    const current = await store.getTagged(key);
    if ((await store.swap(key, next(current?.bytes), current?.etag)) !== undefined) return;
  }
  throw new Error(`${key} is being changed all the time; try again`);
}

/** The model's copy follows the classes, also if somebody else edits them meanwhile. */
async function copyToModel(store: ObjectStore): Promise<void> {
  if (!(await store.head(modelKey))) return;
  for (let version = 0; ; ) {
    const bytes = await store.get(mapKey);
    if (!bytes) return;
    const current = parseClassMap(bytes).version;
    if (current === version) return;
    await store.put(modelKey, bytes);
    version = current;
  }
}

type Change = (map: ClassMap, history: readonly ClassHistoryEntry[]) => { map: ClassMap; entry: ClassHistoryEntry };

async function change(store: ObjectStore, make: Change): Promise<ClassChange> {
  for (let i = 0; i < mostTries; i++) {
    const current = await store.getTagged(mapKey);
    if (!current)
      throw new PermanentError(`${mapKey} is missing; give the folder that selflabel run wrote (its --out)`);
    const before = parseClassMap(current.bytes);
    const history = parseClassHistory(await store.get(historyKey));
    const { map: after, entry } = make(before, history);
    await update(store, historyKey, bytes => formatClassHistory([...parseClassHistory(bytes), entry]));
    if ((await store.swap(mapKey, formatClassMap(after), current.etag)) === undefined) continue;
    await copyToModel(store);
    return { before, after, edit: entry.edit };
  }
  throw new Error(`${mapKey} is being changed all the time; try again`);
}

/**
 * Edits the classes of a run's folder and of its model. If somebody edits at the same time, the edit is made again on
 * top of theirs.
 * @param words the edit as people read it in the history
 * @throws PermanentError if there are no classes; whatever `edit` throws
 */
export const editClasses = (
  store: ObjectStore,
  words: string,
  edit: (map: ClassMap) => ClassMap,
): Promise<ClassChange> =>
  change(store, map => {
    const after = edit(map);
    const entry = historyEntry(words, map, after);
    if (entry.removed.length + entry.added.length === 0) throw new UsageError(`${words} changes nothing`);
    return { map: after, entry };
  });

/** Takes back the last edit. @throws PermanentError if there is none */
export const undoClasses = (store: ObjectStore): Promise<ClassChange> => change(store, undoEdit);

/** What `undoClasses` would do. */
export async function previewUndo(store: ObjectStore, map: ClassMap): Promise<ClassMap> {
  return undoEdit(map, parseClassHistory(await store.get(historyKey))).map;
}

/** Counts that were stored for this receipt. */
async function storedCounts(store: ObjectStore, receipt: string): Promise<LabelCounts | undefined> {
  const bytes = await store.get(countsKey);
  if (!bytes) return undefined;
  const stored = JSON.parse(new TextDecoder().decode(bytes)) as { receipt?: unknown; counts?: unknown };
  return stored.receipt === receipt ? parseLabelCounts(stored.counts) : undefined;
}

/**
 * How often labels occur in the label maps of a run's folder. Counted once and kept in `classes.counts.json` until the
 * run's receipt changes.
 */
export async function countLabels(
  ports: Pick<Ports, 'images' | 'digest' | 'log'>,
  store: ObjectStore,
): Promise<LabelCounts> {
  const images = await listFolderImages(store);
  const receipt = ports.digest.sha256((await store.get('receipt.json'))!);
  const stored = await storedCounts(store, receipt);
  if (stored) return stored;
  const counter = new LabelCounter();
  let done = 0;
  for await (const { map } of readLabelMaps(ports, store, images)) {
    counter.add(map);
    ports.log.progress('count labels', '', ++done, images.length);
  }
  const counts = counter.counts();
  await store.put(countsKey, new TextEncoder().encode(`${JSON.stringify({ receipt, counts })}\n`));
  return counts;
}
