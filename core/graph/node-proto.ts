/** How each operator is written as an ONNX node of opset 21: which settings are attributes and which are inputs. */
import { type AttributeProto, attributeTypes, dataTypes } from './onnx.ts';
import type { Attributes, Op } from './ops.ts';
import { type ConstantTensor, constant, type ElementType, integers, type NodeOf, type Tensor } from './tensor.ts';

/** A setting as it stands in the file: an attribute, or a constant at an input position. */
type Setting = AttributeProto | readonly [position: number, value: Tensor];

/** Writes one setting of a node whose first input is x; undefined leaves it out. */
type Form<V> = (name: string, value: V, x: Tensor) => Setting | undefined;

const int: Form<number> = (name, value) => ({ name, i: BigInt(value), type: attributeTypes.int });
const float: Form<number> = (name, value) => ({ name, f: value, type: attributeTypes.float });
const ints: Form<readonly number[]> = (name, values) => ({
  name,
  ints: values.map(BigInt),
  type: attributeTypes.ints,
});
const text: Form<string> = (name, value) => ({ name, s: new TextEncoder().encode(value), type: attributeTypes.string });
const elementType: Form<ElementType> = (name, value) => int(name, dataTypes[value], constant(0));
const tensor: Form<ConstantTensor> = (name, { type, dims, bytes }) => ({
  name,
  t: { dims, dataType: dataTypes[type], rawData: bytes },
  type: attributeTypes.tensor,
});

const integersAt =
  (position: number): Form<readonly number[]> =>
  (_name, values) => [position, integers(values)];
const integerAt =
  (position: number): Form<number> =>
  (_name, value) => [position, integers([value])];
const floatsAt =
  (position: number): Form<readonly number[] | undefined> =>
  (_name, values) =>
    values && [position, constant(Float32Array.from(values))];
const scalarAt =
  (position: number): Form<number | undefined> =>
  (_name, value, x) =>
    value === undefined ? undefined : [position, scalar(value, x.type)];

/** A scalar of the given type. @throws Error for types in which bounds and fill values are never needed */
function scalar(value: number, type: ElementType): ConstantTensor {
  const numbers = {
    float32: () => Float32Array.of(value),
    float64: () => Float64Array.of(value),
    int32: () => Int32Array.of(value),
    int64: () => BigInt64Array.of(BigInt(value)),
  };
  if (!(type in numbers)) throw new Error(`a bound or fill value of type ${type} cannot be written; cast first`);
  const { buffer } = numbers[type as keyof typeof numbers]();
  return { kind: 'constant', type, dims: [], bytes: new Uint8Array(buffer) };
}

const reduction = { axes: integersAt(1), keepdims: int };
const convolution = { strides: ints, pads: ints, dilations: ints, group: int };
const pooling = { strides: ints, pads: ints, dilations: ints, kernel_shape: ints, ceil_mode: int };

type Forms = {
  readonly [O in Exclude<Op, 'Imported'>]: { readonly [A in keyof Attributes[O]]: Form<Attributes[O][A]> };
};

/** Total over operators and attributes: whichever is left out does not compile. */
const forms: Forms = {
  Add: {},
  Sub: {},
  Mul: {},
  Div: {},
  Pow: {},
  Max: {},
  Min: {},
  Equal: {},
  Greater: {},
  GreaterOrEqual: {},
  Less: {},
  Sqrt: {},
  Exp: {},
  Log: {},
  Abs: {},
  Neg: {},
  Relu: {},
  Sigmoid: {},
  Tanh: {},
  Erf: {},
  Gelu: { approximate: text },
  HardSigmoid: { alpha: float, beta: float },
  HardSwish: {},
  Not: {},
  Identity: {},
  Clip: { min: scalarAt(1), max: scalarAt(2) },
  Cast: { to: elementType },
  Where: {},
  BatchNormalization: { epsilon: float },
  LayerNormalization: { axis: int, epsilon: float },
  Softmax: { axis: int },
  LogSoftmax: { axis: int },
  ReduceSum: reduction,
  ReduceMean: reduction,
  ReduceMax: reduction,
  ReduceMin: reduction,
  ReduceL2: reduction,
  ArgMax: { axis: int, keepdims: int },
  TopK: { k: integerAt(1), axis: int, largest: int },
  Reshape: {},
  Transpose: { perm: ints },
  Concat: { axis: int },
  Split: { split: integersAt(1), axis: int },
  Slice: { starts: integersAt(1), ends: integersAt(2), axes: integersAt(3), steps: integersAt(4) },
  Gather: { axis: int },
  GatherElements: { axis: int },
  ScatterElements: { axis: int, reduction: text },
  Shape: {},
  Unsqueeze: { axes: integersAt(1) },
  Squeeze: { axes: integersAt(1) },
  Expand: {},
  Pad: { pads: integersAt(1), value: scalarAt(2), mode: text },
  Resize: {
    scales: floatsAt(2),
    mode: text,
    coordinate_transformation_mode: text,
    nearest_mode: text,
    antialias: int,
  },
  ConstantOfShape: { value: tensor },
  Range: {},
  MatMul: {},
  Gemm: { alpha: float, beta: float, transA: int, transB: int },
  Conv: convolution,
  ConvTranspose: { ...convolution, output_padding: ints },
  AveragePool: { ...pooling, count_include_pad: int },
  MaxPool: pooling,
  GlobalAveragePool: {},
};

/** Where a node's own inputs stand, if not one after the other: Resize has the region of interest and scales between. */
const inputPositions: { readonly [O in Op]?: readonly number[] } = { Resize: [0, 3] };

/** A node of our own operators as ONNX sees it: inputs by position (undefined: left out) and attributes. */
export function onnxParts<O extends Exclude<Op, 'Imported'>>(
  node: NodeOf<O>,
): { inputs: (Tensor | undefined)[]; attribute: AttributeProto[] } {
  const inputs: (Tensor | undefined)[] = [];
  const place = (position: number, value: Tensor) => {
    while (inputs.length <= position) inputs.push(undefined);
    inputs[position] = value;
  };
  for (const [i, tensor] of node.inputs.entries()) place(inputPositions[node.op]?.[i] ?? i, tensor);
  const attribute: AttributeProto[] = [];
  for (const [name, form] of Object.entries(forms[node.op]) as [keyof Attributes[O] & string, Form<unknown>][]) {
    const setting = form(name, node.attributes[name], node.inputs[0]!);
    if (setting === undefined) continue;
    if (Array.isArray(setting)) place(setting[0], setting[1]);
    else attribute.push(setting as AttributeProto);
  }
  return { inputs, attribute };
}
