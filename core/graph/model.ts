/** Writes a graph of tensors as an ONNX model: names, order, constants. Same program, same bytes. */
import { PermanentError } from '../errors.ts';
import { onnxParts } from './node-proto.ts';
import {
  dataTypes,
  type NodeProto,
  type OperatorSetIdProto,
  type TensorProto,
  type ValueInfoProto,
  writeModel,
} from './onnx.ts';
import { renamed, withSubgraphs } from './subgraph.ts';
import {
  type ConstantTensor,
  type GraphNode,
  type InputTensor,
  type NodeOf,
  nodesBelow,
  readBy,
  type Tensor,
  type TensorShape,
  unknownDims,
  writtenOutputs,
} from './tensor.ts';

/** Version of the standard operators that ops.ts describes. */
export const opset = 21;

/** Version of the file format. */
export const irVersion = 10;

export interface ModelParts {
  readonly name: string;
  /** `input` tensors, in the order of the file; unused ones are written too. */
  readonly inputs: readonly Tensor[];
  /** By output name, in the order of the file. */
  readonly outputs: Readonly<Record<string, Tensor>>;
  /** Written into the model's metadata. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** Names of all tensors: inputs and outputs as given, the rest from scope, operator and position. */
class Names {
  readonly #taken: Set<string>;
  readonly #names = new Map<Tensor, string>();
  readonly #counts = new Map<string, number>();
  readonly #stored = new Map<string, { readonly name: string; readonly bytes: Uint8Array }[]>();
  readonly initializers: TensorProto[] = [];

  constructor(reserved: Iterable<string>) {
    this.#taken = new Set(reserved);
  }

  /** `stem_0`, `stem_1`, …, past names that are taken. */
  fresh(stem: string): string {
    for (;;) {
      const count = this.#counts.get(stem) ?? 0;
      this.#counts.set(stem, count + 1);
      const name = `${stem}_${count}`;
      if (this.#taken.has(name)) continue;
      this.#taken.add(name);
      return name;
    }
  }

  has(tensor: Tensor): boolean {
    return this.#names.has(tensor);
  }

  set(tensor: Tensor, name: string): void {
    this.#names.set(tensor, name);
  }

  /** The name of a tensor; a constant gets its name, and its place in the file, when it is first asked for. */
  of(tensor: Tensor): string {
    const known = this.#names.get(tensor);
    if (known !== undefined) return known;
    if (tensor.kind !== 'constant') throw new Error(`toModel: the ${tensor.kind} was never named`);
    const name = this.#store(tensor);
    this.#names.set(tensor, name);
    return name;
  }

  /** Constants of equal content are written once: axes, sizes, tables of places that many layers share. */
  #store({ type, dims, bytes }: ConstantTensor): string {
    const kind = `${type}${dims}`;
    const alike = this.#stored.get(kind) ?? [];
    const equal = alike.find(stored => sameBytes(stored.bytes, bytes));
    if (equal) return equal.name;
    const name = this.fresh('constant');
    this.#stored.set(kind, [...alike, { name, bytes }]);
    this.initializers.push({ name, dims, dataType: dataTypes[type], rawData: bytes });
    return name;
  }
}

const sameBytes = (a: Uint8Array, b: Uint8Array) => a.length === b.length && a.every((byte, i) => byte === b[i]);

function valueInfo(name: string, { type, dims }: TensorShape): ValueInfoProto {
  const dim = dims.map(size => {
    if (typeof size === 'number') return { dimValue: size };
    return size.includes('?') ? {} : { dimParam: size };
  });
  const shape = dims === unknownDims ? {} : { shape: { dim } };
  return { name, type: { tensorType: { elemType: dataTypes[type], ...shape } } };
}

/** The inputs a graph reads, after checking that all of them are declared. */
function checkInputs(nodes: readonly GraphNode[], { name, inputs, outputs }: ModelParts): readonly InputTensor[] {
  const declared = new Set(inputs);
  const read = [...Object.values(outputs), ...nodes.flatMap(node => node.inputs)];
  for (const tensor of read)
    if (tensor.kind === 'input' && !declared.has(tensor))
      throw new Error(`toModel: ${name} reads the input ${tensor.name}, which is not among its inputs`);
  const all = inputs.map(tensor => {
    if (tensor.kind !== 'input') throw new Error(`toModel: an input of ${name} is a ${tensor.kind}`);
    return tensor;
  });
  const names = [...all.map(tensor => tensor.name), ...Object.keys(outputs)];
  const twice = names.find((candidate, i) => names.indexOf(candidate) !== i);
  if (twice !== undefined) throw new Error(`toModel: ${name} has two inputs or outputs named ${twice}`);
  return all;
}

/** A node of a foreign model, with its own attributes; its subgraphs get names of their own. */
function writeImported(node: NodeOf<'Imported'>, name: string, names: Names): NodeProto {
  const { opType, domain, attribute, positions, captures, outputs } = node.attributes;
  const input: string[] = [];
  for (const [i, position] of positions.entries()) {
    while (input.length <= position) input.push('');
    input[position] = names.of(node.inputs[i]!);
  }
  const captured = new Map(captures.map((inner, i) => [inner, names.of(node.inputs[positions.length + i]!)]));
  const present = node.outputs.map(tensor => names.of(tensor)).values();
  const output = outputs.map(shape => (shape ? present.next().value! : ''));
  const written: NodeProto = { name, opType, input, output, attribute, ...(domain === '' ? {} : { domain }) };
  return withSubgraphs(written, graph => renamed(graph, inner => captured.get(inner) ?? `${name}/${inner}`));
}

function writeNode(node: GraphNode, names: Names, read: ReadonlySet<Tensor>): NodeProto {
  const opType = node.op === 'Imported' ? node.attributes.opType : node.op;
  const name = names.fresh(node.scope === '' ? opType : `${node.scope}/${opType}`);
  const outputs = writtenOutputs(node, tensor => read.has(tensor));
  for (const tensor of outputs) {
    if (names.has(tensor)) continue;
    names.set(tensor, tensor.index === 0 ? name : `${name}.${tensor.index}`);
  }
  if (node.op === 'Imported') return writeImported(node, name, names);
  const { inputs, attribute } = onnxParts(node);
  const input = inputs.map(tensor => (tensor ? names.of(tensor) : ''));
  return { name, opType, input, output: outputs.map(tensor => names.of(tensor)), attribute };
}

/** Names the outputs. One that is no node's, or has a name already, is written as a copy under its own name. */
function nameOutputs(outputs: ModelParts['outputs'], names: Names): [name: string, original: Tensor][] {
  const copies: [string, Tensor][] = [];
  for (const [name, tensor] of Object.entries(outputs)) {
    if (tensor.kind === 'node' && !names.has(tensor)) names.set(tensor, name);
    else copies.push([name, tensor]);
  }
  return copies;
}

/** Operator sets the nodes need: ours, or a newer one if imported nodes bring it. */
function opsetImports(nodes: readonly GraphNode[]): OperatorSetIdProto[] {
  const versions = new Map([['', opset]]);
  for (const node of nodes) {
    if (node.op !== 'Imported') continue;
    const { domain, version, opType } = node.attributes;
    const present = versions.get(domain);
    if (domain !== '' && present !== undefined && present !== version)
      throw new PermanentError(`${opType} needs version ${version} of ${domain}, another part of the model ${present}`);
    versions.set(domain, Math.max(present ?? 0, version));
  }
  return [...versions].map(([domain, version]) => (domain === '' ? { version } : { domain, version }));
}

/**
 * The model that computes `outputs` from `inputs`, as the bytes of an ONNX file. Only what the outputs need is written;
 * constants that are equal are written once.
 */
export function toModel(parts: ModelParts): Uint8Array<ArrayBuffer> {
  const nodes = nodesBelow(Object.values(parts.outputs));
  const inputs = checkInputs(nodes, parts);
  const names = new Names([...inputs.map(tensor => tensor.name), ...Object.keys(parts.outputs)]);
  for (const tensor of inputs) names.set(tensor, tensor.name);
  const copies = nameOutputs(parts.outputs, names);
  const read = readBy(nodes, Object.values(parts.outputs));
  const node = nodes.map(node => writeNode(node, names, read));
  for (const [name, tensor] of copies)
    node.push({ name: names.fresh('Identity'), opType: 'Identity', input: [names.of(tensor)], output: [name] });
  return writeModel({
    irVersion,
    producerName: 'selflabel',
    opsetImport: opsetImports(nodes),
    graph: {
      name: parts.name,
      node,
      initializer: names.initializers,
      input: inputs.map(tensor => valueInfo(tensor.name, tensor)),
      output: Object.entries(parts.outputs).map(([name, tensor]) => valueInfo(name, tensor)),
    },
    metadataProps: Object.entries(parts.metadata ?? {}).map(([key, value]) => ({ key, value })),
  });
}
