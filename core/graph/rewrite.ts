/** A graph with some of its tensors and nodes replaced; what does not depend on them stays as it is. */
import { applyOp, type Op } from './ops.ts';
import { originOf, recordOrigin } from './origins.ts';
import { type ConstantTensor, type GraphNode, type InputTensor, nodesBelow, scope, type Tensor } from './tensor.ts';

export interface Replacements {
  /** What stands in for an input or a constant; undefined keeps it. */
  tensor?(tensor: InputTensor | ConstantTensor): Tensor | undefined;
  /**
   * What stands in for the outputs of a node, given its new inputs; undefined keeps the operator.
   * @param replaced what stands in for any tensor that the node depends on
   */
  node?(
    node: GraphNode,
    inputs: readonly Tensor[],
    replaced: (tensor: Tensor) => Tensor,
  ): readonly Tensor[] | undefined;
}

/** The same tensors computed with replacements. New nodes stand in the scopes of the old ones. */
export function rewrite(outputs: readonly Tensor[], replacements: Replacements): Tensor[] {
  const found = new Map<Tensor, Tensor>();
  const replaced = (tensor: Tensor): Tensor => {
    const known = found.get(tensor);
    if (known) return known;
    const result = tensor.kind === 'node' ? tensor : (replacements.tensor?.(tensor) ?? tensor);
    found.set(tensor, result);
    return result;
  };
  for (const node of nodesBelow(outputs)) {
    const inputs = node.inputs.map(replaced);
    const results = scope(node.scope, () => replacements.node?.(node, inputs, replaced) ?? rebuilt(node, inputs));
    for (const output of node.outputs) found.set(output, results[output.index]!);
  }
  return outputs.map(replaced);
}

function rebuilt(node: GraphNode, inputs: readonly Tensor[]): readonly Tensor[] {
  if (inputs.every((tensor, i) => tensor === node.inputs[i])) return node.outputs;
  const results = applyOp<Op>(node.op, inputs, node.attributes);
  if (results[0]) recordOrigin(results[0].node, originOf(node));
  return results;
}
