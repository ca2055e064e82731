/** Gradients as more graph: from a loss back to the tensors that are asked for. */

import { PermanentError } from '../errors.ts';
import { formatDims } from './dims.ts';
import { type GradientRule, gradientRules } from './gradient-rules.ts';
import { NoGradient, passesGradient } from './no-gradient.ts';
import { add, expand, neg, type Op, reduceSum, squeeze } from './ops.ts';
import { originOf } from './origins.ts';
import { sizesOf, zerosLike } from './sizes-of.ts';
import { constant, type GraphNode, type NodeTensor, nodesBelow, scope, type Tensor, unknownDims } from './tensor.ts';

export interface GradientOptions {
  /** Tensors taken for constants: no gradient passes them. */
  readonly held?: readonly Tensor[];
}

/** A node as people know it: its operator, its name in the model's file or where it was made, and what it computes. */
function describeNode(node: GraphNode): string {
  const operator = node.op === 'Imported' ? node.attributes.opType : node.op;
  const name = originOf(node);
  const place = name === undefined ? node.scope && ` in ${node.scope}` : ` "${name}"`;
  return `${operator}${place} (${formatDims(node.outputs[0]?.dims ?? [])})`;
}

function refuse(node: GraphNode, reason: string): never {
  throw new PermanentError(
    `the network cannot be trained through its ${describeNode(node)}: ${reason}; freeze what comes before it`,
  );
}

/** The nodes that lead from a wanted tensor to the loss, in order, and the tensors that change with a wanted one. */
function between(loss: Tensor, wanted: readonly Tensor[], held: readonly Tensor[]) {
  const moving = new Set<Tensor>(wanted);
  const stopped = new Set(held);
  const nodes = nodesBelow([loss]).filter(node => {
    if ('stops' in gradientRules[node.op] || !passesGradient(node)) return false;
    if (!node.inputs.some(tensor => moving.has(tensor))) return false;
    const followed = node.outputs.filter(output => followable(output, node) && !stopped.has(output));
    for (const output of followed) moving.add(output);
    return followed.length > 0;
  });
  return { nodes, moving };
}

/** Gradients are float32; whole numbers and truth values have none. */
function followable({ type }: NodeTensor, node: GraphNode): boolean {
  if (type === 'float16' || type === 'bfloat16' || type === 'float64')
    refuse(node, `it computes in ${type}, only float32 is trained`);
  return type === 'float32';
}

/**
 * A gradient in the shape of its tensor, or one that broadcasts to it. The one place where broadcasting is undone: what
 * was repeated on the way forward is summed. An axis whose size has a name is taken not to have been repeated.
 */
function unbroadcast(g: Tensor, { dims }: Tensor): Tensor {
  const extra = g.dims.length - dims.length;
  const repeated = g.dims.flatMap((size, axis) => (size !== 1 && (dims[axis - extra] ?? 1) === 1 ? [axis] : []));
  const summed = repeated.length === 0 ? g : summedAlong(g, repeated);
  return extra > 0 ? squeeze(summed, { axes: Array.from({ length: extra }, (_, axis) => axis) }) : summed;
}

/** The sum along axes; a sign waits until it is taken. */
function summedAlong(g: Tensor, axes: readonly number[]): Tensor {
  if (g.kind === 'node' && g.node.op === 'Neg') return neg(reduceSum(g.node.inputs[0]!, { axes }));
  return reduceSum(g, { axes });
}

/** The gradient in the full shape of its tensor: a sum of shares that all broadcast is repeated. */
function filled(g: Tensor, like: Tensor): Tensor {
  const full = g.dims.length === like.dims.length && g.dims.every((size, axis) => size !== 1 || like.dims[axis] === 1);
  return full ? g : expand(g, sizesOf(like));
}

/** The scope of everything that `gradientsOf` makes. */
const gradientScope = 'gradients';

export const isGradient = ({ scope }: Pick<GraphNode, 'scope'>): boolean => scope.split('/')[0] === gradientScope;

/** The gradients that flow into each tensor, in the order of their arrival. */
class Shares {
  readonly #shares = new Map<Tensor, Tensor[]>();

  put(tensor: Tensor, gradient: Tensor): void {
    const shares = this.#shares.get(tensor);
    if (shares) shares.push(gradient);
    else this.#shares.set(tensor, [gradient]);
  }

  has(tensor: Tensor): boolean {
    return this.#shares.has(tensor);
  }

  /** Their sum, first come first; zeros where there are none. */
  sum(tensor: Tensor): Tensor {
    const shares = this.#shares.get(tensor);
    if (!shares) return zerosLike(tensor);
    return filled(
      shares.reduce((sum, share) => add(sum, share)),
      tensor,
    );
  }
}

function applyRule(node: GraphNode, shares: Shares): readonly (Tensor | undefined)[] {
  const rule = gradientRules[node.op] as GradientRule<Op>;
  if ('refuses' in rule) refuse(node, rule.refuses);
  if ('stops' in rule) return [];
  if (node.inputs.some(({ dims }) => dims === unknownDims)) refuse(node, 'the shape of its input is not known');
  const gradients = node.outputs.map(output => (output.type === 'float32' ? shares.sum(output) : constant(0)));
  try {
    return rule(gradients[0]!, node as never, gradients);
  } catch (error) {
    if (error instanceof NoGradient) refuse(node, error.message);
    throw error;
  }
}

/**
 * How the loss changes with each of the wanted tensors: tensors of their shapes, as nodes of the same graph in the scope
 * `gradients`. Zeros for a tensor that does not reach the loss. The order of all sums depends on the graph alone.
 * @param loss one element, float32
 * @throws PermanentError naming the operator, its scope and the reason, if one on the way has no gradient
 */
export function gradientsOf(loss: Tensor, wanted: readonly Tensor[], { held = [] }: GradientOptions = {}): Tensor[] {
  if (loss.type !== 'float32' || loss.dims.some(dim => dim !== 1))
    throw new Error(`gradientsOf: the loss is ${loss.type} ${formatDims(loss.dims)}, not one float32 number`);
  return scope(gradientScope, () => {
    const { nodes, moving } = between(loss, wanted, held);
    const shares = new Shares();
    shares.put(loss, filled(constant(1), loss));
    for (const node of nodes.reverse()) {
      if (!node.outputs.some(output => moving.has(output) && shares.has(output))) continue;
      const gradients = scope(node.scope || 'loss', () => applyRule(node, shares));
      for (const [i, input] of node.inputs.entries())
        if (gradients[i] && moving.has(input)) shares.put(input, unbroadcast(gradients[i], input));
    }
    return wanted.map(tensor => shares.sum(tensor));
  });
}

/**
 * Checks that the loss can be differentiated for the wanted tensors, before anything is trained.
 * @throws PermanentError naming the operator, its scope and the reason
 */
export function assertDifferentiable(loss: Tensor, wanted: readonly Tensor[], options: GradientOptions = {}): void {
  gradientsOf(loss, wanted, options);
}
