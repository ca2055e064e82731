/** The card's decision rule, written from its definition, slowly: what another program would do with the published model. */
import type { RgbImage } from '#core/image/rgb-image';
import type { Card } from '#core/labels/card';

interface Size {
  readonly width: number;
  readonly height: number;
}

/** [channels, height, width]. */
export interface Maps {
  readonly data: Float32Array;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

const clamp = (value: number, high: number) => Math.min(Math.max(value, 0), high);

/** Bilinear, half-pixel centres, edges repeated. */
function bilinear({ data, height, width }: Maps, channel: number, x: number, y: number, to: Size): number {
  const sx = clamp(((x + 0.5) * width) / to.width - 0.5, width - 1);
  const sy = clamp(((y + 0.5) * height) / to.height - 0.5, height - 1);
  const [x0, y0] = [Math.floor(sx), Math.floor(sy)];
  const [x1, y1] = [Math.min(x0 + 1, width - 1), Math.min(y0 + 1, height - 1)];
  const at = (row: number, column: number) => data[(channel * height + row) * width + column]!;
  const [fx, fy] = [sx - x0, sy - y0];
  return (1 - fy) * ((1 - fx) * at(y0, x0) + fx * at(y0, x1)) + fy * ((1 - fx) * at(y1, x0) + fx * at(y1, x1));
}

/** RGB planes of a picture at another size, [3, height, width], 0 … 255: bilinear, values not rounded. */
export function enlarged({ width, height, data }: RgbImage, to: Size): Float32Array {
  const planes = Float32Array.from({ length: data.length }, (_, i) => {
    const [channel, position] = [Math.floor(i / (width * height)), i % (width * height)];
    return data[3 * position + channel]!;
  });
  const source = { data: planes, channels: 3, height, width };
  return Float32Array.from({ length: 3 * to.width * to.height }, (_, i) => {
    const [channel, position] = [Math.floor(i / (to.width * to.height)), i % (to.width * to.height)];
    return bilinear(source, channel, position % to.width, Math.floor(position / to.width), to);
  });
}

/** Mean over the window around every pixel, cut off at the edges, by an integral image. */
function boxMean(values: Float64Array, width: number, height: number, radius: number): Float64Array {
  const sums = new Float64Array((width + 1) * (height + 1));
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const i = (y + 1) * (width + 1) + x + 1;
      sums[i] = values[y * width + x]! + sums[i - 1]! + sums[i - width - 1]! - sums[i - width - 2]!;
    }
  }
  return values.map((_, i) => {
    const [x, y] = [i % width, Math.floor(i / width)];
    const [left, right] = [Math.max(0, x - radius), Math.min(width, x + radius + 1)];
    const [top, bottom] = [Math.max(0, y - radius), Math.min(height, y + radius + 1)];
    const at = (row: number, column: number) => sums[row * (width + 1) + column]!;
    return (at(bottom, right) - at(top, right) - at(bottom, left) + at(top, left)) / ((right - left) * (bottom - top));
  });
}

/** He, Sun & Tang, "Guided Image Filtering", equations 5, 6 and 8, with a grey guide in 0 … 1. */
function guided(
  map: Float64Array,
  guide: Float64Array,
  width: number,
  height: number,
  radius: number,
  epsilon: number,
) {
  const mean = (values: Float64Array) => boxMean(values, width, height, radius);
  const product = (a: Float64Array, b: Float64Array) => a.map((value, i) => value * b[i]!);
  const [meanGuide, meanMap] = [mean(guide), mean(map)];
  const covariance = mean(product(guide, map)).map((value, i) => value - meanGuide[i]! * meanMap[i]!);
  const variance = mean(product(guide, guide)).map((value, i) => value - meanGuide[i]! ** 2);
  const slope = covariance.map((value, i) => value / (variance[i]! + epsilon));
  const offset = slope.map((value, i) => meanMap[i]! - value * meanGuide[i]!);
  return { slope: mean(slope), offset: mean(offset) };
}

/** Mean of the grey values in each cell of a coarser grid, rounded. */
function cellMeans(
  grey: Float64Array,
  width: number,
  height: number,
  to: { width: number; height: number },
): Float64Array {
  const edge = (i: number, from: number, count: number) => Math.floor((i * from) / count);
  return Float64Array.from({ length: to.width * to.height }, (_, i) => {
    const [x, y] = [i % to.width, Math.floor(i / to.width)];
    let [sum, count] = [0, 0];
    for (let row = edge(y, height, to.height); row < edge(y + 1, height, to.height); row++) {
      for (let column = edge(x, width, to.width); column < edge(x + 1, width, to.width); column++) {
        sum += grey[row * width + column]!;
        count++;
      }
    }
    return Math.round(sum / count);
  });
}

/** The refined foreground score at the picture's size: coefficients on the coarse grid, applied to the full guide. */
function refined(
  refine: NonNullable<(Card['decision'] & { kind: 'threshold' })['refine']>,
  foreground: Maps,
  image: RgbImage,
): Float64Array {
  const { width, height, data } = image;
  const longer = Math.max(width, height);
  const shrink = Math.min(1, refine.workingSide / longer);
  const coarse = { width: Math.round(width * shrink), height: Math.round(height * shrink), data };
  const grey = Float64Array.from({ length: width * height }, (_, i) =>
    Math.round(0.299 * data[3 * i]! + 0.587 * data[3 * i + 1]! + 0.114 * data[3 * i + 2]!),
  );
  const small = cellMeans(grey, width, height, coarse).map(value => value / 255);
  const map = Float64Array.from(small, (_, i) =>
    bilinear(foreground, 0, i % coarse.width, Math.floor(i / coarse.width), coarse),
  );
  const radius = Math.round((refine.radius * Math.max(coarse.width, coarse.height)) / 320);
  const { slope, offset } = guided(map, small, coarse.width, coarse.height, radius, refine.epsilon);
  const asMaps = (values: Float64Array): Maps => ({
    data: Float32Array.from(values),
    channels: 1,
    height: coarse.height,
    width: coarse.width,
  });
  const [slopes, offsets] = [asMaps(slope), asMaps(offset)];
  return grey.map((value, i) => {
    const [x, y] = [i % width, Math.floor(i / width)];
    return (bilinear(slopes, 0, x, y, image) * value) / 255 + bilinear(offsets, 0, x, y, image);
  });
}

/** @returns label ids, [height, width] */
export function decide(decision: Card['decision'], scores: Maps, foreground: Maps, image: RgbImage): Uint16Array {
  if (decision.kind !== 'threshold') throw new Error('only the threshold rule is written here');
  const { width, height } = image;
  const pixels = Array.from({ length: width * height }, (_, i) => [i % width, Math.floor(i / width)] as const);
  const score = decision.refine
    ? refined(decision.refine, foreground, image)
    : Float64Array.from(pixels, ([x, y]) => bilinear(foreground, 0, x, y, image));
  const labels = new Uint16Array(width * height);
  for (const [i, [x, y]] of pixels.entries()) {
    if (score[i]! < decision.threshold) continue;
    let best = Number.NEGATIVE_INFINITY;
    for (let k = 0; k < scores.channels; k++) {
      const value = bilinear(scores, k, x, y, image);
      if (value > best) [best, labels[i]] = [value, k + 1];
    }
  }
  return labels;
}
