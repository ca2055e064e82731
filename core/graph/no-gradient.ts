/** Why an operator gives no gradient, and the sizes that gradients need to know. */
import type { Dim, GraphNode, NodeTensor, Tensor } from './tensor.ts';

/** A rule cannot make its gradient; the message is the reason. gradients.ts names the node. */
export class NoGradient extends Error {
  override name = 'NoGradient';
}

const still = new WeakSet<GraphNode>();

/** The same tensor, which passes no gradient on: where all that it would send adds up to zero. */
export function withoutGradient(tensor: NodeTensor): NodeTensor {
  still.add(tensor.node);
  return tensor;
}

export const passesGradient = (node: GraphNode): boolean => !still.has(node);

/** The sizes as numbers. @throws NoGradient if one is known only when the graph runs */
export function knownSizes(dims: readonly Dim[], what: string): readonly number[] {
  if (dims.every(dim => typeof dim === 'number')) return dims;
  throw new NoGradient(`${what} [${dims.join(',')}] must be numbers; build the graph for images of one size`);
}

/** The sizes of the axes behind batch and channels, as numbers. */
export const spatialSizes = ({ dims }: Tensor): readonly number[] => knownSizes(dims.slice(2), 'height and width');
