/** Relu behind max-pooling instead of before it: the same numbers and gradients, from maps that are a quarter of the size. */
import { applyOp, relu } from './ops.ts';
import type { GraphNode, Tensor } from './tensor.ts';

/**
 * What stands in for a MaxPool of a Relu that nothing else reads, given its new inputs. Where the largest is above zero it is the
 * same one; where it is not, neither form passes anything back.
 * @param nodes of the graph with these outputs
 */
export function pooledFirst(
  nodes: readonly GraphNode[],
  outputs: readonly Tensor[],
): (node: GraphNode, inputs: readonly Tensor[]) => readonly Tensor[] | undefined {
  const readers = new Map<Tensor, number>();
  for (const tensor of [...outputs, ...nodes.flatMap(({ inputs }) => inputs)])
    readers.set(tensor, (readers.get(tensor) ?? 0) + 1);
  return (node, [x]) => {
    if (node.op !== 'MaxPool' || x?.kind !== 'node' || x.node.op !== 'Relu') return undefined;
    if (readers.get(node.inputs[0]!) !== 1 || readers.has(node.outputs[1]!)) return undefined;
    const [largest, places] = applyOp<'MaxPool'>('MaxPool', [x.node.inputs[0]!], node.attributes);
    return [relu(largest!), places!];
  };
}
