/** A small graph put before a stored model, whose nodes and weights are copied as they are written, not read. */
import { PermanentError } from '../errors.ts';
import { type ModelOutline, type ModelProto, readModel, readOutline, writeModel, writeOutline } from './onnx.ts';
import { renamed } from './subgraph.ts';

/** Versions of the standard operators in which those of a head mean the same. */
const oldestModel = 19;

/** Names of a stored model never begin so. */
const prefix = 'head: ';

/**
 * The model behind the head: what the head gives out as `joint` is what the model took in under that name.
 * @param head a small graph of ours with the output `joint`, of opset 19 to 21
 * @param model of opset 19 or newer, with `joint` as its only input
 * @throws PermanentError if the model does not fit
 */
export function prepend(head: Uint8Array, model: ModelOutline, joint: string): Uint8Array<ArrayBuffer> {
  const { input = [] } = model.graph!;
  if (input.length !== 1 || input[0]!.name !== joint)
    throw new PermanentError(`the model takes ${input.map(({ name }) => name).join(', ')}, not ${joint} alone`);
  const opset = model.opsetImport?.find(({ domain = '' }) => domain === '')?.version ?? 0;
  if (opset < oldestModel) throw new PermanentError(`the model uses opset ${opset}; it needs ${oldestModel} or newer`);
  const { graph } = readOutline(writeModel(withOwnNames(readModel(head), joint)));
  return writeOutline({
    ...model,
    graph: {
      ...model.graph,
      node: [...(graph!.node ?? []), ...(model.graph!.node ?? [])],
      initializer: [...(graph!.initializer ?? []), ...(model.graph!.initializer ?? [])],
      input: graph!.input!,
    },
  });
}

/** Names that no model has, but for inputs and the joint; nodes need none. */
function withOwnNames(head: ModelProto, joint: string): ModelProto {
  const kept = new Set([joint, ...(head.graph!.input ?? []).map(({ name = '' }) => name)]);
  const graph = renamed(head.graph!, name => (kept.has(name) ? name : prefix + name));
  return { ...head, graph: { ...graph, node: (graph.node ?? []).map(({ name: _, ...node }) => node) } };
}
