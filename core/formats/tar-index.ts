/** Where each file lies in a tar archive: found by walking through it once, and written beside it so that nobody has to again. */
import * as z from 'zod';
import { PermanentError } from '../errors.ts';
import { TarHeaders, tarBlock } from './tar.ts';

/** One file of an archive: bytes `start` to before `start + size`. */
export interface TarMember {
  readonly name: string;
  readonly start: number;
  readonly size: number;
}

/** Finds the files of an archive that comes in pieces; keeps nothing but headers. */
export class TarWalk {
  readonly #headers: TarHeaders;
  readonly #archiveName: string;
  /** A header or a name that is not there as a whole yet. */
  #kept = new Uint8Array(0);
  #wanted = tarBlock;
  #nameBytes: number | undefined;
  /** Bytes to pass over before the next header. */
  #skip = 0;
  #at = 0;
  #ended = false;

  constructor(archiveName: string) {
    this.#archiveName = archiveName;
    this.#headers = new TarHeaders(archiveName);
  }

  /** The files whose headers end in this piece. @throws PermanentError as `readTar` */
  *feed(piece: Uint8Array): Generator<TarMember> {
    for (let from = 0; from < piece.length && !this.#ended; ) {
      const passed = Math.min(this.#skip, piece.length - from);
      this.#skip -= passed;
      this.#at += passed;
      from += passed;
      const taken = piece.subarray(from, from + this.#wanted - this.#kept.length);
      this.#kept = Uint8Array.of(...this.#kept, ...taken);
      this.#at += taken.length;
      from += taken.length;
      if (this.#kept.length < this.#wanted) return;
      const member = this.#nameBytes === undefined ? this.#header(this.#kept) : this.#name(this.#kept);
      if (member) yield member;
    }
  }

  /** Call when nothing more comes. @throws PermanentError if the archive is cut off */
  end(): void {
    if (!this.#ended && (this.#skip > 0 || this.#kept.length > 0))
      throw new PermanentError(`${this.#archiveName} is cut off at byte ${this.#at}`);
  }

  #header(header: Uint8Array): TarMember | undefined {
    const read = this.#headers.read(header, this.#at - tarBlock);
    this.#kept = new Uint8Array(0);
    this.#ended = read === undefined;
    if (!read) return undefined;
    if (read.carriesName) {
      this.#nameBytes = read.size;
      this.#wanted = read.padded;
      return undefined;
    }
    this.#skip = read.padded;
    return read.name === undefined ? undefined : { name: read.name, start: this.#at, size: read.size };
  }

  #name(body: Uint8Array): undefined {
    this.#headers.takeName(body.subarray(0, this.#nameBytes));
    this.#kept = new Uint8Array(0);
    this.#nameBytes = undefined;
    this.#wanted = tarBlock;
  }
}

export interface TarIndex {
  /** Size of the archive it describes. */
  readonly bytes: number;
  readonly members: readonly TarMember[];
}

/** The index lies beside its archive under this name. */
export const indexOf = (tar: string): string => `${tar}.index`;
export const isTarIndex = (name: string): boolean => name.endsWith(indexOf('.tar'));
export const isTar = (name: string): boolean => name.endsWith('.tar');

const schema = z.strictObject({ version: z.literal(1), bytes: z.int().min(0), members: z.array(z.unknown()) });

/** By hand: there are thousands of rows in each of thousands of indexes. */
const isRow = (row: unknown): row is [string, number, number] =>
  Array.isArray(row) &&
  row.length === 3 &&
  typeof row[0] === 'string' &&
  row[0] !== '' &&
  isWhole(row[1]) &&
  isWhole(row[2]);
const isWhole = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;

/** One line of JSON: rows of name, start and size. */
export const formatTarIndex = ({ bytes, members }: TarIndex): Uint8Array =>
  new TextEncoder().encode(
    `${JSON.stringify({ version: 1, bytes, members: members.map(({ name, start, size }) => [name, start, size]) })}\n`,
  );

/** @param name of the index, for messages. @throws PermanentError if it is none, or a file lies outside its archive */
export function parseTarIndex(text: Uint8Array, name: string): TarIndex {
  const parsed = schema.safeParse(jsonOf(text));
  if (!parsed.success || !parsed.data.members.every(isRow))
    throw new PermanentError(`${name} is no index of a tar archive; push the folder again`);
  const { bytes } = parsed.data;
  const members = parsed.data.members as [string, number, number][];
  const wrong = members.find(([, start, size]) => start + size > bytes);
  if (wrong) throw new PermanentError(`${name}: ${wrong[0]} lies outside the archive; push the folder again`);
  return { bytes, members: members.map(([member, start, size]) => ({ name: member, start, size })) };
}

/** Undefined where it is no JSON: the schema says then that it is no index. */
function jsonOf(text: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(text));
  } catch {
    return undefined;
  }
}
