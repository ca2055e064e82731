/** Tensors stored in a file, in any of the ways ONNX knows, as constants. */
import { PermanentError } from '../errors.ts';
import { dataTypes, externalLocation, type TensorProto } from './onnx.ts';
import type { ConstantTensor, ElementType } from './tensor.ts';

const names = new Map<number, ElementType>(
  (Object.entries(dataTypes) as [ElementType, number][]).map(([name, code]) => [code, name]),
);

/** @throws PermanentError for a code that is no element type */
export function elementTypeOf(code: number | undefined): ElementType {
  const name = names.get(code ?? 0);
  if (!name) throw new PermanentError(`the model uses the element type ${code}, which is not known here`);
  return name;
}

/** Bytes per element of the types that constants can have. */
const sizes: { readonly [T in ElementType]?: number } = {
  float32: 4,
  float64: 8,
  float16: 2,
  bfloat16: 2,
  int8: 1,
  int16: 2,
  int32: 4,
  int64: 8,
  uint8: 1,
  uint16: 2,
  uint32: 4,
  uint64: 8,
  bool: 1,
};

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView) => new Uint8Array(buffer, byteOffset, byteLength);

/** Integers of 32 bits and less, and bit patterns of small floats, share one field. */
function narrowed(values: readonly number[], size: number): Uint8Array {
  if (size === 4) return bytesOf(Int32Array.from(values));
  return bytesOf(size === 2 ? Uint16Array.from(values) : Uint8Array.from(values));
}

function typedBytes(tensor: TensorProto, type: ElementType, size: number): Uint8Array {
  if (tensor.rawData) return tensor.rawData;
  if (type === 'float32') return bytesOf(Float32Array.from(tensor.floatData ?? []));
  if (type === 'float64') return bytesOf(Float64Array.from(tensor.doubleData ?? []));
  if (type === 'int64') return bytesOf(BigInt64Array.from(tensor.int64Data ?? []));
  if (type === 'uint64') return bytesOf(BigUint64Array.from(tensor.uint64Data ?? []));
  if (type === 'uint32') return bytesOf(Uint32Array.from(tensor.uint64Data ?? [], Number));
  return narrowed(tensor.int32Data ?? [], size);
}

/** Whether a tensor can be a constant here; texts and types below one byte cannot. */
export const isStorable = (tensor: TensorProto) => sizes[elementTypeOf(tensor.dataType)] !== undefined;

/** @throws PermanentError if the numbers lie in another file or do not fill the shape */
export function storedTensor(tensor: TensorProto): ConstantTensor {
  const { name = '', dims = [], dataLocation } = tensor;
  if (dataLocation === externalLocation)
    throw new PermanentError(
      `the weights "${name}" lie in another file; save the model as one file ` +
        '(Python: onnx.save(onnx.load("model.onnx"), "single.onnx"))',
    );
  const type = elementTypeOf(tensor.dataType);
  const size = sizes[type];
  if (size === undefined) throw new PermanentError(`the weights "${name}" are ${type}, which cannot be read here`);
  const bytes = typedBytes(tensor, type, size);
  const expected = dims.reduce((a, b) => a * b, size);
  if (bytes.length !== expected)
    throw new PermanentError(`the weights "${name}" hold ${bytes.length} bytes, not ${expected}; the file is damaged`);
  return { kind: 'constant', type, dims, bytes };
}
