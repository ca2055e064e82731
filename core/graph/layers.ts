/** Small compositions of operators that several graphs share. */
import { applyOp, concat, div, max, reduceL2, resize, shape, slice } from './ops.ts';
import { constant, freshDim, type NodeTensor, type Tensor, unknownDims } from './tensor.ts';

/** x divided by its Euclidean length along an axis; lengths below epsilon count as epsilon. */
export function l2Normalize(x: Tensor, axis: number, epsilon = 1e-12): NodeTensor {
  const length = reduceL2(x, { axes: [axis], keepdims: 1 });
  return div(x, max(length, constant(epsilon)));
}

/**
 * An N×C×h×w map resized to the height and width of `like` [N,C′,H,W], with pixel centres at (i + ½).
 * Where the sizes agree the values come out unchanged.
 */
export function resizeLike(x: Tensor, like: Tensor, mode: 'nearest' | 'linear' = 'linear'): NodeTensor {
  const kept = slice(shape(x), { starts: [0], ends: [2] });
  const spatial = slice(shape(like), { starts: [2], ends: [4] });
  return resize(
    x,
    { sizes: concat([kept, spatial], { axis: 0 }) },
    { mode, coordinate_transformation_mode: 'half_pixel' },
  );
}

/** The same tensor, of which the caller knows the number of axes where the graph does not tell. */
export function ranked(x: Tensor, rank: number): Tensor {
  if (x.dims !== unknownDims) return x;
  const outputs = [{ type: x.type, dims: Array.from({ length: rank }, freshDim) }];
  const copy = { opType: 'Identity', domain: '', version: 21, attribute: [], positions: [0], captures: [], outputs };
  return applyOp('Imported', [x], copy)[0]!;
}
