/** Many small tensors as one vector, so that what is done to each of them is done once. */
import { applyOp, concat, type Op, reshape } from './ops.ts';
import type { GraphNode, Tensor } from './tensor.ts';

/** The numbers of the tensors one behind the other, [n]. */
export const endToEnd = (tensors: readonly Tensor[]): Tensor =>
  concat(
    tensors.map(tensor => (tensor.dims.length === 1 ? tensor : reshape(tensor, [-1]))),
    { axis: 0 },
  );

const numberwise: ReadonlySet<Op> = new Set(['Add', 'Sub', 'Mul']);

/**
 * As `endToEnd`, but operations that all of the vectors end with are done on the whole: (a₀ + b₀, a₁ + b₁, …) becomes
 * (a₀, a₁, …) + (b₀, b₁, …). The same numbers, in fewer nodes.
 * @param known what certain vectors are together, where that is at hand
 */
export function packed(
  vectors: readonly Tensor[],
  known: (vectors: readonly Tensor[]) => Tensor | undefined = () => undefined,
): Tensor {
  const found = known(vectors);
  if (found) return found;
  const nodes = vectors.flatMap(vector => (vector.kind === 'node' ? [vector.node] : []));
  const [first] = nodes;
  if (!first || nodes.length < vectors.length || !alike(nodes)) return endToEnd(vectors);
  const operands = first.inputs.map((operand, i) => {
    const all = nodes.map(({ inputs }) => inputs[i]!);
    return isNumber(operand) ? operand : packed(all, known);
  });
  return applyOp<Op>(first.op, operands, first.attributes)[0]!;
}

/** Whether they do one operation, each on vectors of its own length and numbers that are the same in all. */
function alike(nodes: readonly GraphNode[]): boolean {
  const [first] = nodes;
  return nodes.every(
    ({ op, inputs, outputs: [output] }) =>
      numberwise.has(op) &&
      op === first!.op &&
      output!.dims.length === 1 &&
      inputs.every((operand, i) =>
        isNumber(first!.inputs[i]!) ? same(operand, first!.inputs[i]!) : `${operand.dims}` === `${output!.dims}`,
      ),
  );
}

const isNumber = (tensor: Tensor): boolean => tensor.kind === 'constant' && tensor.dims.length === 0;

const same = (a: Tensor, b: Tensor): boolean =>
  a.kind === 'constant' && b.kind === 'constant' && a.dims.length === 0 && `${a.bytes}` === `${b.bytes}`;
