/** Batch normalisation by stored statistics, folded into the convolution before it: one node less, the same numbers but for rounding. */
import { conv } from './ops.ts';
import { rewrite } from './rewrite.ts';
import { type ConstantTensor, constant, constantData, type NodeOf, nodesBelow, type Tensor } from './tensor.ts';

/**
 * The same tensors without normalisations that follow a convolution which nobody else reads:
 * s · (w ∗ x + b − mean) + bias = (s · w) ∗ x + s · (b − mean) + bias with s = scale / √(variance + ε).
 */
export function foldNormalization(outputs: readonly Tensor[]): Tensor[] {
  const readers = countReaders(outputs);
  return rewrite(outputs, {
    node: (node, [inner]) => {
      if (node.op !== 'BatchNormalization' || readers.get(node.inputs[0]!) !== 1) return undefined;
      return inner?.kind === 'node' && inner.node.op === 'Conv' ? folded(inner.node, node) : undefined;
    },
  });
}

/** How often each tensor is read, by nodes or from outside. */
function countReaders(outputs: readonly Tensor[]): Map<Tensor, number> {
  const readers = new Map<Tensor, number>();
  const read = (tensor: Tensor) => readers.set(tensor, 1 + (readers.get(tensor) ?? 0));
  for (const node of nodesBelow(outputs)) node.inputs.forEach(read);
  outputs.forEach(read);
  return readers;
}

const isStored = (tensor: Tensor | undefined): tensor is ConstantTensor =>
  tensor?.kind === 'constant' && tensor.type === 'float32';

const numbersOf = (tensor: ConstantTensor) => constantData(tensor) as Float32Array;

/** Undefined where a weight or a statistic is not stored as float32. */
function folded(
  { inputs: [x, w, b], attributes }: NodeOf<'Conv'>,
  { inputs, attributes: { epsilon } }: NodeOf<'BatchNormalization'>,
): readonly Tensor[] | undefined {
  const statistics = inputs.slice(1);
  if (!isStored(w) || (b && !isStored(b)) || !statistics.every(isStored)) return undefined;
  const [scale, bias, mean, variance] = statistics.map(numbersOf) as [
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const slope = Float64Array.from(scale, (value, c) => value / Math.sqrt(variance[c]! + epsilon));
  const weights = numbersOf(w);
  const perChannel = weights.length / slope.length;
  const scaled = weights.map((value, i) => value * slope[Math.floor(i / perChannel)]!);
  const before = b ? numbersOf(b) : new Float32Array(slope.length);
  const shift = before.map((value, c) => (value - mean[c]!) * slope[c]! + bias[c]!);
  return [conv(x!, constant(scaled, w.dims), constant(shift), attributes)];
}
