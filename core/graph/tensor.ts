/** A symbolic tensor: an input, a constant, or what a node computes. Immutable; a graph is the tensors it is made of. */
import { type Dim, formatDims } from './dims.ts';
import type { dataTypes } from './onnx.ts';
import type { Attributes, Op } from './ops.ts';

export type { Dim } from './dims.ts';

/** ONNX element types, floats by their width. */
export type ElementType = keyof typeof dataTypes;

/** What is known of a tensor before the graph runs. */
export interface TensorShape {
  readonly type: ElementType;
  readonly dims: readonly Dim[];
}

/** Given when the graph runs. */
export interface InputTensor extends TensorShape {
  readonly kind: 'input';
  readonly name: string;
}

/** Stored in the graph. */
export interface ConstantTensor extends TensorShape {
  readonly kind: 'constant';
  readonly dims: readonly number[];
  /** The numbers, row-major and little-endian, as they stand in the file. */
  readonly bytes: Uint8Array;
}

/** Computed by a node. */
export interface NodeTensor extends TensorShape {
  readonly kind: 'node';
  readonly node: GraphNode;
  /** Which output of the node. */
  readonly index: number;
}

export type Tensor = InputTensor | ConstantTensor | NodeTensor;

/** One application of an operator. */
export interface NodeOf<O extends Op> {
  readonly op: O;
  readonly attributes: Attributes[O];
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly NodeTensor[];
  /** Where in the program it was made: `layer/part`, or ''. */
  readonly scope: string;
}

export type GraphNode = { [O in Op]: NodeOf<O> }[Op];

/** The outputs of a node that stand in files: where the largest stood in x only if somebody reads it, for it takes time. */
export function writtenOutputs({ op, outputs }: GraphNode, isRead: (tensor: Tensor) => boolean): readonly NodeTensor[] {
  return op === 'MaxPool' ? outputs.filter((tensor, i) => i === 0 || isRead(tensor)) : outputs;
}

/** The tensors that nodes read, and these. */
export const readBy = (nodes: readonly GraphNode[], ends: readonly Tensor[]): ReadonlySet<Tensor> =>
  new Set([...ends, ...nodes.flatMap(({ inputs }) => inputs)]);

/** The dims of a tensor of which not even the rank is known; only imported nodes make such tensors. */
export const unknownDims: readonly Dim[] = Object.freeze(['?']);

let freshDims = 0;

/**
 * A size of which nothing is known, different from all others. Its name (`?7`) depends on what was built before, so it is
 * neither written into files nor printed as it is.
 */
export const freshDim = (): Dim => `?${freshDims++}`;

/** A tensor that is given when the graph runs. Two inputs of one graph may not share a name. */
export function input(name: string, type: ElementType, dims: readonly Dim[]): InputTensor {
  return { kind: 'input', name, type, dims };
}

/**
 * A tensor stored in the graph. A number is a float32 scalar. The array is not copied: do not change it afterwards.
 * @param dims default: one axis as long as the data
 */
export function constant(
  data: Float32Array | BigInt64Array | Int32Array | number,
  dims?: readonly number[],
): ConstantTensor {
  if (typeof data === 'number') return constant(Float32Array.of(data), dims ?? []);
  const shape = dims ?? [data.length];
  const count = shape.reduce((a, b) => a * b, 1);
  if (count !== data.length) throw new Error(`constant: ${data.length} numbers do not fill ${formatDims(shape)}`);
  const type = data instanceof Float32Array ? 'float32' : data instanceof Int32Array ? 'int32' : 'int64';
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return { kind: 'constant', type, dims: shape, bytes };
}

/** A one-dimensional int64 constant: axes, sizes, pads. */
export function integers(values: readonly number[], dims?: readonly number[]): ConstantTensor {
  return constant(BigInt64Array.from(values, BigInt), dims);
}

/** The numbers of a float32, float64, int32, int64, uint8 or bool constant; a view where the memory is aligned. */
export function constantData({
  type,
  bytes,
}: ConstantTensor): Float32Array | Float64Array | Int32Array | BigInt64Array | Uint8Array {
  const aligned = bytes.byteOffset % 8 === 0 ? bytes : new Uint8Array(bytes);
  const at = [aligned.buffer, aligned.byteOffset] as const;
  switch (type) {
    case 'float32':
      return new Float32Array(...at, bytes.length / 4);
    case 'float64':
      return new Float64Array(...at, bytes.length / 8);
    case 'int32':
      return new Int32Array(...at, bytes.length / 4);
    case 'int64':
      return new BigInt64Array(...at, bytes.length / 8);
    case 'uint8':
    case 'bool':
      return aligned;
    default:
      throw new Error(`constantData: ${type} numbers cannot be read here`);
  }
}

let currentScope = '';

/** Names every node made by `build` under `name/`. Scopes nest. `build` must not be asynchronous. */
export function scope<T>(name: string, build: () => T): T {
  const outer = currentScope;
  currentScope = outer === '' ? name : `${outer}/${name}`;
  try {
    return build();
  } finally {
    currentScope = outer;
  }
}

/** Makes a node with outputs of the given shapes. Shapes are the caller's to check; operators live in ops.ts. */
export function makeNode<O extends Op>(
  op: O,
  inputs: readonly Tensor[],
  attributes: Attributes[O],
  shapes: readonly TensorShape[],
): readonly NodeTensor[] {
  const outputs: NodeTensor[] = [];
  const node = { op, attributes, inputs, outputs, scope: currentScope } as unknown as GraphNode;
  for (const [index, { type, dims }] of shapes.entries()) outputs.push({ kind: 'node', node, index, type, dims });
  return outputs;
}

/**
 * The nodes that the given tensors depend on, each after those it reads; the order depends on the graph alone.
 * Iterative, because unrolled training steps are deeper than the call stack.
 */
export function nodesBelow(outputs: readonly Tensor[]): GraphNode[] {
  const order: GraphNode[] = [];
  const state = new Map<GraphNode, 'open' | 'done'>();
  const stack = outputs.flatMap(tensor => (tensor.kind === 'node' ? [tensor.node] : [])).reverse();
  while (stack.length > 0) {
    const node = stack.at(-1)!;
    if (state.get(node) === undefined) {
      state.set(node, 'open');
      for (const tensor of [...node.inputs].reverse())
        if (tensor.kind === 'node' && state.get(tensor.node) === undefined) stack.push(tensor.node);
      continue;
    }
    stack.pop();
    if (state.get(node) === 'open') order.push(node);
    state.set(node, 'done');
  }
  return order;
}
