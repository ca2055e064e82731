/** Foreign ONNX models, read and spliced into graphs of ours: the composed graph is written as one file. */
import { PermanentError } from '../errors.ts';
import { foreignShapes } from './foreign-shapes.ts';
import { readAsOurs } from './import-node.ts';
import { knownValues } from './known-values.ts';
import { type GraphProto, type ModelProto, type NodeProto, readModel, type ValueInfoProto } from './onnx.ts';
import { applyOp, cast } from './ops.ts';
import { recordOrigin } from './origins.ts';
import { ReadNode } from './read-node.ts';
import { ShapeError } from './shapes.ts';
import { elementTypeOf, isStorable, storedTensor } from './stored-tensor.ts';
import { capturedNames, subgraphsOf } from './subgraph.ts';
import { type ElementType, scope, type Tensor, type TensorShape, unknownDims } from './tensor.ts';
import { newestOpset, oldestOpset, upgradeGraph } from './upgrade.ts';

/** A tensor of a model as declared in the file. Unnamed sizes are named after the tensor. */
export interface NamedShape extends TensorShape {
  readonly name: string;
}

/** A model that was read and can be applied to tensors. */
export interface ImportedModel {
  /** What has to be fed; weights that the file lists as inputs are not among them. */
  readonly inputs: readonly NamedShape[];
  readonly outputs: readonly NamedShape[];
  /** Version of the standard operators that the file was written with. */
  readonly opset: number;
  /** Every tensor that can be asked for: inputs, and what nodes compute, in the order of the file. */
  readonly tensorNames: readonly string[];
  /** Nodes as opset 21 or newer writes them, each after those it reads. */
  readonly nodes: readonly NodeProto[];
  /** Stored weights by name; one tensor each, so that two uses of the model share them. */
  readonly constants: ReadonlyMap<string, Tensor>;
  /** Version of each set of operators, ours under ''. */
  readonly versions: ReadonlyMap<string, number>;
  /** What the file says about tensors inside; sizes in it hold for the file's own input size only. */
  readonly hints: ReadonlyMap<string, NamedShape>;
  /** What its maker wrote into the file, by name. */
  readonly metadata: ReadonlyMap<string, string>;
}

function namedShape({ name = '', type }: ValueInfoProto): NamedShape {
  const tensor = type?.tensorType;
  if (!tensor) throw new PermanentError(`the model's "${name}" is not a tensor; only tensors can go in and out`);
  const dims = tensor.shape?.dim?.map(({ dimValue, dimParam }, i) => dimValue ?? (dimParam || `${name}.${i}`));
  return { name, type: elementTypeOf(tensor.elemType), dims: dims ?? (tensor.shape ? [] : unknownDims) };
}

function hintsOf({ valueInfo = [], output = [] }: GraphProto): Map<string, NamedShape> {
  const tensors = [...valueInfo, ...output].filter(({ type }) => type?.tensorType?.elemType);
  return new Map(tensors.map(info => [info.name ?? '', namedShape(info)]));
}

function versionsOf({ opsetImport = [] }: ModelProto): Map<string, number> {
  return new Map(
    opsetImport.map(({ domain = '', version = 1 }) => [domain === 'ai.onnx' ? '' : domain, version] as const),
  );
}

/** Weights of types that are no constants here become Constant nodes. */
function constantNodes({ initializer = [] }: GraphProto): NodeProto[] {
  return initializer
    .filter(tensor => !isStorable(tensor))
    .map(t => ({ opType: 'Constant', output: [t.name ?? ''], attribute: [{ name: 'value', type: 4, t }] }));
}

function refuseUnusual(model: ModelProto, opset: number): void {
  if (opset < oldestOpset)
    throw new PermanentError(`the model uses opset ${opset}; export it again with opset 13 or newer`);
  if (opset > newestOpset)
    throw new PermanentError(
      `the model uses opset ${opset}, ONNX Runtime here knows up to ${newestOpset}; export it again with opset 18 to ` +
        `${newestOpset} (PyTorch: torch.onnx.export(…, opset_version=18)), or convert the file (Python: ` +
        `onnx.version_converter.convert_version(onnx.load("model.onnx"), 18))`,
    );
  if ((model.functions ?? []).length > 0)
    throw new PermanentError(
      'the model defines functions of its own; save it with them inlined ' +
        '(Python: onnx.inliner.inline_local_functions(onnx.load("model.onnx")))',
    );
  if ((model.graph?.sparseInitializer ?? []).length > 0)
    throw new PermanentError('the model stores sparse weights; save it with dense ones');
}

/**
 * Reads a model. Files of opset 7 to 20 are brought to opset 21; newer ones stay as they are.
 * @throws PermanentError if the bytes are no model, or one that cannot be used; it says what to do
 */
export function importModel(bytes: Uint8Array): ImportedModel {
  const model = readModel(bytes);
  const versions = versionsOf(model);
  const opset = versions.get('') ?? oldestOpset;
  refuseUnusual(model, opset);
  const graph = upgradeGraph(model.graph ?? {}, opset);
  versions.set('', Math.max(21, opset));
  const stored = (graph.initializer ?? []).filter(isStorable);
  const constants = new Map(stored.map(tensor => [tensor.name ?? '', storedTensor(tensor)]));
  const weights = new Set(graph.initializer?.map(({ name }) => name));
  const inputs = (graph.input ?? []).filter(({ name }) => !weights.has(name)).map(namedShape);
  const nodes = [...constantNodes(graph), ...(graph.node ?? [])];
  const computed = (model.graph?.node ?? []).flatMap(node => (node.output ?? []).filter(name => name !== ''));
  return {
    inputs,
    outputs: (graph.output ?? []).map(namedShape),
    opset,
    tensorNames: [...inputs.map(({ name }) => name), ...computed],
    nodes,
    constants,
    versions,
    hints: hintsOf(graph),
    metadata: new Map((model.metadataProps ?? []).map(({ key = '', value = '' }) => [key, value])),
  };
}

/** Names that a node reads: its inputs, and what its subgraphs read from around it. */
function readNames(node: NodeProto): string[] {
  return [...(node.input ?? []).filter(name => name !== ''), ...subgraphsOf(node).flatMap(capturedNames)];
}

/** The nodes that the wanted tensors need, in order. `known` tensors are there already. */
function neededNodes(nodes: readonly NodeProto[], wanted: readonly string[], known: ReadonlyMap<string, Tensor>) {
  const missing = new Set(wanted.filter(name => !known.has(name)));
  const needed: NodeProto[] = [];
  for (const node of [...nodes].reverse()) {
    if (!node.output?.some(name => missing.has(name))) continue;
    needed.push(node);
    for (const name of node.output) missing.delete(name);
    for (const name of readNames(node)) if (!known.has(name)) missing.add(name);
  }
  return { needed: needed.reverse(), missing: [...missing] };
}

/** The inputs of a model that these tensors are computed from. */
export function neededInputs(model: ImportedModel, names: readonly string[]): string[] {
  const { missing } = neededNodes(model.nodes, names, model.constants);
  return model.inputs.map(({ name }) => name).filter(name => missing.includes(name));
}

/** The nodes that these tensors are computed by, in order. */
export const nodesFor = (model: ImportedModel, names: readonly string[]): readonly NodeProto[] =>
  neededNodes(model.nodes, names, model.constants).needed;

/** The stored weights that these tensors are computed from. */
export function neededConstants(model: ImportedModel, names: readonly string[]): string[] {
  return [...new Set(nodesFor(model, names).flatMap(readNames))].filter(name => model.constants.has(name));
}

/** A foreign node as it stands, with what is known of its outputs. */
function keepNode(node: NodeProto, read: ReadNode, known: ReadonlyMap<string, Tensor>, model: ImportedModel) {
  const { opType = '', domain = '', attribute = [], input = [] } = node;
  const captures = [...new Set(subgraphsOf(node).flatMap(capturedNames))];
  const positions = input.flatMap((name, position) => (name === '' ? [] : [position]));
  const inputs = [...positions.map(position => read.inputs[position]!), ...captures.map(name => known.get(name)!)];
  const shapes = foreignShapes(read, domain, model.hints);
  const outputs = read.outputs.map((name, i) => (name === '' ? undefined : shapes[i]));
  const version = model.versions.get(domain === 'ai.onnx' ? '' : domain) ?? 1;
  return applyOp('Imported', inputs, {
    opType,
    domain: domain === 'ai.onnx' ? '' : domain,
    version,
    attribute,
    positions,
    captures,
    outputs,
  });
}

const isStandard = ({ domain = '' }: NodeProto) => domain === '' || domain === 'ai.onnx';

/** The branch that an If takes, where its condition follows from sizes that are known. */
function certainBranch(node: NodeProto, known: ReadonlyMap<string, Tensor>): GraphProto | undefined {
  if (node.opType !== 'If' || !isStandard(node)) return undefined;
  const value = knownValues(known.get(node.input?.[0] ?? '')!)?.[0];
  if (typeof value !== 'number') return undefined;
  return node.attribute?.find(({ name }) => name === (value ? 'then_branch' : 'else_branch'))?.g;
}

/** The nodes of a branch in place of the If. */
function applyBranch(branch: GraphProto, node: NodeProto, known: Map<string, Tensor>, model: ImportedModel): void {
  const inside = new Map(known);
  for (const tensor of branch.initializer ?? []) inside.set(tensor.name ?? '', storedTensor(tensor));
  for (const inner of branch.node ?? []) applyNode(inner, inside, model);
  for (const [i, name] of (node.output ?? []).entries()) known.set(name, inside.get(branch.output?.[i]?.name ?? '')!);
}

/**
 * Applies one node of a model and stores its outputs in `known`, by name.
 * @throws PermanentError if its inputs do not fit
 */
export function applyNode(node: NodeProto, known: Map<string, Tensor>, model: ImportedModel): void {
  const branch = certainBranch(node, known);
  if (branch) applyBranch(branch, node, known, model);
  else applyPlain(node, known, model);
}

function applyPlain(node: NodeProto, known: Map<string, Tensor>, model: ImportedModel): void {
  const inputs = (node.input ?? []).map(name => (name === '' ? undefined : known.get(name)!));
  const read = new ReadNode(node, inputs);
  try {
    const ours = isStandard(node) ? readAsOurs(read) : undefined;
    const present = read.outputs.filter(name => name !== '');
    const named = ours ? read.outputs : present;
    const results = ours ?? keepNode(node, read, known, model);
    for (const [i, name] of named.entries()) known.set(name, results[i]!);
    if (results[0]?.kind === 'node') recordOrigin(results[0].node, node.name || read.outputs[0]);
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
    throw new PermanentError(
      `the model does not take this input: its node "${node.name || read.outputs[0]}": ${error.message}`,
    );
  }
}

const floats: ReadonlySet<ElementType> = new Set(['float16', 'bfloat16', 'float32', 'float64']);

/** The tensor in the element type of an input; floats are converted, anything else must fit. */
function fitted(tensor: Tensor, { name, type, dims }: NamedShape): Tensor {
  if (dims !== unknownDims && tensor.dims.length !== dims.length)
    throw new PermanentError(
      `the model's input "${name}" has ${dims.length} axes, but ${tensor.dims.length} are given`,
    );
  if (tensor.type === type) return tensor;
  if (floats.has(type) && floats.has(tensor.type)) return cast(tensor, { to: type });
  throw new PermanentError(`the model's input "${name}" is ${type}, but ${tensor.type} is given`);
}

const inFloat32 = (tensor: Tensor) =>
  floats.has(tensor.type) && tensor.type !== 'float32' ? cast(tensor, { to: 'float32' }) : tensor;

function refuseMissing(missing: readonly string[], model: ImportedModel, wanted: readonly string[]): never {
  const unfed = missing.filter(name => model.inputs.some(input => input.name === name));
  if (unfed.length > 0)
    throw new PermanentError(`the model also needs the inputs ${unfed.map(name => `"${name}"`).join(', ')}`);
  const unknown = wanted.find(name => missing.includes(name)) ?? missing[0];
  const outputs = model.outputs.map(({ name }) => `"${name}"`).join(', ');
  throw new PermanentError(`the model has no tensor "${unknown}"; its outputs are ${outputs}`);
}

/**
 * Applies a model to tensors: its nodes become nodes of the graph that is being built.
 * @param feeds a tensor per input of the model; one for an inner tensor cuts off what computes it
 * @param wanted names of outputs or of inner tensors
 * @param prefix scope of the new nodes
 * @returns the wanted tensors; float16 and other floats come out as float32
 * @throws PermanentError if there is no such tensor, an input is missing, or shapes do not fit
 */
export function applyModel(
  model: ImportedModel,
  feeds: Readonly<Record<string, Tensor>>,
  wanted: readonly string[],
  prefix = '',
): Tensor[] {
  const build = () => {
    const known = bindInputs(model, feeds);
    const { needed, missing } = neededNodes(model.nodes, wanted, known);
    if (missing.length > 0) refuseMissing(missing, model, wanted);
    for (const node of needed) applyNode(node, known, model);
    return wanted.map(name => inFloat32(known.get(name)!));
  };
  return prefix === '' ? build() : scope(prefix, build);
}

/** The tensors that are there before any node: weights and feeds, by name. */
function bindInputs(model: ImportedModel, feeds: Readonly<Record<string, Tensor>>): Map<string, Tensor> {
  const known = new Map(model.constants);
  for (const [name, tensor] of Object.entries(feeds)) {
    const declared = model.inputs.find(input => input.name === name);
    if (!declared && !model.tensorNames.includes(name)) refuseMissing([name], model, [name]);
    known.set(name, declared ? fitted(tensor, declared) : tensor);
  }
  return known;
}
