/**
 * PNG scanlines: from inflated bytes to ids and back (PNG specification, third edition, sections 7 to 9).
 *
 * Each row is one filter byte, then the packed samples. Filters predict a byte from its left (a), upper (b) and upper
 * left (c) neighbours, `bytes per pixel` apart. An interlaced file (Adam7) holds seven small pictures one after another.
 */
import { PermanentError } from '../errors.ts';
import { idOfCode } from '../labels/label-code.ts';

/** How pixels are stored. */
export interface PixelLayout {
  readonly width: number;
  readonly height: number;
  /** Bits per sample: 1, 2, 4, 8 or 16. */
  readonly depth: number;
  /** Samples per pixel: 1 grey or index, 2 grey with alpha, 3 RGB, 4 RGBA. */
  readonly channels: number;
  readonly interlaced: boolean;
}

/** A picture inside the file: which pixels it holds. */
interface Pass {
  readonly x: number;
  readonly y: number;
  readonly stepX: number;
  readonly stepY: number;
  readonly columns: number;
  readonly rows: number;
}

/** Adam7: first column, first row, column step, row step of each pass. */
const adam7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;

function passesOf({ width, height, interlaced }: PixelLayout): Pass[] {
  const grids = interlaced ? adam7 : [[0, 0, 1, 1] as const];
  const passes = grids.map(([x, y, stepX, stepY]) => ({
    ...{ x, y, stepX, stepY },
    columns: Math.ceil((width - x) / stepX),
    rows: Math.ceil((height - y) / stepY),
  }));
  return passes.filter(({ columns, rows }) => columns > 0 && rows > 0);
}

const rowBytes = ({ depth, channels }: PixelLayout, columns: number) => Math.ceil((columns * depth * channels) / 8);

/** Bytes of all scanlines of all passes, filter bytes included. */
export const scanlineBytes = (layout: PixelLayout): number =>
  passesOf(layout).reduce((sum, { columns, rows }) => sum + rows * (1 + rowBytes(layout, columns)), 0);

function paeth(a: number, b: number, c: number): number {
  const [toA, toB, toC] = [Math.abs(b - c), Math.abs(a - c), Math.abs(a + b - 2 * c)];
  if (toA <= toB && toA <= toC) return a;
  return toB <= toC ? b : c;
}

type Prediction = (a: number, b: number, c: number) => number;

/** What each filter type predicts; 0 predicts nothing and is not here. */
const predictions: Record<number, Prediction> = {
  1: a => a,
  2: (_, b) => b,
  3: (a, b) => (a + b) >> 1,
  4: paeth,
};

/** Undoes the filters of one pass in place. `start` is its first filter byte. */
function unfilter(raw: Uint8Array, start: number, rows: number, length: number, bytesPerPixel: number, name: string) {
  for (let row = 0; row < rows; row++) {
    const from = start + row * (length + 1) + 1;
    const type = raw[from - 1]!;
    if (type === 0) continue;
    const predict = predictions[type];
    if (!predict) throw new PermanentError(`${name} is damaged: PNG filter ${type} does not exist`);
    const above = row === 0 ? -1 : from - length - 1;
    for (let i = 0; i < length; i++) {
      const a = i < bytesPerPixel ? 0 : raw[from + i - bytesPerPixel]!;
      const b = above < 0 ? 0 : raw[above + i]!;
      const c = above < 0 || i < bytesPerPixel ? 0 : raw[above + i - bytesPerPixel]!;
      raw[from + i] = raw[from + i]! + predict(a, b, c);
    }
  }
}

/** A row of red, green and whatever else, pixel after pixel: by far the most of what is read, so in the plainest words. */
function readCodes(row: Uint8Array, channels: number, columns: number, out: Uint16Array, at: number): void {
  for (let i = 0, from = 0; i < columns; i++, from += channels) out[at + i] = idOfCode(row[from]!, row[from + 1]!);
}

/** Writes the ids of one unfiltered row to `out`, starting at `at`, `step` apart. */
function readRow(row: Uint8Array, layout: PixelLayout, columns: number, out: Uint16Array, at: number, step: number) {
  const { depth, channels } = layout;
  if (channels >= 3 && step === 1) {
    readCodes(row, channels, columns, out, at);
  } else if (channels >= 3) {
    for (let i = 0; i < columns; i++) out[at + i * step] = idOfCode(row[i * channels]!, row[i * channels + 1]!);
  } else if (depth === 16) {
    const stride = 2 * channels;
    for (let i = 0; i < columns; i++) out[at + i * step] = (row[i * stride]! << 8) | row[i * stride + 1]!;
  } else if (depth === 8) {
    for (let i = 0; i < columns; i++) out[at + i * step] = row[i * channels]!;
  } else {
    const mask = (1 << depth) - 1;
    for (let i = 0; i < columns; i++) {
      const bit = i * depth;
      out[at + i * step] = (row[bit >> 3]! >> (8 - depth - (bit & 7))) & mask;
    }
  }
}

/**
 * Ids of all pixels, row-major: the stored index or grey value, of RGB the label code.
 * @param raw `scanlineBytes(layout)` bytes; the filters are undone in place
 * @param name how messages call the file
 * @throws PermanentError if a filter type does not exist
 */
export function idsOfScanlines(raw: Uint8Array, layout: PixelLayout, name: string): Uint16Array {
  const ids = new Uint16Array(layout.width * layout.height);
  const bytesPerPixel = Math.max(1, (layout.depth * layout.channels) >> 3);
  let start = 0;
  for (const { x, y, stepX, stepY, columns, rows } of passesOf(layout)) {
    const length = rowBytes(layout, columns);
    unfilter(raw, start, rows, length, bytesPerPixel, name);
    for (let row = 0; row < rows; row++, start += length + 1) {
      const line = raw.subarray(start + 1, start + 1 + length);
      readRow(line, layout, columns, ids, (y + row * stepY) * layout.width + x, stepX);
    }
  }
  return ids;
}

/**
 * Scanlines of rows of whole bytes, none filtered: on real label maps deflate finds the runs itself, and the Up filter
 * made files 30 to 45 % larger.
 */
export function toScanlines(samples: Uint8Array, height: number): Uint8Array {
  const length = samples.length / height;
  const raw = new Uint8Array(samples.length + height);
  for (let row = 0; row < height; row++) {
    raw.set(samples.subarray(row * length, (row + 1) * length), row * (length + 1) + 1);
  }
  return raw;
}
