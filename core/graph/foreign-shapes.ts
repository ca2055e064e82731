/** Shapes of operators that graphs of ours never use but foreign models do. What is missing here is simply unknown. */
import { ceilDivided, type Dim, elementCount, floorDivided, merged, times } from './dims.ts';
import type { ReadNode } from './read-node.ts';
import { elementTypeOf } from './stored-tensor.ts';
import { type ElementType, freshDim, type Tensor, type TensorShape, unknownDims } from './tensor.ts';

/** The dims of the first output, given the first input; the element type is that of the input. */
type Rule = (x: Tensor, node: ReadNode) => readonly Dim[];

const unchanged: Rule = ({ dims }) => dims;

/** Broadcasting over all inputs; sizes that differ are left to the runtime. */
const broadcasting: Rule = (_x, { inputs }) => {
  const shapes = inputs.flatMap(tensor => (tensor ? [tensor.dims] : []));
  const rank = Math.max(...shapes.map(dims => dims.length));
  return Array.from({ length: rank }, (_, i) =>
    shapes
      .map(dims => dims[i - rank + dims.length] ?? 1)
      .reduce((a, b) => (a === 1 ? b : b === 1 ? a : (merged(a, b) ?? a))),
  );
};

/** Windows whose padding depends on the size (auto_pad): ⌈size / stride⌉ positions. */
const samePadded =
  (channels: (x: Tensor, node: ReadNode) => Dim | undefined): Rule =>
  (x, node) => {
    const channel = channels(x, node);
    if (!node.text('auto_pad', '').startsWith('SAME') || channel === undefined) return unknownDims;
    const strides = node.ints('strides') ?? [];
    return [x.dims[0]!, channel, ...x.dims.slice(2).map((size, i) => ceilDivided(size, strides[i] ?? 1))];
  };

const flattened: Rule = ({ dims }, node) => {
  const axis = node.int('axis', 1);
  const cut = axis < 0 ? axis + dims.length : axis;
  return [elementCount(dims.slice(0, cut)), elementCount(dims.slice(cut))];
};

const depthToSpace: Rule = ({ dims: [n, c, h, w] }, node) => {
  const size = node.int('blocksize', 1);
  return [n!, floorDivided(c!, size * size), times(h!, size), times(w!, size)];
};

const spaceToDepth: Rule = ({ dims: [n, c, h, w] }, node) => {
  const size = node.int('blocksize', 1);
  return [n!, times(c!, size * size), floorDivided(h!, size), floorDivided(w!, size)];
};

const tiled: Rule = ({ dims }, node) => {
  const repeats = node.stored(1);
  return repeats ? dims.map((dim, i) => times(dim, repeats[i] ?? 1)) : dims.map(freshDim);
};

/** Queries [N, heads, T, d] with values [N, heads, S, e]. */
const attended: Rule = ({ dims }, { inputs: [, , v] }) =>
  dims.length === 4 && v?.dims.length === 4 ? [...dims.slice(0, 3), v.dims[3]!] : unknownDims;

const reducedTo1: Rule = ({ dims }) => dims.map((dim, i) => (i < 2 ? dim : 1));

const sameShape = `LeakyRelu Elu Selu Celu HardSigmoid HardSwish Softplus Softsign Erf Gelu Mish ThresholdedRelu Swish
  Floor Ceil Round Sign Reciprocal Sin Cos Tan Asin Acos Atan Sinh Cosh IsNaN IsInf LRN InstanceNormalization
  LayerNormalization GroupNormalization RMSNormalization RotaryEmbedding LpNormalization MeanVarianceNormalization CumSum Dropout Hardmax
  Softmax LogSoftmax QuantizeLinear DequantizeLinear Clip Relu Identity Cast Trilu Shrink BatchNormalization`.split(
  /\s+/,
);

const rules: Readonly<Record<string, Rule>> = {
  ...Object.fromEntries(sameShape.map(name => [name, unchanged])),
  ...Object.fromEntries(
    ['And', 'Or', 'Xor', 'Mod', 'PRelu', 'LessOrEqual', 'Mean', 'Pow'].map(op => [op, broadcasting]),
  ),
  Conv: samePadded((_x, { inputs: [, w] }) => w?.dims[0]),
  MaxPool: samePadded(x => x.dims[1]),
  AveragePool: samePadded(x => x.dims[1]),
  Flatten: flattened,
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
  GlobalMaxPool: reducedTo1,
  GlobalLpPool: reducedTo1,
  Size: () => [],
  Tile: tiled,
  Attention: attended,
};

/** Operators of ONNX Runtime's own that keep the shape of their first input. */
const microsoftUnchanged = new Set(
  'Gelu FastGelu BiasGelu QuickGelu SkipLayerNormalization MultiHeadAttention'.split(' '),
);

function ruleOf(opType: string, domain: string): Rule | undefined {
  if (domain === 'com.microsoft') return microsoftUnchanged.has(opType) ? unchanged : undefined;
  return domain === '' || domain === 'ai.onnx' ? rules[opType] : undefined;
}

const comparisons = new Set('And Or Xor Not Equal Greater GreaterOrEqual Less LessOrEqual IsNaN IsInf'.split(' '));
const toIntegers = new Set(['ArgMax', 'ArgMin', 'NonZero', 'Size', 'Shape']);

function typeOf(x: Tensor | undefined, node: ReadNode): ElementType {
  const { opType, inputs } = node;
  if (opType === 'Cast') return elementTypeOf(node.int('to', 1));
  if (comparisons.has(opType)) return 'bool';
  if (toIntegers.has(opType)) return 'int64';
  if (opType === 'QuantizeLinear') return inputs[2]?.type ?? 'uint8';
  if (opType === 'DequantizeLinear') return inputs[1]?.type ?? 'float32';
  return x?.type ?? 'float32';
}

/** The rank that the file declares; its sizes hold for another image size. */
const hintedDims = (hint: TensorShape | undefined): readonly Dim[] =>
  !hint || hint.dims === unknownDims ? unknownDims : hint.dims.map(freshDim);

/**
 * What is known of the outputs of a node that is kept as it stands, one entry per output.
 * @param hints what the file says about its tensors, by name
 */
export function foreignShapes(node: ReadNode, domain: string, hints: ReadonlyMap<string, TensorShape>): TensorShape[] {
  const [x] = node.inputs;
  const rule = ruleOf(node.opType, domain);
  const followable = node.inputs.every(tensor => tensor?.dims !== unknownDims);
  const first = rule && x && followable ? rule(x, node) : unknownDims;
  return node.outputs.map((name, i) => {
    const hint = hints.get(name);
    const dims = i === 0 && first !== unknownDims ? first : hintedDims(hint);
    return { type: hint?.type ?? typeOf(x, node), dims };
  });
}
