/** A zip file as a folder for reading: names from its directory, entries unpacked one by one; what could harm is refused. */
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { type Entry, fromBufferPromise, openPromise, type ZipFile } from 'yauzl';
import { PermanentError } from '#core/errors';
import type { ObjectStore } from '#pipeline/ports';

export interface ZipLimits {
  readonly entries: number;
  /** Of one entry, unpacked. */
  readonly entryBytes: number;
  /** Of all entries, unpacked. */
  readonly totalBytes: number;
}

/** Room for the largest published test set many times over. */
export const zipLimits: ZipLimits = { entries: 250_000, entryBytes: 256 * 2 ** 20, totalBytes: 16 * 2 ** 30 };

/** Unix file types, in the upper half of the external attributes. */
const fileTypeMask = 0o170000;
const regularFile = 0o100000;
const directory = 0o040000;
const unix = 3;

/**
 * An open archive. The directory is read once and checked as a whole: names that leave the folder, links, encryption, foreign
 * compression, one name twice, and more bytes than the limits allow are refused before anything is unpacked. An entry
 * that unpacks to more than its directory says ends there.
 */
export class ZipArchive implements Pick<ObjectStore, 'get' | 'keys'> {
  readonly #file: ZipFile;
  readonly #entries: ReadonlyMap<string, Entry>;
  readonly #name: string;

  private constructor(file: ZipFile, entries: ReadonlyMap<string, Entry>, name: string) {
    this.#file = file;
    this.#entries = entries;
    this.#name = name;
  }

  /**
   * @param source path of the file, or its bytes
   * @param name how messages call it
   * @throws PermanentError that says what is wrong with it
   */
  static async open(source: string | Buffer, name: string, limits: ZipLimits = zipLimits): Promise<ZipArchive> {
    const options = { lazyEntries: true, autoClose: false, validateEntrySizes: true, strictFileNames: true };
    const opening = typeof source === 'string' ? openPromise(source, options) : fromBufferPromise(source, options);
    const file = await opening.catch(cause => {
      throw damaged(name, cause);
    });
    try {
      return new ZipArchive(file, await readDirectory(file, name, limits), name);
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /** Names of the files, in path order. */
  async *keys(prefix: string): AsyncGenerator<string> {
    for (const name of [...this.#entries.keys()].sort()) if (name.startsWith(prefix)) yield name;
  }

  /** @throws PermanentError if the entry is damaged */
  async get(key: string): Promise<Uint8Array | undefined> {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    try {
      const stream = await this.#file.openReadStreamPromise(entry);
      return new Uint8Array(await buffer(Readable.from(stream)));
    } catch (cause) {
      throw new PermanentError(`${this.#name}: ${key} cannot be unpacked (${said(cause)}); pack it again`, { cause });
    }
  }

  close(): void {
    this.#file.close();
  }
}

const said = (cause: unknown) => (cause as Error).message.replace(/\s+/g, ' ');

const damaged = (name: string, cause: unknown) =>
  new PermanentError(`${name} is no zip that can be read (${said(cause)}); pack it again`, { cause });

async function readDirectory(file: ZipFile, name: string, limits: ZipLimits): Promise<Map<string, Entry>> {
  if (file.entryCount > limits.entries) {
    throw new PermanentError(`${name} holds ${file.entryCount} entries; at most ${limits.entries} are read`);
  }
  const entries = new Map<string, Entry>();
  let total = 0;
  for await (const entry of entriesOf(file, name)) {
    assertHarmless(entry, name);
    total += entry.uncompressedSize;
    if (entry.uncompressedSize > limits.entryBytes || total > limits.totalBytes) {
      throw new PermanentError(
        `${name} unpacks to too much: ${entry.fileName} and what stands before it are ${total} bytes; at most ${limits.entryBytes} per file and ${limits.totalBytes} in all are read`,
      );
    }
    if (entry.fileName.endsWith('/')) continue;
    if (entries.has(entry.fileName)) throw new PermanentError(`${name} holds ${entry.fileName} twice; pack it again`);
    entries.set(entry.fileName, entry);
  }
  return entries;
}

/** The library itself refuses names that are absolute, hold `..` or a backslash. */
async function* entriesOf(file: ZipFile, name: string): AsyncGenerator<Entry> {
  try {
    for await (const entry of file.eachEntry()) yield entry;
  } catch (cause) {
    throw cause instanceof PermanentError ? cause : damaged(name, cause);
  }
}

function assertHarmless(entry: Entry, name: string): void {
  const { fileName } = entry;
  if (entry.isEncrypted()) throw new PermanentError(`${name}: ${fileName} is encrypted; pack it without a password`);
  if (entry.compressionMethod !== 0 && entry.compressionMethod !== 8) {
    throw new PermanentError(
      `${name}: ${fileName} is packed by method ${entry.compressionMethod}; pack it with deflate, as zip programs do by default`,
    );
  }
  const type = entry.versionMadeBy >> 8 === unix ? (entry.externalFileAttributes >>> 16) & fileTypeMask : 0;
  if (type !== 0 && type !== regularFile && type !== directory) {
    throw new PermanentError(`${name}: ${fileName} is a link or a device; pack the files themselves`);
  }
  if (/\p{Cc}/u.test(fileName) || fileName.split('/').includes('..')) {
    throw new PermanentError(`${name}: the name ${JSON.stringify(fileName)} is not one a mask can have`);
  }
}
