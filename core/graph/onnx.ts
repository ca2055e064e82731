/** The ONNX file format: its messages and field numbers, read and written. The only file that knows a field number. */
import { PermanentError } from '../errors.ts';
import type { Message, Schema } from './protobuf.ts';
import { decode } from './protobuf-decode.ts';
import { encode } from './protobuf-encode.ts';

/**
 * Messages of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto), packed where its proto2 form packs.
 * What is not named here (training info, device configurations) is carried along as unknown fields.
 */
const schema = {
  ModelProto: {
    irVersion: [1, 'integer'],
    producerName: [2, 'string'],
    producerVersion: [3, 'string'],
    domain: [4, 'string'],
    modelVersion: [5, 'int64'],
    docString: [6, 'string'],
    graph: [7, 'GraphProto'],
    opsetImport: [8, 'OperatorSetIdProto', 'many'],
    metadataProps: [14, 'StringStringEntryProto', 'many'],
    functions: [25, 'FunctionProto', 'many'],
  },
  GraphProto: {
    node: [1, 'NodeProto', 'many'],
    name: [2, 'string'],
    initializer: [5, 'TensorProto', 'many'],
    docString: [10, 'string'],
    input: [11, 'ValueInfoProto', 'many'],
    output: [12, 'ValueInfoProto', 'many'],
    valueInfo: [13, 'ValueInfoProto', 'many'],
    quantizationAnnotation: [14, 'TensorAnnotation', 'many'],
    sparseInitializer: [15, 'SparseTensorProto', 'many'],
    metadataProps: [16, 'StringStringEntryProto', 'many'],
  },
  NodeProto: {
    input: [1, 'string', 'many'],
    output: [2, 'string', 'many'],
    name: [3, 'string'],
    opType: [4, 'string'],
    attribute: [5, 'AttributeProto', 'many'],
    docString: [6, 'string'],
    domain: [7, 'string'],
    overload: [8, 'string'],
    metadataProps: [9, 'StringStringEntryProto', 'many'],
  },
  AttributeProto: {
    name: [1, 'string'],
    f: [2, 'float'],
    i: [3, 'int64'],
    s: [4, 'bytes'],
    t: [5, 'TensorProto'],
    g: [6, 'GraphProto'],
    floats: [7, 'float', 'many'],
    ints: [8, 'int64', 'many'],
    strings: [9, 'bytes', 'many'],
    tensors: [10, 'TensorProto', 'many'],
    graphs: [11, 'GraphProto', 'many'],
    docString: [13, 'string'],
    tp: [14, 'TypeProto'],
    typeProtos: [15, 'TypeProto', 'many'],
    type: [20, 'integer'],
    refAttrName: [21, 'string'],
    sparseTensor: [22, 'SparseTensorProto'],
    sparseTensors: [23, 'SparseTensorProto', 'many'],
  },
  TensorProto: {
    dims: [1, 'integer', 'many'],
    dataType: [2, 'integer'],
    segment: [3, 'Segment'],
    floatData: [4, 'float', 'packed'],
    int32Data: [5, 'integer', 'packed'],
    stringData: [6, 'bytes', 'many'],
    int64Data: [7, 'int64', 'packed'],
    name: [8, 'string'],
    rawData: [9, 'bytes'],
    doubleData: [10, 'double', 'packed'],
    uint64Data: [11, 'uint64', 'packed'],
    docString: [12, 'string'],
    externalData: [13, 'StringStringEntryProto', 'many'],
    dataLocation: [14, 'integer'],
    metadataProps: [16, 'StringStringEntryProto', 'many'],
  },
  Segment: { begin: [1, 'int64'], end: [2, 'int64'] },
  SparseTensorProto: {
    values: [1, 'TensorProto'],
    indices: [2, 'TensorProto'],
    dims: [3, 'integer', 'many'],
  },
  ValueInfoProto: {
    name: [1, 'string'],
    type: [2, 'TypeProto'],
    docString: [3, 'string'],
    metadataProps: [4, 'StringStringEntryProto', 'many'],
  },
  TypeProto: {
    tensorType: [1, 'TensorTypeProto'],
    sequenceType: [4, 'SequenceTypeProto'],
    mapType: [5, 'MapTypeProto'],
    denotation: [6, 'string'],
    opaqueType: [7, 'OpaqueTypeProto'],
    sparseTensorType: [8, 'TensorTypeProto'],
    optionalType: [9, 'SequenceTypeProto'],
  },
  TensorTypeProto: { elemType: [1, 'integer'], shape: [2, 'TensorShapeProto'] },
  SequenceTypeProto: { elemType: [1, 'TypeProto'] },
  MapTypeProto: { keyType: [1, 'integer'], valueType: [2, 'TypeProto'] },
  OpaqueTypeProto: { domain: [1, 'string'], name: [2, 'string'] },
  TensorShapeProto: { dim: [1, 'Dimension', 'many'] },
  Dimension: { dimValue: [1, 'integer'], dimParam: [2, 'string'], denotation: [3, 'string'] },
  OperatorSetIdProto: { domain: [1, 'string'], version: [2, 'integer'] },
  StringStringEntryProto: { key: [1, 'string'], value: [2, 'string'] },
  TensorAnnotation: {
    tensorName: [1, 'string'],
    quantParameterTensorNames: [2, 'StringStringEntryProto', 'many'],
  },
  FunctionProto: {
    name: [1, 'string'],
    input: [4, 'string', 'many'],
    output: [5, 'string', 'many'],
    attribute: [6, 'string', 'many'],
    node: [7, 'NodeProto', 'many'],
    docString: [8, 'string'],
    opsetImport: [9, 'OperatorSetIdProto', 'many'],
    domain: [10, 'string'],
    attributeProto: [11, 'AttributeProto', 'many'],
    valueInfo: [12, 'ValueInfoProto', 'many'],
    overload: [13, 'string'],
    metadataProps: [14, 'StringStringEntryProto', 'many'],
  },
} as const satisfies Schema;

/** The same file with its nodes and weights left as they are written: to read and write it costs hardly anything. */
const outlineSchema = {
  ...schema,
  GraphProto: {
    ...schema.GraphProto,
    node: [1, 'bytes', 'many'],
    initializer: [5, 'bytes', 'many'],
    valueInfo: [13, 'bytes', 'many'],
  },
} as const satisfies Schema;

type OnnxMessage<M extends keyof typeof schema> = Message<typeof schema, M>;

export type ModelProto = OnnxMessage<'ModelProto'>;
export type ModelOutline = Message<typeof outlineSchema, 'ModelProto'>;
export type GraphProto = OnnxMessage<'GraphProto'>;
export type NodeProto = OnnxMessage<'NodeProto'>;
export type AttributeProto = OnnxMessage<'AttributeProto'>;
export type TensorProto = OnnxMessage<'TensorProto'>;
export type SparseTensorProto = OnnxMessage<'SparseTensorProto'>;
export type ValueInfoProto = OnnxMessage<'ValueInfoProto'>;
export type TypeProto = OnnxMessage<'TypeProto'>;
export type TensorShapeProto = OnnxMessage<'TensorShapeProto'>;
export type OperatorSetIdProto = OnnxMessage<'OperatorSetIdProto'>;
export type StringStringEntryProto = OnnxMessage<'StringStringEntryProto'>;
export type FunctionProto = OnnxMessage<'FunctionProto'>;

/** AttributeProto.AttributeType. */
export const attributeTypes = {
  float: 1,
  int: 2,
  string: 3,
  tensor: 4,
  graph: 5,
  floats: 6,
  ints: 7,
  strings: 8,
} as const;

/** TensorProto.DataType, by our names of the element types. */
export const dataTypes = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  string: 8,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
  complex64: 14,
  complex128: 15,
  bfloat16: 16,
  float8e4m3fn: 17,
  float8e4m3fnuz: 18,
  float8e5m2: 19,
  float8e5m2fnuz: 20,
  uint4: 21,
  int4: 22,
  float4e2m1: 23,
} as const;

/** TensorProto.DataLocation EXTERNAL: the numbers lie in another file. */
export const externalLocation = 1;

/** A protobuf message may not be longer (https://protobuf.dev/programming-guides/proto-limits/). */
const largestModelBytes = 2 ** 31 - 1;

/**
 * Reads a model; weights are views on `bytes`, nothing is copied.
 * @throws PermanentError if the bytes are not a whole ONNX model
 */
export const readModel = (bytes: Uint8Array): ModelProto =>
  whole(bytes, plain => decode(schema, 'ModelProto', plain, unreadable));

/** As `readModel`; what nodes and weights hold is not looked at. @throws PermanentError if the bytes are not a whole ONNX model */
export const readOutline = (bytes: Uint8Array): ModelOutline =>
  whole(bytes, plain => decode(outlineSchema, 'ModelProto', plain, unreadable));

const unreadable = 'not a readable ONNX model';
const remedy = 'export or download it again';

function whole<M extends ModelProto | ModelOutline>(bytes: Uint8Array, read: (plain: Uint8Array) => M): M {
  if (bytes.length === 0) throw new PermanentError(`${unreadable}: the file is empty; ${remedy}`);
  const model = decoded(bytes, read);
  if (model.graph === undefined || model.irVersion === undefined)
    throw new PermanentError(`${unreadable}: it holds no graph; is this another kind of file?`);
  return model;
}

function decoded<M>(bytes: Uint8Array, read: (plain: Uint8Array) => M): M {
  // A plain view: Node's Buffer shares memory in `slice`, where weights need copies that are aligned.
  const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    return read(plain);
  } catch (cause) {
    if (!(cause instanceof PermanentError)) throw cause;
    throw new PermanentError(`${cause.message}; ${remedy}`, { cause });
  }
}

/**
 * Writes a model. Same model, same bytes.
 * @throws PermanentError above 2 GB, the limit of the format
 */
export const writeModel = (model: ModelProto): Uint8Array<ArrayBuffer> =>
  withinLimit(encode(schema, 'ModelProto', model));

/** @throws PermanentError above 2 GB, the limit of the format */
export const writeOutline = (model: ModelOutline): Uint8Array<ArrayBuffer> =>
  withinLimit(encode(outlineSchema, 'ModelProto', model));

function withinLimit(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (bytes.length > largestModelBytes)
    throw new PermanentError(`the model takes ${bytes.length} bytes, but ONNX files end at 2 GB; use fewer weights`);
  return bytes;
}
