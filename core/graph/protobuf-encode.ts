/** Writes protobuf messages by a table of their fields; knows nothing of what the fields mean. */
import {
  type Field,
  fieldsByNumber,
  type Loose,
  type Message,
  type Scalar,
  type Schema,
  wireTypeOf,
} from './protobuf.ts';

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
