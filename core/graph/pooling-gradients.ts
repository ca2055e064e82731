/** Gradients of pooling: to the place of the largest, or to whole windows by a transposed convolution. */
import { knownSizes, spatialSizes } from './no-gradient.ts';
import type { Attributes } from './ops.ts';
import { cast, convTranspose, div, expand, pad, reshape, scatterElements, slice, sub } from './ops.ts';
import { sizesOf } from './sizes-of.ts';
import { constant, type Tensor } from './tensor.ts';

type Pooling = Attributes['MaxPool'];

const product = (sizes: readonly number[]) => sizes.reduce((a, b) => a * b, 1);
const zeros = (count: number) => new Array<number>(count).fill(0);

/** Every map on its own: [N,C,…] → [N·C,1,…]. */
const single = (x: Tensor) => reshape(x, [-1, 1, ...spatialSizes(x)]);

/** Padding with which the windows fill the image exactly; ceil_mode lets the last ones reach beyond. */
function exactPads(x: Tensor, y: Tensor, { kernel_shape, strides, dilations, pads }: Pooling): number[] {
  const rank = kernel_shape.length;
  const [from, to] = [spatialSizes(x), spatialSizes(y)];
  const ends = kernel_shape.map((size, i) => {
    const needed = (to[i]! - 1) * strides[i]! + (size - 1) * dilations[i]! + 1;
    return needed - from[i]! - pads[i]!;
  });
  return [...pads.slice(0, rank), ...ends];
}

/** Pads of a transposed convolution may not be negative: rows that no window reaches are output padding. */
function writeBack(windows: Tensor, kernel: Tensor, x: Tensor, y: Tensor, settings: Pooling): Tensor {
  const { strides, dilations, kernel_shape } = settings;
  const pads = exactPads(x, y, settings);
  const rank = kernel_shape.length;
  const positive = pads.map((size, i) => (i < rank ? size : Math.max(0, size)));
  const unreached = pads.slice(rank).map(size => Math.max(0, -size));
  const fits = unreached.every((size, i) => size < strides[i]!);
  const output_padding = fits ? unreached : zeros(rank);
  const written = convTranspose(windows, kernel, undefined, { strides, dilations, pads: positive, output_padding });
  const filled = fits ? written : pad(written, { pads: [0, 0, ...zeros(rank), 0, 0, ...unreached] });
  return reshape(filled, [-1, ...knownSizes(x.dims.slice(1), 'channels, height and width')]);
}

/**
 * Zeros in the shape of x that are made when the graph runs: the runtime would compute zeros known ahead when it loads, keep them
 * as long as it lives, and copy them at every run.
 */
function freshZeros(x: Tensor, places: Tensor): Tensor {
  const first = slice(reshape(places, [-1]), { starts: [0], ends: [1] });
  return expand(cast(sub(first, first), { to: 'float32' }), sizesOf(x));
}

/** The gradient of MaxPool: all of it to the first largest element of each window, at these places of x as one row. */
export function maxPoolGradient(x: Tensor, places: Tensor, g: Tensor): Tensor {
  const rows = [freshZeros(x, places), places, g].map(tensor => reshape(tensor, [-1])) as [Tensor, Tensor, Tensor];
  return reshape(scatterElements(...rows, { reduction: 'add' }), sizesOf(x));
}

/** How many elements each mean is taken over: [1,1,…]. */
function elementsPerWindow(x: Tensor, y: Tensor, settings: Attributes['AveragePool']): Tensor {
  const { kernel_shape, strides, dilations, pads, count_include_pad } = settings;
  const rank = kernel_shape.length;
  const [from, to] = [spatialSizes(x), spatialSizes(y)];
  const perAxis = kernel_shape.map((size, i) => {
    const lowest = count_include_pad ? -pads[i]! : 0;
    const highest = count_include_pad ? from[i]! + pads[i + rank]! : from[i]!;
    return Array.from({ length: to[i]! }, (_, o) => {
      const places = Array.from({ length: size }, (_, k) => o * strides[i]! - pads[i]! + k * dilations[i]!);
      return places.filter(place => place >= lowest && place < highest).length;
    });
  });
  const counts = perAxis.reduce<number[]>((all, list) => all.flatMap(a => list.map(b => a * b)), [1]);
  return constant(Float32Array.from(counts), [1, 1, ...to]);
}

/** The gradient of y = AveragePool(x): an equal share to every element of each window. */
export function averagePoolGradient(x: Tensor, y: Tensor, g: Tensor, settings: Attributes['AveragePool']): Tensor {
  const shares = single(div(g, elementsPerWindow(x, y, settings)));
  const window = constant(new Float32Array(product(settings.kernel_shape)).fill(1), [1, 1, ...settings.kernel_shape]);
  return writeBack(shares, window, x, y, settings);
}
