/** Tables of protobuf messages and their fields, and what a message looks like as an object. */

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

/** A message of whatever kind, for code that follows the table. */
export type Loose = Record<string, unknown> & { unknownFields?: Uint8Array[] };

const wireTypes: Readonly<Record<Scalar, number>> = {
  integer: 0,
  int64: 0,
  uint64: 0,
  float: 5,
  double: 1,
  string: 2,
  bytes: 2,
};

/** How a field is told apart on the wire; messages travel as stretches of bytes. */
export const wireTypeOf = (kind: string) => wireTypes[kind as Scalar] ?? 2;

const indexes = new WeakMap<object, Map<number, readonly [name: string, field: Field]>>();

/** The fields of a message by their numbers. */
export function fieldsByNumber(fields: Readonly<Record<string, Field>>): Map<number, readonly [string, Field]> {
  let index = indexes.get(fields);
  if (!index) {
    index = new Map(Object.entries(fields).map(([name, field]) => [field[0], [name, field]]));
    indexes.set(fields, index);
  }
  return index;
}
