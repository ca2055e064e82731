/** Reads protobuf messages by a table of their fields; knows nothing of what the fields mean. */
import { PermanentError } from '../errors.ts';
import { fieldsByNumber, type Loose, type Message, type Scalar, type Schema, wireTypeOf } from './protobuf.ts';

/** A cursor over bytes. `what` begins every error. */
class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #end: number;
  readonly #what: string;
  at: number;

  constructor(bytes: Uint8Array, what: string, at = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#what = what;
    this.at = at;
    this.#end = end;
  }

  get done(): boolean {
    return this.at >= this.#end;
  }

  fail(reason: string): never {
    throw new PermanentError(`${this.#what}: ${reason} (at byte ${this.at})`);
  }

  #advance(count: number): number {
    const start = this.at;
    if (count > this.#end - start) this.fail('the file is truncated or damaged');
    this.at = start + count;
    return start;
  }

  varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#bytes[this.#advance(1)]!;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return BigInt.asUintN(64, value);
    }
    return this.fail('a number is too long');
  }

  /** A varint that must be a safe number; negative ones are 64-bit two's complement. */
  integer(): number {
    const start = this.at;
    for (let i = 0, value = 0, scale = 1; i < 7; i++, scale *= 128) {
      const byte = this.#bytes[this.#advance(1)]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
    this.at = start;
    const long = BigInt.asIntN(64, this.varint());
    if (long !== BigInt(Number(long))) this.fail(`the number ${long} is out of range`);
    return Number(long);
  }

  float(): number {
    return this.#view.getFloat32(this.#advance(4), true);
  }

  double(): number {
    return this.#view.getFloat64(this.#advance(8), true);
  }

  #stretch(): number {
    const length = this.integer();
    if (length < 0) this.fail('a length is negative');
    return this.#advance(length);
  }

  /** The next length-delimited stretch, as a view on the same memory. */
  bytes(): Uint8Array {
    const start = this.#stretch();
    return this.#bytes.subarray(start, this.at);
  }

  /** A reader over the next length-delimited stretch. */
  nested(): Reader {
    const start = this.#stretch();
    return new Reader(this.#bytes, this.#what, start, this.at);
  }

  string(): string {
    const bytes = this.bytes();
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      return this.fail('a text is not UTF-8');
    }
  }

  /** Skips a field of any wire type and returns its bytes, tag included. */
  skip(tagStart: number, wireType: number): Uint8Array {
    if (wireType === 0) this.varint();
    else if (wireType === 1) this.#advance(8);
    else if (wireType === 2) this.bytes();
    else if (wireType === 5) this.#advance(4);
    else this.fail(`wire type ${wireType} is not in use`);
    return this.#bytes.subarray(tagStart, this.at);
  }
}

const readers: Readonly<Record<Scalar, (reader: Reader) => unknown>> = {
  integer: reader => reader.integer(),
  int64: reader => BigInt.asIntN(64, reader.varint()),
  uint64: reader => reader.varint(),
  float: reader => reader.float(),
  double: reader => reader.double(),
  string: reader => reader.string(),
  bytes: reader => reader.bytes(),
};

/** Adds the values of one field to `list`: one value, or a packed stretch of numbers. */
function readRepeated(schema: Schema, kind: string, reader: Reader, wireType: number, list: unknown[]): void {
  if (wireType !== 2 || wireTypeOf(kind) === 2) {
    list.push(readValue(schema, kind, reader));
    return;
  }
  for (const stretch = reader.nested(); !stretch.done; ) list.push(readers[kind as Scalar](stretch));
}

function readValue(schema: Schema, kind: string, reader: Reader): unknown {
  return kind in schema ? readMessage(schema, kind, reader.nested()) : readers[kind as Scalar](reader);
}

function readMessage(schema: Schema, name: string, reader: Reader): Loose {
  const index = fieldsByNumber(schema[name]!);
  const message: Loose = {};
  while (!reader.done) {
    const start = reader.at;
    const tag = reader.integer();
    const wireType = tag & 7;
    const known = index.get(Math.floor(tag / 8));
    if (!known) {
      message.unknownFields ??= [];
      message.unknownFields.push(reader.skip(start, wireType));
      continue;
    }
    const [fieldName, [, kind, repeated]] = known;
    const packed = repeated !== undefined && wireType === 2;
    if (wireType !== wireTypeOf(kind) && !packed) reader.fail(`${name}.${fieldName} cannot have wire type ${wireType}`);
    if (repeated === undefined) {
      message[fieldName] = readValue(schema, kind, reader);
    } else {
      message[fieldName] ??= [];
      readRepeated(schema, kind, reader, wireType, message[fieldName] as unknown[]);
    }
  }
  return message;
}

/**
 * Reads one message. Fields of kind `bytes` are views on the given memory.
 * @throws PermanentError if the bytes are no such message; its text begins with `what`.
 */
export function decode<const S extends Schema, M extends keyof S & string>(
  schema: S,
  name: M,
  bytes: Uint8Array,
  what: string,
): Message<S, M> {
  return readMessage(schema, name, new Reader(bytes, what)) as Message<S, M>;
}
