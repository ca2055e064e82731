/** Push: a folder's files into the bucket, loose or packed into tar archives; what is there already stays. */
import { PermanentError, RejectedInput } from '#core/errors';
import { type TarEntry, writeTar } from '#core/formats/tar';
import { formatTarIndex, indexOf, isTar, TarWalk } from '#core/formats/tar-index';
import { mapInOrder } from './in-flight.ts';
import type { ObjectStore, StoredObject } from './ports.ts';

export type Packing = 'auto' | 'always' | 'never';

/** Above so many files requests would cost more than the network's work on them (docs/cost.md). */
const mostLoose = 10_000;
/** An archive ends with whichever comes first: it is held in memory while it is made. */
export const mostPacked = { images: 4096, bytes: 512 * 2 ** 20 } as const;
const packedName = (index: number): string => `packed-${String(index).padStart(6, '0')}.tar`;
const isPackedName = (name: string): boolean => /^packed-\d{6}\.tar(\.index)?$/.test(name);

export interface PushSettings {
  /** The folder, as a store whose keys begin with `prefix`. */
  readonly from: Pick<ObjectStore, 'list' | 'get'>;
  readonly to: ObjectStore;
  readonly prefix: string;
  readonly pack: Packing;
  /** Files under way at once. */
  readonly atOnce: number;
  /** Whether an object that is there already holds these bytes. */
  readonly holds: (there: StoredObject, bytes: Uint8Array) => boolean;
  readonly progress: (done: number, total: number) => void;
  /** Default: `mostPacked`. */
  readonly limits?: { readonly images: number; readonly bytes: number };
}

export interface Pushed {
  readonly files: number;
  readonly bytes: number;
  /** Objects written, and those that held the same bytes already. */
  readonly written: number;
  readonly unchanged: number;
  readonly archives: number;
  readonly unreadable: readonly { readonly name: string; readonly reason: string }[];
  /** Objects under the prefix that are not of this folder: they will be labelled too. */
  readonly others: number;
}

/** @throws PermanentError if the folder is empty, or loose files and archives would be mixed */
export async function push(settings: PushSettings): Promise<Pushed> {
  const { from, to, prefix, pack } = settings;
  const files: StoredObject[] = [];
  for await (const file of from.list(prefix)) files.push(file);
  if (!files.length) throw new PermanentError('the folder holds no files; give the folder of your images');
  const there = new Map<string, StoredObject>();
  for await (const object of to.list(prefix)) there.set(object.key.slice(prefix.length), object);
  const packed = pack === 'always' || (pack === 'auto' && (files.length > mostLoose || hasPacked(there)));
  assertOneKind(prefix, there, packed);
  const state: Pushing = { ...settings, files, there, written: 0, unchanged: 0, unreadable: [], wanted: new Set() };
  const archives = packed ? await pushPacked(state) : await pushLoose(state);
  const { written, unchanged, unreadable, wanted } = state;
  return {
    files: files.length,
    bytes: files.reduce((sum, { size }) => sum + size, 0),
    written,
    unchanged,
    archives,
    unreadable,
    others: packed ? 0 : [...there.keys()].filter(name => !wanted.has(name)).length,
  };
}

interface Pushing extends PushSettings {
  readonly files: readonly StoredObject[];
  /** By name below the prefix. */
  readonly there: ReadonlyMap<string, StoredObject>;
  readonly wanted: Set<string>;
  readonly unreadable: { name: string; reason: string }[];
  written: number;
  unchanged: number;
}

const hasPacked = (there: ReadonlyMap<string, StoredObject>): boolean => [...there.keys()].some(isPackedName);

function assertOneKind(prefix: string, there: ReadonlyMap<string, StoredObject>, packed: boolean): void {
  const other = [...there.keys()].find(name => isPackedName(name) !== packed);
  if (other === undefined) return;
  throw new PermanentError(
    packed
      ? `${prefix}${other} lies there loose, and the folder would be packed; push to an empty place, or with --pack never`
      : `${prefix}${other} is an archive of an earlier push; push to an empty place, or with --pack always`,
  );
}

async function pushLoose(state: Pushing): Promise<number> {
  const { from, prefix, files, atOnce, progress } = state;
  const pushOne = async ({ key }: StoredObject) => {
    const bytes = await read(state, from, key);
    if (bytes) await store(state, key.slice(prefix.length), bytes);
  };
  let done = 0;
  for await (const _ of mapInOrder(files, atOnce, pushOne)) progress(++done, files.length);
  return 0;
}

/** Undefined for a file that cannot be read, which is remembered. */
async function read(
  { prefix, unreadable }: Pushing,
  from: PushSettings['from'],
  key: string,
): Promise<Uint8Array | undefined> {
  try {
    const bytes = await from.get(key);
    if (!bytes) throw new RejectedInput('it is gone');
    return bytes;
  } catch (error) {
    if (!(error instanceof RejectedInput)) throw error;
    unreadable.push({ name: key.slice(prefix.length), reason: error.message });
    return undefined;
  }
}

async function store(state: Pushing, name: string, bytes: Uint8Array): Promise<void> {
  const there = state.there.get(name);
  state.wanted.add(name);
  if (there?.size === bytes.length && state.holds(there, bytes)) state.unchanged++;
  else {
    await state.to.put(state.prefix + name, bytes);
    state.written++;
  }
}

/** In the order of the folder, so that the images have the order they have there. @returns how many archives */
async function pushPacked(state: Pushing): Promise<number> {
  const { from, to, prefix, files, atOnce, progress, limits = mostPacked } = state;
  let archives = 0;
  let done = 0;
  for (const group of groupsOf(files, limits)) {
    const entries: TarEntry[] = [];
    const readOne = async ({ key }: StoredObject) => ({
      name: key.slice(prefix.length),
      bytes: await read(state, from, key),
    });
    for await (const { name, bytes } of mapInOrder(group, atOnce, readOne)) {
      if (bytes) entries.push({ name, bytes });
      progress(++done, files.length);
    }
    const name = packedName(archives++);
    const tar = writeTar(entries);
    const index = formatTarIndex({ bytes: tar.length, members: [...new TarWalk(name).feed(tar)] });
    // The index first: an archive without one would be read as somebody else's.
    await store(state, indexOf(name), index);
    await store(state, name, tar);
  }
  const stale = [...state.there.keys()].filter(name => !state.wanted.has(name));
  // Archives first: an index alone is nothing.
  for (const name of stale.sort((a, b) => Number(isTar(b)) - Number(isTar(a)))) await to.delete(prefix + name);
  return archives;
}

function* groupsOf(
  files: readonly StoredObject[],
  limits: { images: number; bytes: number },
): Generator<StoredObject[]> {
  let group: StoredObject[] = [];
  let bytes = 0;
  for (const file of files) {
    if (group.length && (group.length === limits.images || bytes + file.size > limits.bytes)) {
      yield group;
      [group, bytes] = [[], 0];
    }
    group.push(file);
    bytes += file.size;
  }
  yield group;
}
