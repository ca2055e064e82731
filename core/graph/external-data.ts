/** Weights that a model keeps in files beside it: which files those are, and putting their numbers into the model. */
import { PermanentError } from '../errors.ts';
import {
  type AttributeProto,
  externalLocation,
  type GraphProto,
  type NodeProto,
  readModel,
  type TensorProto,
  writeModel,
} from './onnx.ts';

/** The bytes of a file beside the model. @param location its path relative to the model's folder, inside it */
export type ReadBeside = (location: string) => Uint8Array;

type Change = (tensor: TensorProto) => TensorProto;

function changedAttribute(attribute: AttributeProto, change: Change): AttributeProto {
  const { t, tensors, g, graphs } = attribute;
  if (!t && !tensors && !g && !graphs) return attribute;
  return {
    ...attribute,
    ...(t && { t: change(t) }),
    ...(tensors && { tensors: tensors.map(change) }),
    ...(g && { g: changedGraph(g, change) }),
    ...(graphs && { graphs: graphs.map(graph => changedGraph(graph, change)) }),
  };
}

const changedNode = (node: NodeProto, change: Change): NodeProto =>
  node.attribute ? { ...node, attribute: node.attribute.map(one => changedAttribute(one, change)) } : node;

/** Every tensor stored in a graph, those in attributes and inner graphs included, replaced. */
const changedGraph = (graph: GraphProto, change: Change): GraphProto => ({
  ...graph,
  ...(graph.node && { node: graph.node.map(node => changedNode(node, change)) }),
  ...(graph.initializer && { initializer: graph.initializer.map(change) }),
});

/**
 * A path inside the model's folder, with `/`.
 * @throws PermanentError if it is empty, absolute, or leads out of the folder
 */
function insideFolder(location: string, name: string): string {
  const parts = location.replaceAll('\\', '/').split('/');
  const absolute = parts[0] === '' || /^[A-Za-z]:/.test(location);
  if (location === '' || absolute || parts.includes('..') || location.includes('\0'))
    throw new PermanentError(
      `the weights "${name}" claim to lie in "${location}", outside the model's folder; save the model again with its data beside it`,
    );
  return parts.filter(part => part !== '' && part !== '.').join('/');
}

interface Place {
  readonly location: string;
  readonly offset: number;
  /** Undefined: to the end of the file. */
  readonly length: number | undefined;
}

function placeOf({ name = '', externalData = [] }: TensorProto): Place {
  const entries = new Map(externalData.map(({ key = '', value = '' }) => [key, value]));
  const number = (key: string) => {
    const value = entries.get(key);
    if (value === undefined) return undefined;
    if (/^\d+$/.test(value)) return Number(value);
    throw new PermanentError(`the weights "${name}" have the ${key} "${value}"; the file is damaged`);
  };
  return {
    location: insideFolder(entries.get('location') ?? '', name),
    offset: number('offset') ?? 0,
    length: number('length'),
  };
}

const isExternal = ({ dataLocation }: TensorProto) => dataLocation === externalLocation;

function withNumbers(tensor: TensorProto, read: ReadBeside): TensorProto {
  if (!isExternal(tensor)) return tensor;
  const { location, offset, length } = placeOf(tensor);
  const file = read(location);
  const end = length === undefined ? file.length : offset + length;
  if (end > file.length || offset > end)
    throw new PermanentError(
      `${location} ends after ${file.length} bytes, but the weights "${tensor.name}" reach to ${end}; copy the model and its data again, together`,
    );
  const { externalData: _place, dataLocation: _where, ...rest } = tensor;
  return { ...rest, rawData: file.subarray(offset, end) };
}

/** The files beside a model that hold its weights, each once. @throws PermanentError for a path out of the folder */
export function externalFiles(bytes: Uint8Array): string[] {
  const found = new Set<string>();
  changedGraph(readModel(bytes).graph ?? {}, tensor => {
    if (isExternal(tensor)) found.add(placeOf(tensor).location);
    return tensor;
  });
  return [...found];
}

/**
 * The model as one file; one that keeps all its weights itself stays as it is, byte for byte.
 * @throws PermanentError if the bytes are no model, a path leads out of the folder, a file is too short, or the whole is
 * beyond the 2 GB of an ONNX file
 */
export function withExternalData(bytes: Uint8Array, read: ReadBeside): Uint8Array {
  if (externalFiles(bytes).length === 0) return bytes;
  const files = new Map<string, Uint8Array>();
  const once: ReadBeside = location => {
    const file = files.get(location) ?? read(location);
    files.set(location, file);
    return file;
  };
  const model = readModel(bytes);
  return writeModel({ ...model, graph: changedGraph(model.graph ?? {}, tensor => withNumbers(tensor, once)) });
}
