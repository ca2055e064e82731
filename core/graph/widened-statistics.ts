/**
 * Batch normalisation behind a 1×1 convolution that widens. Its output is a product of matrices, y = W·x, so what the gradients sum over
 * the wide maps comes from sums over the narrow ones: they are read once instead of five times, and need not be kept.
 */
import type { BatchStatistics } from './batch-statistics.ts';
import { inputGradient, kernelGradient } from './convolution-gradients.ts';
import { elementCount } from './dims.ts';
import type { Attributes } from './ops.ts';
import { add, conv, matmul, mul, neg, reduceSum, reshape, sub, transpose } from './ops.ts';
import { isKnown } from './sizes-of.ts';
import { constant, type Tensor } from './tensor.ts';

/** A convolution with a kernel [O,I,1,…], at least twice as many outputs as inputs. */
interface Widening {
  /** [N,I,…] */
  readonly x: Tensor;
  readonly w: Tensor;
  readonly settings: Attributes['Conv'];
  readonly inputs: number;
  readonly outputs: number;
}

/** On smaller maps the products of small matrices cost as much as they save (`npm run bench -- training-step`). */
const leastElements = 2 ** 19;

/** The convolution that made these maps, if they are wide. */
export function wideningOf(y: Tensor): Widening | undefined {
  if (y.kind !== 'node' || y.node.op !== 'Conv' || y.node.inputs.length > 2 || !isKnown(y.dims)) return undefined;
  const [x, w] = y.node.inputs as readonly [Tensor, Tensor];
  const settings = y.node.attributes as Attributes['Conv'];
  const { strides, pads, group } = settings;
  const [outputs, inputs, ...kernel] = w.dims as readonly [number, number, ...number[]];
  const plain = group === 1 && [...kernel, ...strides].every(size => size === 1) && pads.every(size => size === 0);
  const worth = isKnown(x.dims) && outputs >= 2 * inputs && (elementCount(y.dims) as number) >= leastElements;
  return plain && worth ? { x, w, settings, inputs, outputs } : undefined;
}

const products = new WeakMap<Tensor, Map<Tensor, Tensor>>();

/** Σ g·xᵀ over images and places: [O,I]. Made once for a pair. */
function productOf(g: Tensor, { x, w, settings, inputs, outputs }: Widening): Tensor {
  const known = products.get(g) ?? new Map<Tensor, Tensor>();
  products.set(g, known);
  const product = known.get(x) ?? reshape(kernelGradient({ x, w, g, settings }), [outputs, inputs]);
  known.set(x, product);
  return product;
}

const asMatrix = ({ w, inputs, outputs }: Widening): Tensor => reshape(w, [outputs, inputs]);
const asColumn = (v: Tensor): Tensor => reshape(v, [-1, 1]);
const asRow = (v: Tensor): Tensor => reshape(v, [1, -1]);

/** Σ g·(y − mean) for every channel of y [O]: Σ g·y is a row of W times its row of the product. @param total Σ g, [O] */
export function momentOf(g: Tensor, widening: Widening, { mean }: BatchStatistics, total: Tensor): Tensor {
  const products = mul(asMatrix(widening), productOf(g, widening));
  return sub(reduceSum(products, { axes: [1], keepdims: 0 }), mul(mean, total));
}

/** slope · (g − total/n − (y − mean) · along/n), what normalisation sends back to y. */
export interface Normalized {
  readonly g: Tensor;
  readonly statistics: BatchStatistics;
  /** All [O]. */
  readonly slope: Tensor;
  readonly total: Tensor;
  readonly along: Tensor;
}

const sentBack = new WeakMap<Tensor, Normalized>();

/** Remembers what a gradient was made of, for the rule of the convolution behind it, which sees no more than a tensor. */
export function rememberNormalized(gradient: Tensor, from: Normalized): Tensor {
  sentBack.set(gradient, from);
  return gradient;
}

/**
 * The gradients of x and of the kernel where a widening convolution's maps are normalised; undefined elsewhere. With y − mean =
 * W · (x − mean) neither needs the gradient of y as a map: it is a sum of g and of a product of x with a small matrix.
 */
export function throughWidening(gradient: Tensor, y: Tensor): readonly [dX: Tensor, dW: Tensor] | undefined {
  const [from, widening] = [sentBack.get(gradient), wideningOf(y)];
  if (!from || !widening) return undefined;
  const { g, statistics, slope, total, along } = from;
  const { x, w, settings, inputs } = widening;
  const share = constant(1 / statistics.count);
  const [moved, turned] = [mul(total, share), mul(along, share)];
  const matrix = asMatrix(widening);
  const scaled = mul(matrix, asColumn(slope));
  const dims = w.dims as readonly number[];

  const back = matmul(transpose(scaled, { perm: [1, 0] }), mul(matrix, asColumn(turned)));
  const narrow = reshape(neg(back), [inputs, inputs, ...dims.slice(2)]);
  const shift = matmul(asRow(sub(mul(turned, statistics.mean), moved)), scaled);
  const dX = inputGradient({ x, w: reshape(scaled, dims), g, settings });
  const away = conv(x, narrow, reshape(shift, [-1]));

  const sums = reduceSum(x, { axes: x.dims.flatMap((_, axis) => (axis === 1 ? [] : [axis])), keepdims: 0 });
  const squares = reshape(kernelGradient({ x, w: narrow, g: x, settings }), [inputs, inputs]);
  const spread = sub(squares, matmul(asColumn(sums), asRow(mul(sums, share))));
  const straight = sub(productOf(g, widening), matmul(asColumn(moved), asRow(sums)));
  const dW = mul(sub(straight, mul(matmul(matrix, spread), asColumn(turned))), asColumn(slope));
  return [add(dX, away), reshape(dW, dims)];
}
