/** Reads and writes protobuf messages from a table of their fields; knows nothing of what the fields mean. */
import { PermanentError } from '../errors.ts';

/** How one field travels. `integer` is a safe number, `int64` a bigint. A message is named by its key in the schema. */
export type Scalar = 'integer' | 'int64' | 'uint64' | 'float' | 'double' | 'string' | 'bytes';

/** Field number, kind, and for repeated fields how they are written; both forms are read. */
export type Field<Kind extends string = string> =
  | readonly [number: number, kind: Kind]
  | readonly [number: number, kind: Kind, repeated: 'many' | 'packed'];

export type Schema = Readonly<Record<string, Readonly<Record<string, Field>>>>;

interface ScalarValues {
  integer: number;
  int64: bigint;
  uint64: bigint;
  float: number;
  double: number;
  string: string;
  bytes: Uint8Array;
}

type Value<S extends Schema, K> = K extends keyof ScalarValues
  ? ScalarValues[K]
  : K extends keyof S
    ? Message<S, K>
    : never;

type FieldValue<S extends Schema, F> = F extends readonly [number, infer K, 'many' | 'packed']
  ? readonly Value<S, K>[]
  : F extends readonly [number, infer K]
    ? Value<S, K>
    : never;

/** A message as a plain object: a field that is absent on the wire is absent here. */
export type Message<S extends Schema, M extends keyof S> = {
  readonly [F in keyof S[M]]?: FieldValue<S, S[M][F]>;
} & {
  /** Fields that the schema does not name, each with its tag, as they came; written back after the known ones. */
  readonly unknownFields?: readonly Uint8Array[];
};

type Loose = Record<string, unknown> & { unknownFields?: Uint8Array[] };

const wireTypes: Readonly<Record<Scalar, number>> = {
  integer: 0,
  int64: 0,
  uint64: 0,
  float: 5,
  double: 1,
  string: 2,
  bytes: 2,
};

const wireTypeOf = (kind: string) => wireTypes[kind as Scalar] ?? 2;

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

const indexes = new WeakMap<object, Map<number, readonly [name: string, field: Field]>>();

function fieldsByNumber(fields: Readonly<Record<string, Field>>): Map<number, readonly [string, Field]> {
  let index = indexes.get(fields);
  if (!index) {
    index = new Map(Object.entries(fields).map(([name, field]) => [field[0], [name, field]]));
    indexes.set(fields, index);
  }
  return index;
}

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

/** Bytes gathered in parts: small ones are collected, long ones are kept as they are until the end. */
class Writer {
  readonly #parts: Uint8Array[] = [];
  #pending: number[] = [];
  #length = 0;

  get length(): number {
    return this.#length + this.#pending.length;
  }

  varint(value: number | bigint): void {
    if (typeof value === 'number' && value >= 0) {
      let rest = value;
      for (; rest >= 128; rest = Math.floor(rest / 128)) this.#pending.push((rest % 128) | 128);
      this.#pending.push(rest);
      return;
    }
    let rest = BigInt.asUintN(64, BigInt(value));
    for (; rest >= 128n; rest >>= 7n) this.#pending.push(Number(rest & 127n) | 128);
    this.#pending.push(Number(rest));
  }

  raw(bytes: Uint8Array): void {
    if (bytes.length < 64) {
      for (const byte of bytes) this.#pending.push(byte);
      return;
    }
    this.#flush();
    this.#parts.push(bytes);
    this.#length += bytes.length;
  }

  stretch(bytes: Uint8Array): void {
    this.varint(bytes.length);
    this.raw(bytes);
  }

  nested(inner: Writer): void {
    this.varint(inner.length);
    inner.#flush();
    for (const part of inner.#parts) this.raw(part);
  }

  #flush(): void {
    if (this.#pending.length === 0) return;
    this.#parts.push(Uint8Array.from(this.#pending));
    this.#length += this.#pending.length;
    this.#pending = [];
  }

  finish(): Uint8Array<ArrayBuffer> {
    this.#flush();
    const bytes = new Uint8Array(this.#length);
    let at = 0;
    for (const part of this.#parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  }
}

function littleEndian(value: number, size: 4 | 8): Uint8Array {
  const view = new DataView(new ArrayBuffer(size));
  if (size === 4) view.setFloat32(0, value, true);
  else view.setFloat64(0, value, true);
  return new Uint8Array(view.buffer);
}

const writers: Readonly<Record<Scalar, (writer: Writer, value: never) => void>> = {
  integer: (writer, value: number) => writer.varint(value),
  int64: (writer, value: bigint) => writer.varint(value),
  uint64: (writer, value: bigint) => writer.varint(value),
  float: (writer, value: number) => writer.raw(littleEndian(value, 4)),
  double: (writer, value: number) => writer.raw(littleEndian(value, 8)),
  string: (writer, value: string) => writer.stretch(new TextEncoder().encode(value)),
  bytes: (writer, value: Uint8Array) => writer.stretch(value),
};

function writePacked(writer: Writer, number: number, kind: string, values: readonly unknown[]): void {
  if (values.length === 0) return;
  const inner = new Writer();
  for (const value of values) writers[kind as Scalar](inner, value as never);
  writer.varint(number * 8 + 2);
  writer.nested(inner);
}

function writeMessage(schema: Schema, name: string, message: Loose): Writer {
  const writer = new Writer();
  for (const [number, [fieldName, [, kind, repeated]]] of inOrder(schema[name]!)) {
    const value = message[fieldName];
    if (value === undefined) continue;
    if (repeated === 'packed') {
      writePacked(writer, number, kind, value as unknown[]);
      continue;
    }
    for (const item of repeated === 'many' ? (value as unknown[]) : [value]) {
      writer.varint(number * 8 + wireTypeOf(kind));
      if (kind in schema) writer.nested(writeMessage(schema, kind, item as Loose));
      else writers[kind as Scalar](writer, item as never);
    }
  }
  for (const field of message.unknownFields ?? []) writer.raw(field);
  return writer;
}

function inOrder(fields: Readonly<Record<string, Field>>): (readonly [number, readonly [string, Field]])[] {
  return [...fieldsByNumber(fields)].sort(([a], [b]) => a - b);
}

/** Writes one message: fields in the order of their numbers, then the unknown ones. Same message, same bytes. */
export function encode<const S extends Schema, M extends keyof S & string>(
  schema: S,
  name: M,
  message: Message<S, M>,
): Uint8Array<ArrayBuffer> {
  return writeMessage(schema, name, message as Loose).finish();
}
