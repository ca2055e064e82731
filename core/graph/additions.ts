/** Additions that another operator does on the way, put in their place once all gradients are taken (`faster-forms`). */
import { gemm, reshape, scatterElements } from './ops.ts';
import { isKnown, isZero } from './sizes-of.ts';
import {
  constantData,
  type Dim,
  type GraphNode,
  type NodeOf,
  type NodeTensor,
  nodesBelow,
  type Tensor,
} from './tensor.ts';
import { count } from './windows.ts';

/** What is added at some places of a map of zeros, and then to a map, is added to that at once: two maps less. */
export function addedAt({ op }: GraphNode, [a, b]: readonly Tensor[]): readonly Tensor[] | undefined {
  if (op !== 'Add' || `${a!.dims}` !== `${b!.dims}`) return undefined;
  const [few, map] = isOnZeros(a!) ? [a, b!] : [b!, a!];
  if (!isOnZeros(few)) return undefined;
  const { inputs, attributes } = few.node;
  return [scatterElements(map, inputs[1]!, inputs[2]!, attributes)];
}

function isOnZeros(tensor: Tensor): tensor is NodeTensor & { readonly node: NodeOf<'ScatterElements'> } {
  if (tensor.kind !== 'node' || tensor.node.op !== 'ScatterElements') return false;
  const [map] = tensor.node.inputs;
  if (map?.kind !== 'node' || map.node.op !== 'Expand') return false;
  return tensor.node.attributes.reduction === 'add' && isZero(map.node.inputs[0]!);
}

/** How often tensors are read. */
export function usesIn(outputs: readonly Tensor[]): ReadonlyMap<Tensor, number> {
  const uses = new Map<Tensor, number>();
  const read = [...outputs, ...nodesBelow(outputs).flatMap(({ inputs }) => inputs)];
  for (const tensor of read) uses.set(tensor, (uses.get(tensor) ?? 0) + 1);
  return uses;
}

/** Gradients that follow each other are put together up to so many numbers (`step-program`), before anything else is done to them. */
export const fewNumbers = 2 ** 14;

/** A product of matrices and a tensor times a number are summed by the product: three passes and two maps less. */
export function addedTo(
  node: GraphNode,
  inputs: readonly Tensor[],
  uses: ReadonlyMap<Tensor, number>,
): readonly Tensor[] | undefined {
  const [y] = node.outputs;
  if (node.op !== 'Add' || !isKnown(y!.dims) || count(y!.dims) <= fewNumbers) return undefined;
  for (const i of [0, 1]) {
    const product = productIn(inputs[i]!, node.inputs[i]!, uses);
    const scaled = scaledIn(inputs[1 - i]!);
    if (!product || !scaled || `${scaled.x.dims}` !== `${y!.dims}`) continue;
    const [a, b] = product.inputs as readonly [Tensor, Tensor];
    const c = reshapedTo(scaled.x, product.outputs[0]!.dims);
    const sum = gemm(a, b, c, { ...product.attributes, beta: scaled.factor });
    return [reshapedTo(sum, y!.dims)];
  }
  return undefined;
}

const reshapedTo = (x: Tensor, dims: readonly Dim[]) =>
  `${x.dims}` === `${dims}` ? x : reshape(x, dims as readonly number[]);

/** The product of two matrices behind a tensor that nothing else reads. */
function productIn(tensor: Tensor, before: Tensor, uses: ReadonlyMap<Tensor, number>): NodeOf<'Gemm'> | undefined {
  if (tensor.kind !== 'node' || before.kind !== 'node' || uses.get(before) !== 1) return undefined;
  const { node } = tensor;
  if (node.op === 'Reshape' && before.node.op === 'Reshape')
    return productIn(node.inputs[0]!, before.node.inputs[0]!, uses);
  return node.op === 'Gemm' && node.inputs.length === 2 ? node : undefined;
}

/** A tensor times a single number. */
function scaledIn(tensor: Tensor): { factor: number; x: Tensor } | undefined {
  if (tensor.kind !== 'node' || tensor.node.op !== 'Mul') return undefined;
  const [factor, x] = tensor.node.inputs as readonly [Tensor, Tensor];
  if (factor.kind !== 'constant' || factor.type !== 'float32' || factor.dims.length > 0) return undefined;
  return { factor: Number(constantData(factor)[0]), x };
}
