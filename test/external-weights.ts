/** Takes the weights out of a model into files beside it, as exporters do with large ones. */
import { readModel, type TensorProto, writeModel } from '#core/graph/onnx';

/** As in many files: weights begin at multiples of this. */
const alignment = 64;

/** @param locationOf where the i-th weights go */
export function takenApart(bytes: Uint8Array, locationOf: (i: number) => string) {
  const model = readModel(bytes);
  const parts = new Map<string, number[]>();
  const initializer = model.graph!.initializer!.map((tensor, i): TensorProto => {
    const { rawData, ...bare } = tensor;
    const location = locationOf(i);
    const file = parts.get(location) ?? [];
    parts.set(location, file);
    while (file.length % alignment !== 0) file.push(0);
    const offset = file.length;
    file.push(...rawData!);
    const entries = { location, offset: String(offset), length: String(rawData!.length) };
    return { ...bare, dataLocation: 1, externalData: Object.entries(entries).map(([key, value]) => ({ key, value })) };
  });
  const files = new Map([...parts].map(([location, file]) => [location, Uint8Array.from(file)]));
  return { model: writeModel({ ...model, graph: { ...model.graph!, initializer } }), files };
}
