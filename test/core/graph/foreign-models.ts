/** Foreign models by hand, node by node, and what they and their splices compute. */
import ort from 'onnxruntime-node';
import { applyModel, importModel } from '#core/graph/import';
import { toModel } from '#core/graph/model';
import { type AttributeProto, type GraphProto, type NodeProto, writeModel } from '#core/graph/onnx';
import { type Dim, input } from '#core/graph/tensor';
import { Random } from '#core/random';
import { runModel } from './runtime.ts';

export const int = (name: string, value: number): AttributeProto => ({ name, type: 2, i: BigInt(value) });
export const ints = (name: string, ...values: number[]): AttributeProto => ({
  name,
  type: 7,
  ints: values.map(BigInt),
});
export const float = (name: string, f: number): AttributeProto => ({ name, type: 1, f });
export const floats = (name: string, ...values: number[]): AttributeProto => ({ name, type: 6, floats: values });
export const text = (name: string, s: string): AttributeProto => ({ name, type: 3, s: new TextEncoder().encode(s) });
export const numbers = (name: string, dims: number[], data: Float32Array | BigInt64Array) => ({
  name,
  dims,
  dataType: data instanceof Float32Array ? 1 : 7,
  rawData: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
});
export const valueInfo = (name: string, dims?: readonly Dim[], elemType = 1) => ({
  name,
  type: {
    tensorType: {
      elemType,
      ...(dims && { shape: { dim: dims.map(d => (typeof d === 'number' ? { dimValue: d } : { dimParam: d })) } }),
    },
  },
});
export const node = (opType: string, input: string[], output: string[], ...attribute: AttributeProto[]): NodeProto => ({
  opType,
  name: `the ${opType} of ${output[0]}`,
  input,
  output,
  attribute,
});

export function modelOf(opset: number, graph: GraphProto, irVersion = 8): Uint8Array<ArrayBuffer> {
  return writeModel({ irVersion, opsetImport: [{ version: opset }], graph: { name: 'test', ...graph } });
}

/** A model from x to y made of the given nodes; y's shape is left to the runtime. */
export const small = (
  opset: number,
  dims: readonly Dim[],
  nodes: NodeProto[],
  initializer: GraphProto['initializer'] = [],
) => modelOf(opset, { node: nodes, initializer, input: [valueInfo('x', dims)], output: [valueInfo('y')] });

export function noise(dims: readonly number[]): ort.Tensor {
  const random = new Random(7);
  const data = Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => random.normal());
  return new ort.Tensor('float32', data, dims);
}

/** Runs the original and its splice (input and output names kept) on the same noise. */
export async function both(bytes: Uint8Array, dims: readonly number[], wanted = ['y']) {
  const model = importModel(bytes);
  const x = input(
    'x',
    'float32',
    dims.map((_, i) => `d${i}`),
  );
  const spliced = applyModel(model, { [model.inputs[0]!.name]: x }, wanted, 'net');
  const outputs = Object.fromEntries(spliced.map((tensor, i) => [wanted[i]!, tensor]));
  const feed = noise(dims);
  const composed = await runModel(toModel({ name: 'composed', inputs: [x], outputs }), { x: feed });
  const original = await runModel(bytes, { [model.inputs[0]!.name]: feed });
  return { composed, original, spliced };
}
