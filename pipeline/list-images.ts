/** The images under a prefix, object after object: loose files, and those inside tar archives. Nothing is held but one archive's index. */
import { PermanentError } from '#core/errors';
import {
  indexOf,
  isTar,
  isTarIndex,
  parseTarIndex,
  type TarIndex,
  type TarMember,
  TarWalk,
} from '#core/formats/tar-index';
import type { PlannedImage } from '#core/job/plan';
import type { ObjectStore, StoredObject } from './ports.ts';
import { streamObject } from './stream-object.ts';

/** How far a listing is: so many images of this key have been seen, and all of the keys before it. */
export interface ListingPlace {
  readonly key: string;
  readonly taken: number;
  /** The last name, once an archive with an index has been seen: from there on names only ascend. */
  readonly last?: string | undefined;
}

/** Images of one object that follow each other: a loose file, those of an archive with an index, one of any other archive. */
export interface ListedImages {
  readonly key: string;
  /** Images of this object before these. */
  readonly before: number;
  readonly images: readonly PlannedImage[];
  readonly ascends: boolean;
}

/** Behind the first so many of the images. */
export const placeBehind = ({ key, before, images, ascends }: ListedImages, count: number): ListingPlace => ({
  key,
  taken: before + count,
  last: ascends ? images[count - 1]!.name : undefined,
});

/**
 * Images in the order of their keys, those of an archive in its order. An archive that `push` wrote has an index beside it
 * with the images' own paths; any other is read through once, and its images are named `<archive without .tar>/<entry>`.
 * @param after goes on behind this place
 * @throws PermanentError if an archive or its index is damaged, or a name comes twice
 */
export async function* listImages(
  store: ObjectStore,
  prefix: string,
  after?: ListingPlace,
): AsyncGenerator<ListedImages> {
  // An archive is listed again: it may hold more.
  const from = after && isTar(after.key) ? after.key.slice(0, -1) : after?.key;
  let behind = after === undefined;
  let last = after?.last;
  for await (const object of store.list(prefix, from)) {
    const { key } = object;
    const again = key === after?.key;
    // Stores need not leave out what comes before.
    behind ||= !isBefore(key, after!.key);
    if (!behind || (again && !isTar(key)) || isTarIndex(key)) continue;
    const index = isTar(key) ? await readIndex(store, object) : undefined;
    const ascends = last !== undefined || index !== undefined;
    for await (const group of groupsOf(store, prefix, object, index, again ? after.taken : 0)) {
      for (const { name } of group.images) {
        if (last !== undefined && !isBefore(last, name)) throw outOfOrder(name, last);
        last = ascends ? name : undefined;
      }
      if (group.images.length) yield { key, ascends, ...group };
    }
  }
}

/** @param skip so many images of this object have been seen */
async function* groupsOf(
  store: ObjectStore,
  prefix: string,
  object: StoredObject,
  index: TarIndex | undefined,
  skip: number,
): AsyncGenerator<Pick<ListedImages, 'before' | 'images'>> {
  const { key, size, etag } = object;
  if (!isTar(key)) return yield { before: 0, images: [{ name: key.slice(prefix.length), size, etag }] };
  const tar = key.slice(prefix.length);
  const imageOf = (name: string, { start, size }: TarMember): PlannedImage => ({ name, size, etag, tar, start });
  if (index)
    return yield { before: skip, images: index.members.slice(skip).map(member => imageOf(member.name, member)) };
  const folder = `${tar.slice(0, -'.tar'.length)}/`;
  let before = 0;
  for await (const member of walkTar(store, prefix + folder, object)) {
    if (before >= skip) yield { before, images: [imageOf(folder + member.name, member)] };
    before++;
  }
}

const outOfOrder = (name: string, last: string) =>
  new PermanentError(
    `${name} comes after ${last}: images are there twice, loose and in archives or in two pushes; push the folder to an empty place`,
  );

/** In the order of UTF-8 bytes: that of code points, which differs from JavaScript's where surrogates begin. */
export function isBefore(a: string, b: string): boolean {
  const length = Math.min(a.length, b.length);
  let i = 0;
  while (i < length && a.charCodeAt(i) === b.charCodeAt(i)) i++;
  if (i === length) return a.length < b.length;
  return rankOf(a.charCodeAt(i)) < rankOf(b.charCodeAt(i));
}

/** Surrogates stand for code points above all others. */
const rankOf = (unit: number): number => (unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit);

async function readIndex(store: ObjectStore, { key, size }: StoredObject): Promise<TarIndex | undefined> {
  const bytes = await store.get(indexOf(key));
  if (!bytes) return undefined;
  const index = parseTarIndex(bytes, indexOf(key));
  if (index.bytes === size) return index;
  throw new PermanentError(`${indexOf(key)} belongs to another archive; push the folder again, or remove the index`);
}

/** @param folder under which the archive's images appear: nothing else may lie there */
async function* walkTar(store: ObjectStore, folder: string, object: StoredObject): AsyncGenerator<TarMember> {
  for await (const key of store.keys(folder))
    throw new PermanentError(`${key} and ${object.key} would have images of the same names; rename one of them`);
  const walk = new TarWalk(object.key);
  const names = new Set<string>();
  for await (const piece of streamObject(store, object, 0, object.size)) {
    for (const member of walk.feed(piece)) {
      if (names.has(member.name)) throw new PermanentError(`${object.key} holds ${member.name} twice; pack it again`);
      names.add(member.name);
      yield member;
    }
  }
  walk.end();
}
