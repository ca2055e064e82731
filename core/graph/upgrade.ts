/** Brings graphs of opset 7 to 20 to opset 21, operator by operator. A table, hence long. */
import { PermanentError } from '../errors.ts';
import {
  type AttributeProto,
  attributeTypes,
  dataTypes,
  type GraphProto,
  type NodeProto,
  type TensorProto,
} from './onnx.ts';
import { withSubgraphs } from './subgraph.ts';
import { type ConstantTensor, constant, integers } from './tensor.ts';

/** Older files write broadcasting as attributes and are rare by now. */
export const oldestOpset = 7;

/** ONNX Runtime 1.26 to 1.30 runs no newer version of the standard operators. */
export const newestOpset = 26;

type Convert = (node: NodeProto, refuse: (reason: string) => never) => readonly NodeProto[];

/** A change that files below an opset have not seen yet. */
interface Change {
  readonly below: number;
  readonly convert: Convert;
}

const find = (node: NodeProto, name: string) => node.attribute?.find(attribute => attribute.name === name);
const without = (node: NodeProto, ...names: string[]): NodeProto => ({
  ...node,
  attribute: (node.attribute ?? []).filter(({ name }) => !names.includes(name ?? '')),
});
const having = (node: NodeProto, ...attributes: AttributeProto[]): NodeProto => ({
  ...node,
  attribute: [...(node.attribute ?? []), ...attributes],
});
const text = (name: string, value: string): AttributeProto => ({
  name,
  type: attributeTypes.string,
  s: new TextEncoder().encode(value),
});
const int = (name: string, value: number): AttributeProto => ({ name, type: attributeTypes.int, i: BigInt(value) });

/** A name for a tensor added beside a node; output names are unique, so these are. */
const beside = (node: NodeProto, what: string) => `${node.output?.[0]}::${what}`;

function constantNode(output: string, { type, dims, bytes }: ConstantTensor): NodeProto {
  const t: TensorProto = { dims, dataType: dataTypes[type], rawData: bytes };
  return { opType: 'Constant', output: [output], attribute: [{ name: 'value', type: attributeTypes.tensor, t }] };
}

/** The node with a tensor at an input position. */
function withInput(node: NodeProto, position: number, name: string): NodeProto {
  const input = [...(node.input ?? [])];
  while (input.length <= position) input.push('');
  input[position] = name;
  return { ...node, input };
}

/** An attribute holding integers becomes an input; absent it stays absent. */
function intsToInput(node: NodeProto, attribute: string, position: number): NodeProto[] {
  const found = find(node, attribute);
  if (!found) return [node];
  const values = (found.ints ?? [found.i ?? 0n]).map(Number);
  const name = beside(node, attribute);
  return [constantNode(name, integers(values)), withInput(without(node, attribute), position, name)];
}

/** A float attribute becomes a scalar input in the type of the node's data; left out where it is the default. */
function floatToInput(node: NodeProto, attribute: string, position: number, byDefault: number): NodeProto[] {
  const value = find(node, attribute)?.f ?? byDefault;
  const rest = without(node, attribute);
  if (Math.fround(value) === Math.fround(byDefault)) return [rest];
  const [name, plain] = [beside(node, attribute), beside(node, `${attribute}32`)];
  return [
    constantNode(plain, constant(value)),
    { opType: 'CastLike', input: [plain, node.input?.[0] ?? ''], output: [name] },
    withInput(rest, position, name),
  ];
}

/** Several such changes of one node, one after the other. */
const chain = (node: NodeProto, ...steps: ((node: NodeProto) => NodeProto[])[]): NodeProto[] =>
  steps.reduce<NodeProto[]>((nodes, step) => [...nodes.slice(0, -1), ...step(nodes.at(-1)!)], [node]);

const axesToInput: Convert = node => intsToInput(node, 'axes', 1);
const refused: Convert = (_node, refuse) => refuse('its meaning changed');
const unknown: Convert = (_node, refuse) => refuse('the ONNX standard has no such operator');

/** Before opset 13 these worked on the matrix of all axes before `axis` by all axes from it on. */
const overFlattened: Convert = node => {
  const axis = find(node, 'axis') ?? int('axis', 1);
  const [x = ''] = node.input ?? [];
  const [shape, flat, result] = [beside(node, 'shape'), beside(node, 'flat'), beside(node, 'result')];
  return [
    { opType: 'Shape', input: [x], output: [shape] },
    { opType: 'Flatten', input: [x], output: [flat], attribute: [axis] },
    { ...having(without(node, 'axis'), int('axis', -1)), input: [flat], output: [result] },
    { opType: 'Reshape', input: [result, shape], output: node.output ?? [] },
  ];
};

/** Upsample, and Resize of opset 10, took output i from input i / scale, rounded down. */
function asResize(node: NodeProto): NodeProto {
  const mode = new TextDecoder().decode(find(node, 'mode')?.s ?? new TextEncoder().encode('nearest'));
  const [x = '', scales = ''] = node.input ?? [];
  return {
    ...node,
    opType: 'Resize',
    input: [x, '', scales],
    attribute: [
      text('mode', mode === 'bilinear' ? 'linear' : mode),
      text('coordinate_transformation_mode', 'asymmetric'),
      text('nearest_mode', 'floor'),
    ],
  };
}

const fromUpsample: Convert = (node, refuse) => {
  if ((node.input ?? []).length === 2) return [asResize(node)];
  const scales = find(node, 'scales')?.floats ?? refuse('it has no scales');
  const name = beside(node, 'scales');
  return [constantNode(name, constant(Float32Array.from(scales))), asResize(withInput(node, 1, name))];
};

const gridModes: Readonly<Record<string, string>> = { bilinear: 'linear', bicubic: 'cubic' };

const lowestFloat = -3.4028234663852886e38;

/** For each operator whose files must be changed: the changes, oldest first. */
const conversions: Readonly<Record<string, readonly Change[]>> = {
  BatchNormalization: [
    {
      below: 9,
      convert: (node, refuse) =>
        find(node, 'spatial')?.i === 0n ? refuse('it has spatial = 0') : [without(node, 'spatial')],
    },
    { below: 14, convert: node => [{ ...node, output: (node.output ?? []).slice(0, 1) }] },
  ],
  Clip: [
    {
      below: 11,
      convert: node =>
        chain(
          node,
          node => floatToInput(node, 'min', 1, lowestFloat),
          node => floatToInput(node, 'max', 2, -lowestFloat),
        ),
    },
  ],
  DFT: [{ below: 20, convert: refused }],
  Dropout: [{ below: 12, convert: node => [without(node, 'ratio')] }],
  GridSample: [
    {
      below: 20,
      convert: node => {
        const mode = new TextDecoder().decode(find(node, 'mode')?.s ?? new Uint8Array(0));
        const renamed = gridModes[mode === '' ? 'bilinear' : mode];
        return renamed ? [having(without(node, 'mode'), text('mode', renamed))] : [node];
      },
    },
  ],
  GroupNormalization: [{ below: 21, convert: refused }],
  Hardmax: [{ below: 13, convert: overFlattened }],
  LogSoftmax: [{ below: 13, convert: overFlattened }],
  Pad: [
    {
      below: 11,
      convert: node =>
        chain(
          node,
          node => intsToInput(node, 'pads', 1),
          node => floatToInput(node, 'value', 2, 0),
        ),
    },
  ],
  ReduceL1: [{ below: 18, convert: axesToInput }],
  ReduceL2: [{ below: 18, convert: axesToInput }],
  ReduceLogSum: [{ below: 18, convert: axesToInput }],
  ReduceLogSumExp: [{ below: 18, convert: axesToInput }],
  ReduceMax: [{ below: 18, convert: axesToInput }],
  ReduceMean: [{ below: 18, convert: axesToInput }],
  ReduceMin: [{ below: 18, convert: axesToInput }],
  ReduceProd: [{ below: 18, convert: axesToInput }],
  ReduceSum: [{ below: 13, convert: axesToInput }],
  ReduceSumSquare: [{ below: 18, convert: axesToInput }],
  Resize: [{ below: 11, convert: node => [asResize(node)] }],
  RoiAlign: [
    { below: 16, convert: node => [having(node, text('coordinate_transformation_mode', 'output_half_pixel'))] },
  ],
  Scan: [{ below: 9, convert: refused }],
  Scatter: [{ below: 11, convert: node => [{ ...node, opType: 'ScatterElements' }] }],
  Slice: [
    {
      below: 10,
      convert: node =>
        chain(
          node,
          node => intsToInput(node, 'starts', 1),
          node => intsToInput(node, 'ends', 2),
          node => intsToInput(node, 'axes', 3),
        ),
    },
  ],
  Softmax: [{ below: 13, convert: overFlattened }],
  Split: [
    { below: 13, convert: node => intsToInput(node, 'split', 1) },
    {
      below: 18,
      convert: node => (node.input?.[1] ? [node] : [having(node, int('num_outputs', node.output?.length ?? 0))]),
    },
  ],
  Squeeze: [{ below: 13, convert: axesToInput }],
  TopK: [{ below: 10, convert: node => intsToInput(node, 'k', 1) }],
  Unsqueeze: [{ below: 13, convert: axesToInput }],
  Upsample: [{ below: 10, convert: fromUpsample }],
};

/** Operators whose older forms mean the same in opset 21 (https://onnx.ai/onnx/operators/). */
const unchanged = new Set(
  `Abs Acos Acosh Add AffineGrid And ArgMax ArgMin Asin Asinh Atan Atanh AveragePool Bernoulli BitShift BitwiseAnd BitwiseNot
  BitwiseOr BitwiseXor BlackmanWindow Cast CastLike Ceil Celu CenterCropPad Col2Im Compress Concat ConcatFromSequence
  Constant ConstantOfShape Conv ConvInteger ConvTranspose Cos Cosh CumSum DeformConv DepthToSpace DequantizeLinear Det Div
  DynamicQuantizeLinear Einsum Elu Equal Erf Exp Expand EyeLike Flatten Floor GRU Gather GatherElements GatherND Gelu
  Gemm GlobalAveragePool GlobalLpPool GlobalMaxPool Greater GreaterOrEqual HammingWindow HannWindow HardSigmoid
  HardSwish Identity If ImageDecoder InstanceNormalization IsInf IsNaN LRN LSTM LayerNormalization LeakyRelu Less LessOrEqual Log
  Loop LpNormalization LpPool MatMul MatMulInteger Max MaxPool MaxRoiPool MaxUnpool Mean MeanVarianceNormalization MelWeightMatrix Min
  Mish Mod Mul Multinomial Neg NegativeLogLikelihoodLoss NonMaxSuppression NonZero Not OneHot Optional OptionalGetElement OptionalHasElement Or
  PRelu Pow QLinearConv QLinearMatMul QuantizeLinear RNN RandomNormal RandomNormalLike RandomUniform RandomUniformLike
  Range Reciprocal RegexFullMatch Relu Reshape ReverseSequence Round STFT ScatterElements ScatterND Selu SequenceAt SequenceConstruct
  SequenceEmpty SequenceErase SequenceInsert SequenceLength SequenceMap Shape Shrink Sigmoid Sign Sin Sinh Size SoftmaxCrossEntropyLoss Softplus
  Softsign SpaceToDepth SplitToSequence Sqrt StringConcat StringNormalizer StringSplit Sub Sum Tan Tanh TfIdfVectorizer ThresholdedRelu Tile Transpose Trilu Unique Where Xor`.split(
    /\s+/,
  ),
);

/** Operators that came after opset 21. */
const newer = 'Attention BitCast CumProd RMSNormalization RotaryEmbedding Swish TensorScatter'.split(' ');

const standard: ReadonlySet<string> = new Set([...Object.keys(conversions), ...unchanged, ...newer]);

/** Sets of operators that ONNX Runtime brings along. */
const runtimeDomains: ReadonlySet<string> = new Set([
  'ai.onnx.ml',
  'com.microsoft',
  'com.microsoft.nchwc',
  'org.pytorch.aten',
]);

/** Whether ONNX Runtime can have such an operator, whatever its version. */
export const isKnownOperator = ({ opType = '', domain = '' }: NodeProto): boolean =>
  domain === '' || domain === 'ai.onnx' ? standard.has(opType) : runtimeDomains.has(domain);

function upgradeNode(original: NodeProto, opset: number): readonly NodeProto[] {
  const { opType = '', domain = '', name, output } = original;
  const node = withSubgraphs(original, graph => upgradeGraph(graph, opset));
  if (domain !== '' && domain !== 'ai.onnx') return [node];
  const changes = conversions[opType] ?? (unchanged.has(opType) ? [] : [{ below: 21, convert: unknown }]);
  const refuse = (reason: string): never => {
    throw new PermanentError(
      `the node "${name || output?.[0]}" (${opType} of opset ${opset}) cannot be brought to opset 21: ${reason}; ` +
        'export the model again with opset 21 (PyTorch: torch.onnx.export(…, opset_version=21))',
    );
  };
  return changes
    .filter(({ below }) => opset < below)
    .reduce<readonly NodeProto[]>(
      (nodes, { convert }) => [...nodes.slice(0, -1), ...convert(nodes.at(-1)!, refuse)],
      [node],
    );
}

/**
 * The graph as opset 21 writes it.
 * @throws PermanentError naming a node for which no conversion is known, and what to do
 */
export function upgradeGraph(graph: GraphProto, opset: number): GraphProto {
  if (opset >= 21 || !graph.node) return graph;
  return { ...graph, node: graph.node.flatMap(node => upgradeNode(node, opset)) };
}
