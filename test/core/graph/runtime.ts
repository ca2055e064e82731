/** Runs a graph in ONNX Runtime and hands the numbers over as plain values. */
import ort from 'onnxruntime-node';
import { toModel } from '#core/graph/model';
import { type InputTensor, nodesBelow, type Tensor } from '#core/graph/tensor';
import type { Value } from './evaluator.ts';

function inputsOf(outputs: readonly Tensor[]): InputTensor[] {
  const read = [...outputs, ...nodesBelow(outputs).flatMap(node => node.inputs)];
  return [...new Set(read.filter(tensor => tensor.kind === 'input'))];
}

function toOrt({ dims, data }: Value, type: string): ort.Tensor {
  const arrays = {
    float32: () => Float32Array.from(data),
    int64: () => BigInt64Array.from(data, BigInt),
    int32: () => Int32Array.from(data),
    bool: () => Uint8Array.from(data),
  };
  return new ort.Tensor(type as 'float32', arrays[type as keyof typeof arrays]() as Float32Array, dims);
}

const fromOrt = ({ dims, data }: ort.Tensor): Value => ({ dims, data: Array.from(data as Iterable<number>, Number) });

/** Runs ready-made bytes. */
export async function runModel(
  model: Uint8Array,
  feeds: Readonly<Record<string, ort.Tensor>>,
): Promise<ort.InferenceSession.OnnxValueMapType> {
  const session = await ort.InferenceSession.create(model, { logSeverityLevel: 3, intraOpNumThreads: 1 });
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
}

/** The values of the given tensors for these inputs, by name, computed by ONNX Runtime in the tensors' own types. */
export async function run(outputs: readonly Tensor[], feeds: Readonly<Record<string, Value>>): Promise<Value[]> {
  const inputs = inputsOf(outputs);
  const model = toModel({ name: 'test', inputs, outputs: Object.fromEntries(outputs.map((t, i) => [`out${i}`, t])) });
  const given = Object.fromEntries(inputs.map(({ name, type }) => [name, toOrt(feeds[name]!, type)]));
  const results = await runModel(model, given);
  return outputs.map((_, i) => fromOrt(results[`out${i}`] as ort.Tensor));
}
