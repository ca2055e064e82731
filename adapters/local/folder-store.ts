/** The store on a laptop: a folder of its own, with the user's folders mounted into it, read-only. */
import { realpath } from 'node:fs/promises';
import { resolve } from 'node:path';
import { PermanentError } from '#core/errors';
import type { ObjectStore, StoredObject } from '#pipeline/ports';
import { assertKey, merged } from './key-path.ts';
import type { Mount } from './mounted-folder.ts';
import { MountedFolder } from './mounted-folder.ts';
import { OwnFolder } from './own-folder.ts';

export interface FolderStoreOptions {
  /** Folders of the user's that appear in the store, read-only. */
  readonly mounts?: readonly Mount[];
  /** false: do without hard links, as on FAT disks. Default: found out by trying. */
  readonly hardLinks?: boolean;
}

export class FolderStore implements ObjectStore {
  readonly #own: OwnFolder;
  readonly #mounts: readonly MountedFolder[];

  private constructor(own: OwnFolder, mounts: readonly MountedFolder[]) {
    this.#own = own;
    this.#mounts = mounts;
  }

  /**
   * Opens or begins a store. Nothing is created before the first write; what killed processes left half written is cleared away.
   * @throws PermanentError if a mounted folder does not exist or two mounts overlap
   */
  static async open(folder: string, { mounts = [], hardLinks }: FolderStoreOptions = {}): Promise<FolderStore> {
    assertApart(mounts);
    const place = await realpath(folder).catch(() => resolve(folder));
    const opened = await Promise.all(mounts.map(mount => MountedFolder.open(mount, place)));
    const own = new OwnFolder(folder, hardLinks);
    await own.clean();
    return new FolderStore(own, opened);
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    const mount = this.#mountOf(key);
    return mount ? (await mount.read(key))?.bytes : this.#own.get(key);
  }

  getTagged(key: string): Promise<{ bytes: Uint8Array; etag: string } | undefined> {
    const mount = this.#mountOf(key);
    return mount ? mount.read(key) : this.#own.getTagged(key);
  }

  head(key: string): Promise<StoredObject | undefined> {
    return (this.#mountOf(key) ?? this.#own).head(key);
  }

  async putNew(key: string, bytes: Uint8Array): Promise<boolean> {
    return this.#writable(key).putNew(key, bytes);
  }

  async swap(key: string, bytes: Uint8Array, etag: string | undefined): Promise<string | undefined> {
    return this.#writable(key).swap(key, bytes, etag);
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    await this.#writable(key).put(key, bytes);
  }

  async delete(key: string): Promise<void> {
    await this.#writable(key).delete(key);
  }

  list(prefix: string): AsyncIterable<StoredObject> {
    const mounted = this.#touchedBy(prefix).map(mount => mount.list(prefix));
    return merged([this.#own.list(prefix, undefined, this.#hidden), ...mounted], ({ key }) => key);
  }

  keys(prefix: string): AsyncIterable<string> {
    const mounted = this.#touchedBy(prefix).map(mount => mount.keys(prefix));
    return merged([this.#own.keys(prefix, this.#hidden), ...mounted], key => key);
  }

  #touchedBy(prefix: string): readonly MountedFolder[] {
    return this.#mounts.filter(mount => mount.prefix.startsWith(prefix) || prefix.startsWith(mount.prefix));
  }

  /** What a mount covers in the store's own folder. */
  #hidden = (key: string): boolean => this.#mounts.some(mount => mount.prefix === `${key}/`);

  #mountOf(key: string): MountedFolder | undefined {
    return this.#mounts.find(mount => key.startsWith(mount.prefix));
  }

  #writable(key: string): OwnFolder {
    if (this.#mountOf(key)) throw new PermanentError(`${key} is the user's own file and is never written`);
    return this.#own;
  }
}

function assertApart(mounts: readonly Mount[]): void {
  for (const { prefix } of mounts) {
    assertKey(prefix.replace(/\/$/, ''));
    if (!prefix.endsWith('/'))
      throw new PermanentError(`${prefix} is no prefix for a folder: it must end with a slash`);
    const others = mounts.filter(other => other.prefix.startsWith(prefix));
    if (others.length > 1)
      throw new PermanentError(`two folders are mounted at ${prefix}; give each a prefix of its own`);
  }
}
