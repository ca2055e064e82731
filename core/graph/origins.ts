/** Which node of a model's file a node of the graph was read from: for messages only, graphs are written without it. */
import type { GraphNode } from './tensor.ts';

const origins = new WeakMap<GraphNode, string>();

/** Remembers the name that the file gives a node. */
export function recordOrigin(node: GraphNode, name: string | undefined): void {
  if (name !== undefined && name !== '') origins.set(node, name);
}

/** The name of the node in its file; undefined for nodes made here. */
export const originOf = (node: GraphNode): string | undefined => origins.get(node);
