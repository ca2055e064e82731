/**
 * Tar archives: POSIX ustar with pax headers for names that ustar cannot hold (IEEE Std 1003.1, pax).
 *
 * An entry is a block of 512 bytes (name, mode, owner, size in octal, checksum, type …) and its bytes, padded to whole
 * blocks; two empty blocks end the archive. A name that is long or not ASCII gets an entry of type `x` before it with
 * lines like `24 path=bilder/fröhlich\n`, where 24 is the length of the whole line in bytes.
 *
 * What is written depends on names and bytes alone: time 0, owner 0, mode 0644.
 */
import { PermanentError } from '../errors.ts';

export interface TarEntry {
  /** Relative, with `/`. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Everything in an archive is padded to blocks of so many bytes. */
export const tarBlock = 512;
const encoder = new TextEncoder();
const decoder = new TextDecoder();
const padding = (length: number) => new Uint8Array((tarBlock - (length % tarBlock)) % tarBlock);

/** Sum of a header's bytes, its checksum field counted as spaces. */
function checksum(header: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < tarBlock; i++) sum += i >= 148 && i < 156 ? 32 : header[i]!;
  return sum;
}

function headerBlock(name: Uint8Array, size: number, type: '0' | 'x'): Uint8Array {
  const header = new Uint8Array(tarBlock);
  const put = (text: string, at: number) => header.set(encoder.encode(text), at);
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, '0')}\0`;
  header.set(name.subarray(0, 100));
  put(octal(0o644, 7), 100);
  put(octal(0, 7), 108);
  put(octal(0, 7), 116);
  put(octal(size, 11), 124);
  put(octal(0, 11), 136);
  put(type, 156);
  put('ustar\u000000', 257);
  put(octal(0, 7), 329);
  put(octal(0, 7), 337);
  put(`${checksum(header).toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}

/** One line of a pax header; its first number counts itself. */
function paxRecord(key: string, value: string): Uint8Array {
  const rest = encoder.encode(` ${key}=${value}\n`).length;
  let length = rest;
  while (rest + String(length).length !== length) length = rest + String(length).length;
  return encoder.encode(`${length} ${key}=${value}\n`);
}

/** The pieces of one entry, in order: for archives written bit by bit. End the archive with `tarEnd`. */
export function tarEntry({ name, bytes }: TarEntry): Uint8Array[] {
  if (!isPlainName(name)) throw new RangeError(`tar entry name ${JSON.stringify(name)}`);
  const encoded = encoder.encode(name);
  const entry = [headerBlock(encoded, bytes.length, '0'), bytes, padding(bytes.length)];
  if (encoded.length <= 100 && encoded.length === name.length) return entry;
  const record = paxRecord('path', name);
  return [headerBlock(encoder.encode('pax'), record.length, 'x'), record, padding(record.length), ...entry];
}

/** What ends an archive. */
export const tarEnd = (): Uint8Array => new Uint8Array(2 * tarBlock);

/** A whole archive. Same entries, same bytes. @throws RangeError for a name that is absolute, empty or climbs with `..` */
export function writeTar(entries: Iterable<TarEntry>): Uint8Array {
  const pieces = [...[...entries].flatMap(tarEntry), tarEnd()];
  const archive = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    archive.set(piece, at);
    at += piece.length;
  }
  return archive;
}

/** Relative, non-empty, and staying where it is put. */
const isPlainName = (name: string) =>
  name !== '' && !name.startsWith('/') && !name.includes('\0') && name.split('/').every(part => part !== '..');

const textOf = (header: Uint8Array, at: number, length: number) => {
  const field = header.subarray(at, at + length);
  const end = field.indexOf(0);
  return decoder.decode(end < 0 ? field : field.subarray(0, end));
};

/** A size: octal text, or with the top bit set a big-endian number (GNU, for 8 GiB and more). */
function sizeOf(header: Uint8Array): number {
  if (header[124]! < 128) return Number.parseInt(textOf(header, 124, 12).trim() || '0', 8);
  return header.subarray(125, 136).reduce((size, byte) => size * 256 + byte, 0);
}

function parsePax(bytes: Uint8Array): Map<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(32, at);
    const length = Number(decoder.decode(bytes.subarray(at, space)));
    if (space < 0 || !(length > 0)) break;
    const [key, ...value] = decoder.decode(bytes.subarray(space + 1, at + length - 1)).split('=');
    records.set(key!, value.join('='));
    at += length;
  }
  return records;
}

/** Types whose entries carry no file and are passed over: folders, pax defaults for all that follows. */
const passedOver = new Set(['5', 'g']);
const isFile = (type: string) => type === '0' || type === '\0' || type === '7';

/** What to call an entry: a pax path, a GNU long name, or the ustar name with its prefix. */
function nameOf(header: Uint8Array, longName: string | undefined): string {
  if (longName !== undefined) return longName;
  const prefix = textOf(header, 257, 5) === 'ustar' && header[262] === 0 ? textOf(header, 345, 155) : '';
  return prefix === '' ? textOf(header, 0, 100) : `${prefix}/${textOf(header, 0, 100)}`;
}

/** What one header says. */
export interface TarHeader {
  /** Bytes of the body, and with its padding. */
  readonly size: number;
  readonly padded: number;
  /** Only for files: what the body is called. */
  readonly name: string | undefined;
  /** The body is a name for the next header: give it to `takeName`. */
  readonly carriesName: boolean;
}

/** Reads the headers of one archive one after the other; some carry a name for the next. Reads ustar, pax and GNU long names. */
export class TarHeaders {
  readonly #archiveName: string;
  #longName: string | undefined;
  #type = '';

  constructor(archiveName: string) {
    this.#archiveName = archiveName;
  }

  /**
   * @param header a block of 512 bytes @param at where it stands, for messages
   * @returns undefined at the end of the archive
   * @throws PermanentError if it is damaged, or a link, a device, or a name that leaves its folder
   */
  read(header: Uint8Array, at: number): TarHeader | undefined {
    if (header.every(byte => byte === 0)) return undefined;
    if (checksum(header) !== Number.parseInt(textOf(header, 148, 8).trim(), 8)) {
      throw new PermanentError(`${this.#archiveName} is no tar archive or is damaged: wrong checksum at byte ${at}`);
    }
    const size = sizeOf(header);
    this.#type = String.fromCharCode(header[156]!);
    const carriesName = this.#type === 'x' || this.#type === 'L';
    const padded = size + padding(size).length;
    return { size, padded, name: carriesName ? undefined : this.#fileName(header), carriesName };
  }

  /** The body of a header that carries a name. */
  takeName(body: Uint8Array): void {
    this.#longName = this.#type === 'x' ? (parsePax(body).get('path') ?? this.#longName) : textOf(body, 0, body.length);
  }

  #fileName(header: Uint8Array): string | undefined {
    const name = nameOf(header, this.#longName);
    this.#longName = undefined;
    if (passedOver.has(this.#type)) return undefined;
    if (!isFile(this.#type))
      throw new PermanentError(`${this.#archiveName}: ${name} is a link or device; pack plain files only`);
    if (!isPlainName(name))
      throw new PermanentError(`${this.#archiveName}: the name ${name} leaves the archive's folder`);
    return name;
  }
}

/**
 * The files of an archive in their order; `bytes` are views into it.
 * @param archiveName how messages call the archive
 * @throws PermanentError if it is damaged or cut off, or holds a link, a device, or a name that leaves its folder
 */
export function* readTar(archive: Uint8Array, archiveName = 'the archive'): Generator<TarEntry> {
  const headers = new TarHeaders(archiveName);
  for (let at = 0; at + tarBlock <= archive.length; ) {
    const header = headers.read(archive.subarray(at, at + tarBlock), at);
    if (!header) return;
    const bytes = archive.subarray(at + tarBlock, at + tarBlock + header.size);
    if (bytes.length !== header.size)
      throw new PermanentError(`${archiveName} is cut off within ${header.name ?? 'a header'}`);
    at += tarBlock + header.padded;
    if (header.carriesName) headers.takeName(bytes);
    else if (header.name !== undefined) yield { name: header.name, bytes };
  }
}
