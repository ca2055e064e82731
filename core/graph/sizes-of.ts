/** Sizes of a tensor as numbers of the graph: stored where they are known, read when it runs where they are not. */
import { elementCount } from './dims.ts';
import { cast, expand, mul, reshape, shape, slice } from './ops.ts';
import { constant, type Dim, integers, type Tensor } from './tensor.ts';

/** Whether all sizes are numbers. */
export const isKnown = (dims: readonly Dim[]): dims is readonly number[] => dims.every(dim => typeof dim === 'number');

/** The sizes of x as int64, stored where they are known. */
export const sizesOf = (x: Tensor): Tensor => (isKnown(x.dims) ? integers(x.dims) : shape(x));

/** Zeros in the shape of x. */
export const zerosLike = (x: Tensor): Tensor => expand(constant(0), sizesOf(x));

/** The float32 number 0. */
export const isZero = (tensor: Tensor): boolean =>
  tensor.kind === 'constant' && tensor.bytes.length === 4 && tensor.bytes.every(byte => byte === 0);

/** How many elements of x one result of a reduction holds, as float32. */
export function countAlong(x: Tensor, axes: readonly number[]): Tensor {
  const dims = axes.map(axis => x.dims[axis]!);
  const count = elementCount(dims);
  if (typeof count === 'number') return constant(count);
  const factors = axes.map(axis => reshape(slice(shape(x), { starts: [axis], ends: [axis + 1] }), integers([])));
  return cast(
    factors.reduce((a, b) => mul(a, b)),
    { to: 'float32' },
  );
}
