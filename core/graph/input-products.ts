/** Gradients of inputs of convolutions as products of matrices over all images at once. For small maps, on which a product per image is narrow. */
import { imagesLast } from './kernel-products.ts';
import { knownSizes, spatialSizes } from './no-gradient.ts';
import type { Attributes } from './ops.ts';
import { matmul, reduceSum, reshape, transpose } from './ops.ts';
import type { Tensor } from './tensor.ts';
import { count, givenBack, seenByPlace } from './windows.ts';

type Settings = Attributes['Conv'];

/** [N,C,…] → [places,N,C], as one exchange of two axes. */
function placesFirst(map: Tensor): Tensor {
  const [images, channels, ...spatial] = knownSizes(map.dims, 'the sizes of the map') as [number, number, ...number[]];
  const places = transpose(reshape(map, [images * channels, -1]), { perm: [1, 0] });
  return reshape(places, [count(spatial), images, channels]);
}

/**
 * The gradient for the input [N,C,…], at strides of 1 and in one group: what every place got from the places of g around it, as
 * one product of matrices.
 * @param pads with which g, slid over, gives the size of the input
 */
export function inputByProduct(
  g: Tensor,
  w: Tensor,
  spatial: readonly number[],
  { pads, dilations }: Pick<Settings, 'pads' | 'dilations'>,
): Tensor {
  const [images] = knownSizes(g.dims.slice(0, 1), 'the number of images') as [number];
  const [outputs, channels, ...kernel] = knownSizes(w.dims, 'the sizes of the kernel') as [number, number, ...number[]];
  const settings = { pads, dilations, strides: kernel.map(() => 1) };
  const seen = seenByPlace(placesFirst(g), { from: spatialSizes(g), to: spatial, kernel, settings });
  const taps = reshape(transpose(reshape(w, [outputs, -1]), { perm: [1, 0] }), [channels, -1]);
  const rows = reshape(seen, [-1, count(kernel) * outputs]);
  const sums = matmul(taps, transpose(rows, { perm: [1, 0] }));
  const maps = transpose(reshape(sums, [channels, images, -1]), { perm: [1, 0, 2] });
  return reshape(maps, [images, channels, ...spatial]);
}

/**
 * The gradient for the input [N,C,…], in one group: what every place of g gives to each place that it was made of, as one product of
 * matrices, then summed up per place.
 */
export function inputBySums(g: Tensor, w: Tensor, spatial: readonly number[], settings: Settings): Tensor {
  const [images] = knownSizes(g.dims.slice(0, 1), 'the number of images') as [number];
  const [outputs, channels, ...kernel] = knownSizes(w.dims, 'the sizes of the kernel') as [number, number, ...number[]];
  const taps = transpose(reshape(w, [outputs, -1]), { perm: [1, 0] });
  const parts = reshape(matmul(taps, reshape(imagesLast(g), [outputs, -1])), [channels, -1, images]);
  const given = givenBack(parts, { from: spatial, to: spatialSizes(g), kernel, settings });
  const sums = reshape(reduceSum(given, { axes: [1], keepdims: 0 }), [-1, images]);
  return reshape(transpose(sums, { perm: [1, 0] }), [images, channels, ...spatial]);
}
