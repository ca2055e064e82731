/** The grey guided filter: a coarse map that takes on the edges of the image (He, Sun & Tang, Guided Image Filtering, 2010). */

/** The map as a line of the guide at every pixel, map ≈ slope · guide + offset, each [height, width]. */
export interface GuidedCoefficients {
  readonly slope: Float32Array;
  readonly offset: Float32Array;
}

export interface GuidedFilterOptions {
  readonly width: number;
  readonly height: number;
  /** The window is 2 · radius + 1 pixels square, cut off at the edges. */
  readonly radius: number;
  /** Variance of the guide (scaled to 0 … 1) below which a window counts as flat. */
  readonly epsilon: number;
}

/** Buffers kept between calls, so that filtering many images leaves nothing to collect. Not for two calls at once. */
export class GuidedScratch {
  grey = new Float32Array(0);
  slopes = new Float32Array(0);
  offsets = new Float32Array(0);
  /** Sums over the window's rows, four per column, with `radius` empty columns on the left and as many on the right. */
  columns = new Float64Array(0);
  /** 1 / number of columns in the window, per column. */
  shares = new Float64Array(0);

  reserve({ width, height, radius }: GuidedFilterOptions): void {
    const pixels = width * height;
    if (this.grey.length < pixels) {
      this.grey = new Float32Array(pixels);
      this.slopes = new Float32Array(pixels);
      this.offsets = new Float32Array(pixels);
    }
    if (this.columns.length < 4 * (width + 2 * radius)) this.columns = new Float64Array(4 * (width + 2 * radius));
    if (this.shares.length < width) this.shares = new Float64Array(width);
    for (let x = 0; x < width; x++) this.shares[x] = 1 / windowLength(x, width, radius);
  }
}

/**
 * The smoothed coefficients: means, over the windows that hold a pixel, of each window's best line. The filtered map is
 * slope · guide + offset, with the guide scaled to 0 … 1.
 * @param map any range, [height, width], row-major
 * @param guide grey, 0 … 255, [height, width]
 */
export function guidedCoefficients(
  map: Float32Array,
  guide: Uint8Array,
  options: GuidedFilterOptions,
  scratch = new GuidedScratch(),
): GuidedCoefficients {
  const { width, height } = options;
  const pixels = width * height;
  if (map.length !== pixels || guide.length !== pixels) {
    throw new RangeError(`map of ${map.length} and guide of ${guide.length} pixels, expected ${width} x ${height}`);
  }
  scratch.reserve(options);
  for (let at = 0; at < pixels; at += width) scaleRow(guide, scratch.grey, at, at + width);
  fitWindows(map, options, scratch);
  const slope = new Float32Array(pixels);
  const offset = new Float32Array(pixels);
  smoothCoefficients(slope, offset, options, scratch);
  return { slope, offset };
}

function scaleRow(guide: Uint8Array, grey: Float32Array, from: number, to: number): void {
  for (let i = from; i < to; i++) grey[i] = guide[i]! / 255;
}

/**
 * The best line of each window: slope = cov(guide, map) / (var(guide) + epsilon), offset = mean map − slope · mean guide.
 * Sums over the window run along: each column gains a row below and loses one above, the window gains a column and loses one.
 */
function fitWindows(map: Float32Array, options: GuidedFilterOptions, scratch: GuidedScratch): void {
  const { height, radius } = options;
  scratch.columns.fill(0);
  for (let y = -radius; y < height; y++) {
    if (y + radius < height) addProducts(map, y + radius, 1, options, scratch);
    if (y > radius) addProducts(map, y - radius - 1, -1, options, scratch);
    if (y >= 0) fitRow(y, options, scratch);
  }
}

/** Adds (sign 1) or takes away (−1) one row of guide, map, guide · map and guide² to the column sums. */
function addProducts(
  map: Float32Array,
  y: number,
  sign: number,
  { width, radius }: GuidedFilterOptions,
  { grey, columns }: GuidedScratch,
): void {
  for (let x = 0, i = y * width, c = 4 * radius; x < width; x++, i++, c += 4) {
    const guide = grey[i]!;
    const signedGuide = guide * sign;
    const signedValue = map[i]! * sign;
    columns[c]! += signedGuide;
    columns[c + 1]! += signedValue;
    columns[c + 2]! += signedValue * guide;
    columns[c + 3]! += signedGuide * guide;
  }
}

function fitRow(y: number, { width, height, radius, epsilon }: GuidedFilterOptions, scratch: GuidedScratch): void {
  const { columns, shares, slopes, offsets } = scratch;
  const rowShare = 1 / windowLength(y, height, radius);
  let g = 0;
  let m = 0;
  let gm = 0;
  let gg = 0;
  for (let c = 0; c < 8 * radius; c += 4) {
    g += columns[c]!;
    m += columns[c + 1]!;
    gm += columns[c + 2]!;
    gg += columns[c + 3]!;
  }
  for (let x = 0, i = y * width, out = 0, c = 8 * radius; x < width; x++, i++, out += 4, c += 4) {
    g += columns[c]!;
    m += columns[c + 1]!;
    gm += columns[c + 2]!;
    gg += columns[c + 3]!;
    const share = rowShare * shares[x]!;
    const meanGuide = g * share;
    const meanMap = m * share;
    const slope = (gm * share - meanGuide * meanMap) / (gg * share - meanGuide * meanGuide + epsilon);
    slopes[i] = slope;
    offsets[i] = meanMap - slope * meanGuide;
    g -= columns[out]!;
    m -= columns[out + 1]!;
    gm -= columns[out + 2]!;
    gg -= columns[out + 3]!;
  }
}

/** Window means of slopes and offsets, by the same running sums. */
function smoothCoefficients(
  slope: Float32Array,
  offset: Float32Array,
  options: GuidedFilterOptions,
  scratch: GuidedScratch,
): void {
  const { height, radius } = options;
  scratch.columns.fill(0);
  for (let y = -radius; y < height; y++) {
    if (y + radius < height) addCoefficients(y + radius, 1, options, scratch);
    if (y > radius) addCoefficients(y - radius - 1, -1, options, scratch);
    if (y >= 0) smoothRow(y, slope, offset, options, scratch);
  }
}

function smoothRow(
  y: number,
  slope: Float32Array,
  offset: Float32Array,
  { width, height, radius }: GuidedFilterOptions,
  { columns, shares }: GuidedScratch,
): void {
  const rowShare = 1 / windowLength(y, height, radius);
  let a = 0;
  let b = 0;
  for (let c = 0; c < 4 * radius; c += 2) {
    a += columns[c]!;
    b += columns[c + 1]!;
  }
  for (let x = 0, i = y * width, out = 0, c = 4 * radius; x < width; x++, i++, out += 2, c += 2) {
    a += columns[c]!;
    b += columns[c + 1]!;
    slope[i] = a * rowShare * shares[x]!;
    offset[i] = b * rowShare * shares[x]!;
    a -= columns[out]!;
    b -= columns[out + 1]!;
  }
}

function addCoefficients(
  y: number,
  sign: number,
  { width, radius }: GuidedFilterOptions,
  { slopes, offsets, columns }: GuidedScratch,
): void {
  for (let x = 0, i = y * width, c = 2 * radius; x < width; x++, i++, c += 2) {
    columns[c]! += slopes[i]! * sign;
    columns[c + 1]! += offsets[i]! * sign;
  }
}

/** How many of the 2 · radius + 1 places around `at` lie within 0 … length − 1. */
const windowLength = (at: number, length: number, radius: number): number =>
  Math.min(at + radius, length - 1) - Math.max(at - radius, 0) + 1;
