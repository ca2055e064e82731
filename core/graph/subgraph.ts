/** Graphs inside attributes (the branches of If, the body of Loop): which outer names they read, and renaming them. */
import type { AttributeProto, GraphProto, NodeProto } from './onnx.ts';

const graphsOf = ({ g, graphs = [] }: AttributeProto): readonly GraphProto[] => (g ? [g, ...graphs] : graphs);

/** All graphs in a node's attributes. */
export const subgraphsOf = ({ attribute = [] }: NodeProto): readonly GraphProto[] => attribute.flatMap(graphsOf);

/** The node with every graph in its attributes replaced. */
export function withSubgraphs(node: NodeProto, replace: (graph: GraphProto) => GraphProto): NodeProto {
  if (subgraphsOf(node).length === 0) return node;
  const attribute = node.attribute!.map(attribute => ({
    ...attribute,
    ...(attribute.g && { g: replace(attribute.g) }),
    ...(attribute.graphs && { graphs: attribute.graphs.map(replace) }),
  }));
  return { ...node, attribute };
}

/** Names that a graph reads from around it, in the order of their first use. */
export function capturedNames(graph: GraphProto): string[] {
  const { input = [], initializer = [], sparseInitializer = [], node = [], output = [] } = graph;
  const own = new Set(
    [...input, ...initializer, ...sparseInitializer.map(s => s.values ?? {})].map(({ name }) => name),
  );
  const captured = new Set<string>();
  const read = (name: string) => {
    if (name !== '' && !own.has(name)) captured.add(name);
  };
  for (const inner of node) {
    for (const name of inner.input ?? []) read(name);
    for (const subgraph of subgraphsOf(inner)) for (const name of capturedNames(subgraph)) read(name);
    for (const name of inner.output ?? []) own.add(name);
  }
  for (const { name = '' } of output) read(name);
  return [...captured];
}

const renamedNode = (node: NodeProto, rename: (name: string) => string): NodeProto => ({
  ...withSubgraphs(node, graph => renamed(graph, rename)),
  ...(node.input && { input: node.input.map(rename) }),
  ...(node.output && { output: node.output.map(rename) }),
});

/** The graph with every tensor name replaced; '' stays. Type hints of inner tensors are dropped, runtimes infer them. */
export function renamed(graph: GraphProto, renameTensor: (name: string) => string): GraphProto {
  const rename = (name: string) => (name === '' ? '' : renameTensor(name));
  const named = <T extends { readonly name?: string }>(values: readonly T[] | undefined) =>
    values?.map(value => ({ ...value, name: rename(value.name ?? '') }));
  const { valueInfo: _hints, quantizationAnnotation: _annotations, ...rest } = graph;
  return {
    ...rest,
    ...(graph.node && { node: graph.node.map(node => renamedNode(node, rename)) }),
    ...(graph.input && { input: named(graph.input)! }),
    ...(graph.output && { output: named(graph.output)! }),
    ...(graph.initializer && { initializer: named(graph.initializer)! }),
    ...(graph.sparseInitializer && {
      sparseInitializer: graph.sparseInitializer.map(sparse => ({
        ...sparse,
        values: named([sparse.values ?? {}])![0]!,
      })),
    }),
  };
}
