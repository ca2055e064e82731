/** Gradients of pooling: windows are read by a convolution with one-hot kernels and written back by its transpose. */
import { knownSizes, spatialSizes } from './no-gradient.ts';
import type { Attributes } from './ops.ts';
import { argMax, conv, convTranspose, div, equal, pad, reshape, where } from './ops.ts';
import { constant, integers, type Tensor } from './tensor.ts';

type Pooling = Attributes['MaxPool'];

const product = (sizes: readonly number[]) => sizes.reduce((a, b) => a * b, 1);
const zeros = (count: number) => new Array<number>(count).fill(0);

/** Every map on its own: [N,C,…] → [N·C,1,…]. */
const single = (x: Tensor) => reshape(x, [-1, 1, ...spatialSizes(x)]);

/** Kernels [K,1,…] that pick one position of the window each. */
function oneHot(window: readonly number[]): Tensor {
  const count = product(window);
  const data = new Float32Array(count * count);
  for (let i = 0; i < count; i++) data[i * count + i] = 1;
  return constant(data, [count, 1, ...window]);
}

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

/** Smaller than every number that can stand in a map, yet finite: one-hot kernels multiply it by 0. */
const lowest = -3e38;

/** The gradient of y = MaxPool(x): all of it to the first largest element of each window. */
export function maxPoolGradient(x: Tensor, y: Tensor, g: Tensor, settings: Pooling): Tensor {
  const { strides, dilations, kernel_shape } = settings;
  const rank = kernel_shape.length;
  const pads = exactPads(x, y, settings);
  const padded = pad(single(x), { pads: [0, 0, ...pads.slice(0, rank), 0, 0, ...pads.slice(rank)], value: lowest });
  const kernel = oneHot(kernel_shape);
  const seen = conv(padded, kernel, undefined, { strides, dilations });
  const places = integers(
    Array.from({ length: product(kernel_shape) }, (_, i) => i),
    [1, product(kernel_shape), ...kernel_shape.map(() => 1)],
  );
  const chosen = equal(argMax(seen, { axis: 1 }), places);
  return writeBack(where(chosen, single(g), constant(0)), kernel, x, y, settings);
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
