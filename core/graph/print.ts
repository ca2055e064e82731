/** Prints a graph, one line per node: `%7 [4,5] = Relu(%6)`. For tests, snapshots and error messages. */
import { formatDims } from './dims.ts';
import {
  type ConstantTensor,
  constantData,
  type GraphNode,
  nodesBelow,
  readBy,
  type Tensor,
  type TensorShape,
  writtenOutputs,
} from './tensor.ts';

/** Longer constants are shown by their shape. */
const longestShown = 8;

const formatShape = ({ type, dims }: TensorShape) => `${type === 'float32' ? '' : `${type} `}${formatDims(dims)}`;

function formatConstant(tensor: ConstantTensor): string {
  const count = tensor.dims.reduce((a, b) => a * b, 1);
  const readable = ['float32', 'float64', 'int32', 'int64', 'uint8', 'bool'].includes(tensor.type);
  if (count > longestShown || !readable) return `constant ${formatShape(tensor)}`;
  const values = Array.from<number | bigint, number>(constantData(tensor), value =>
    Number(Number(value).toPrecision(7)),
  );
  return tensor.dims.length === 0 ? `${values[0]}` : formatDims(values);
}

const isConstant = (value: unknown): value is ConstantTensor =>
  typeof value === 'object' && value !== null && 'kind' in value;

function formatAttributes(node: GraphNode): string[] {
  const entries = Object.entries(node.op === 'Imported' ? {} : node.attributes);
  return entries.flatMap(([name, value]) => {
    if (value === undefined) return [];
    if (isConstant(value)) return [`${name}=${formatConstant(value)}`];
    return [`${name}=${Array.isArray(value) ? formatDims(value) : value}`];
  });
}

/** Unknown sizes counted from 0 in the order of the text, whatever was built before. */
function renumbered(text: string): string {
  const numbers = new Map<string, number>();
  return text.replace(/\?\d+/g, name => {
    if (!numbers.has(name)) numbers.set(name, numbers.size);
    return `?${numbers.get(name)}`;
  });
}

/**
 * The nodes that the given tensors depend on, in order, then the tensors themselves. Float32 is not spelled out.
 * @param outputs tensors, by name or not
 */
export function print(outputs: readonly Tensor[] | Readonly<Record<string, Tensor>>): string {
  const ends = Object.entries(outputs);
  const nodes = nodesBelow(ends.map(([, tensor]) => tensor));
  const read = readBy(
    nodes,
    ends.map(([, tensor]) => tensor),
  );
  const numbers = new Map<Tensor, number>();
  const inputs = new Map<Tensor, string>();
  const reference = (tensor: Tensor): string => {
    if (tensor.kind === 'constant') return formatConstant(tensor);
    if (tensor.kind === 'node') return `%${numbers.get(tensor)}`;
    inputs.set(tensor, `${tensor.name} ${formatShape(tensor)}`);
    return tensor.name;
  };
  const lines = nodes.map(node => {
    const operator = node.op === 'Imported' ? node.attributes.opType : node.op;
    const call = [...node.inputs.map(reference), ...formatAttributes(node)].join(', ');
    const written = writtenOutputs(node, tensor => read.has(tensor));
    for (const output of written) numbers.set(output, numbers.size);
    const results = written.map(output => `${reference(output)} ${formatShape(output)}`).join(', ');
    return `${results} = ${operator}(${call})${node.scope === '' ? '' : `  # ${node.scope}`}`;
  });
  const last = ends.map(([name, tensor]) => `${Array.isArray(outputs) ? '' : `${name} = `}${reference(tensor)}`);
  return renumbered([...inputs.values(), ...lines, `return ${last.join(', ')}`].join('\n'));
}
