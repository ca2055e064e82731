/**
 * Label maps as PNG files: pixel value = id, read from any PNG that can hold ids, written in the few forms we use.
 *
 * | form       | pixel                              | holds        |
 * |------------|------------------------------------|--------------|
 * | palette    | 8-bit index = id, our palette      | 0 … 255      |
 * | 16-bit grey| grey value = id                    | 0 … 65535    |
 * | ImageNet-S | RGB, id = R + 256·G, B = 0         | 0 … 65535    |
 * | overlay    | coloured, 0 transparent; no ids    | for the eye  |
 */
import { PermanentError } from '../errors.ts';
import { codeOfId } from '../labels/label-code.ts';
import type { LabelMap } from '../labels/label-map.ts';
import { type Colour, colourOf, type Palette } from '../labels/palette.ts';
import { presentIds } from '../labels/present-ids.ts';
import { type PngChunk, readPng, writePng } from './png-chunks.ts';
import { idsOfScanlines, type PixelLayout, scanlineBytes, toScanlines } from './png-scanlines.ts';

/** zlib's inflate, refusing to grow beyond `limit` bytes. */
export type Inflate = (bytes: Uint8Array, limit: number) => Promise<Uint8Array>;
/** zlib's deflate (with the zlib header, not gzip). @param runs the bytes come in runs of equal ones */
export type Deflate = (bytes: Uint8Array, runs: boolean) => Promise<Uint8Array>;

/** How ids were stored: palette index, grey of 1 to 8 or of 16 bits, or the label code in red and green. */
export type IndexPngKind = 'index8' | 'grey8' | 'grey16' | 'rgb';

export interface IndexPng {
  readonly width: number;
  readonly height: number;
  /** [height, width], row-major. */
  readonly ids: Uint16Array;
  readonly kind: IndexPngKind;
}

/** More pixels than this are refused before anything is unpacked. */
export const largestPixelCount = 50_000_000;

/** Colour type of the file → samples per pixel, and the bit depths that can hold ids. */
const colourTypes: Record<number, { name: string; channels: number; depths: readonly number[] }> = {
  0: { name: 'grey', channels: 1, depths: [1, 2, 4, 8, 16] },
  2: { name: 'RGB', channels: 3, depths: [8] },
  3: { name: 'palette', channels: 1, depths: [1, 2, 4, 8] },
  4: { name: 'grey with alpha', channels: 2, depths: [8, 16] },
  6: { name: 'RGBA', channels: 4, depths: [8] },
};

/** Reads IHDR. @throws PermanentError if the file is too large or of a form that cannot hold ids */
function parseHeader(chunk: PngChunk | undefined, name: string): { layout: PixelLayout; kind: IndexPngKind } {
  if (chunk?.type !== 'IHDR' || chunk.data.length !== 13) throw new PermanentError(`${name} is damaged: no PNG header`);
  const view = new DataView(chunk.data.buffer, chunk.data.byteOffset, 13);
  const [width, height] = [view.getUint32(0), view.getUint32(4)];
  if (width === 0 || height === 0) throw new PermanentError(`${name} is damaged: its size is ${width}×${height}`);
  if (width * height > largestPixelCount) {
    throw new PermanentError(`${name} has ${width}×${height} pixels; at most ${largestPixelCount} are read`);
  }
  const [depth, type, compression, filter, interlace] = [...chunk.data.subarray(8)];
  const form = colourTypes[type!];
  if (!form || compression !== 0 || filter !== 0 || interlace! > 1) {
    throw new PermanentError(`${name} is damaged: its PNG header makes no sense`);
  }
  if (!form.depths.includes(depth!)) {
    throw new PermanentError(
      `${name} is a ${depth}-bit ${form.name} PNG, which cannot hold ids; save it with a palette, as grey, or as 8-bit RGB with id = R + 256·G`,
    );
  }
  const kind = type === 3 ? 'index8' : form.channels >= 3 ? 'rgb' : depth === 16 ? 'grey16' : 'grey8';
  return { layout: { width, height, depth: depth!, channels: form.channels, interlaced: interlace === 1 }, kind };
}

/** Size as the file's first bytes claim it; undefined where they are no PNG's. */
export function pngSize(bytes: Uint8Array): { width: number; height: number } | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // Signature, then the length and name of the header chunk, then width and height.
  if (bytes.length < 24 || view.getUint32(0) !== 0x89504e47 || view.getUint32(12) !== 0x49484452) return undefined;
  return { width: view.getUint32(16), height: view.getUint32(20) };
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** The pixel data of a file, unpacked. @throws PermanentError if it is missing, damaged, or of another length */
async function inflatePixels(chunks: readonly PngChunk[], length: number, inflate: Inflate, name: string) {
  const parts = chunks.filter(({ type }) => type === 'IDAT').map(({ data }) => data);
  let raw: Uint8Array;
  try {
    raw = await inflate(concatenate(parts), length);
  } catch (cause) {
    throw new PermanentError(`${name} is damaged: its pixels cannot be unpacked; copy the file again`, { cause });
  }
  if (raw.length !== length) {
    throw new PermanentError(`${name} is damaged: ${raw.length} bytes of pixels where ${length} belong`);
  }
  return raw;
}

/**
 * Ids of a PNG: the stored palette index or grey value (never scaled), of RGB and RGBA R + 256·G. Alpha is ignored.
 * Adam7 interlacing is understood, checksums are checked.
 * @param inflate zlib's inflate, as in the `ImageCodec` port
 * @param name how messages call the file
 * @throws PermanentError if the file is no PNG, is damaged, has more than 50 million pixels, or cannot hold ids
 */
export async function decodeIndexPng(bytes: Uint8Array, inflate: Inflate, name = 'the mask'): Promise<IndexPng> {
  const chunks = readPng(bytes, name);
  const { layout, kind } = parseHeader(chunks[0], name);
  const raw = await inflatePixels(chunks, scanlineBytes(layout), inflate, name);
  return { width: layout.width, height: layout.height, ids: idsOfScanlines(raw, layout, name), kind };
}

interface Picture {
  readonly width: number;
  readonly height: number;
  readonly depth: 8 | 16;
  /** PNG colour type: 0 grey, 2 RGB, 3 palette, 6 RGBA. */
  readonly colourType: 0 | 2 | 3 | 6;
  /** Rows of whole bytes, one after another. */
  readonly samples: Uint8Array;
  /** Chunks between header and pixels. */
  readonly between?: readonly PngChunk[];
}

async function encodePicture(picture: Picture, deflate: Deflate): Promise<Uint8Array> {
  const { width, height, depth, colourType, samples, between = [] } = picture;
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([depth, colourType, 0, 0, 0], 8);
  // One byte per pixel: on real label maps, runs alone pack as small as everything deflate can find (1,515 bytes beside 1,526).
  const oneByte = depth === 8 && (colourType === 0 || colourType === 3);
  const data = await deflate(toScanlines(samples, height), oneByte);
  return writePng([
    { type: 'IHDR', data: header },
    ...between,
    { type: 'IDAT', data },
    { type: 'IEND', data: new Uint8Array(0) },
  ]);
}

/** Largest id in a label map. */
export function highestId({ data }: LabelMap): number {
  let highest = 0;
  for (let i = 0; i < data.length; i++) if (data[i]! > highest) highest = data[i]!;
  return highest;
}

const paletteChunk = (colours: readonly Colour[]): PngChunk => ({
  type: 'PLTE',
  data: Uint8Array.from(colours.flat()),
});

const coloursUpTo = (highest: number, palette: Palette): Colour[] =>
  Array.from({ length: highest + 1 }, (_, id) => palette(id));

export interface IndexPngOptions {
  readonly deflate: Deflate;
  /**
   * Largest id of the whole set of maps (K), so that all its files have one form: up to 255 palette, above 16-bit grey.
   * Default: the largest id of this map. A map with a larger id is refused.
   */
  readonly highest?: number;
  /** Colour of each id in a palette file. @default the fixed palette */
  readonly palette?: Palette;
}

/** A label map as PNG with pixel value = id: 8-bit palette if `highest` ≤ 255, else 16-bit grey. @throws RangeError if an id exceeds `highest` */
export async function encodeIndexPng(map: LabelMap, options: IndexPngOptions): Promise<Uint8Array> {
  const { deflate, highest = highestId(map), palette = colourOf } = options;
  const { width, height, data } = map;
  if (highestId(map) > highest) throw new RangeError(`the label map holds id ${highestId(map)}, above ${highest}`);
  if (highest > 255) {
    const samples = new Uint8Array(data.length * 2);
    const view = new DataView(samples.buffer);
    for (let i = 0; i < data.length; i++) view.setUint16(2 * i, data[i]!);
    return encodePicture({ width, height, depth: 16, colourType: 0, samples }, deflate);
  }
  const between = [paletteChunk(coloursUpTo(highest, palette))];
  return encodePicture({ width, height, depth: 8, colourType: 3, samples: new Uint8Array(data), between }, deflate);
}

/** A label map as the RGB PNG of ImageNet-S: id = R + 256·G. */
export async function encodeImageNetSPng({ width, height, data }: LabelMap, deflate: Deflate): Promise<Uint8Array> {
  const samples = new Uint8Array(data.length * 3);
  for (let i = 0; i < data.length; i++) {
    const [red, green] = codeOfId(data[i]!);
    samples[3 * i] = red;
    samples[3 * i + 1] = green;
  }
  return encodePicture({ width, height, depth: 8, colourType: 2, samples }, deflate);
}

export interface OverlayOptions {
  readonly deflate: Deflate;
  /** 0 invisible … 255 opaque. Id 0 is always invisible. */
  readonly alpha: number;
  /** @default the fixed palette */
  readonly palette?: Palette;
}

/** A label map in colours on a transparent ground, to lay over its photo. Pixel values are no ids. */
export async function encodeOverlayPng(map: LabelMap, options: OverlayOptions): Promise<Uint8Array> {
  const { deflate, alpha, palette = colourOf } = options;
  const { width, height, data } = map;
  const present = presentIds(map);
  if (present.length > 255) return encodeRgbaOverlay(map, present, options);
  const index = new Uint8Array(65536);
  for (const [i, id] of present.entries()) index[id] = i + 1;
  const samples = new Uint8Array(data.length);
  for (let i = 0; i < data.length; i++) samples[i] = index[data[i]!]!;
  const colours = [palette(0), ...present.map(palette)];
  const opacity = new Uint8Array(colours.length).fill(alpha, 1);
  const between = [paletteChunk(colours), { type: 'tRNS', data: opacity }];
  return encodePicture({ width, height, depth: 8, colourType: 3, samples, between }, deflate);
}

/** For more ids in one picture than a palette holds. */
function encodeRgbaOverlay(map: LabelMap, present: readonly number[], options: OverlayOptions): Promise<Uint8Array> {
  const { deflate, alpha, palette = colourOf } = options;
  const { width, height, data } = map;
  const pixels = new Map(present.map(id => [id, Uint8Array.of(...palette(id), alpha)]));
  const samples = new Uint8Array(data.length * 4);
  for (let i = 0; i < data.length; i++) if (data[i] !== 0) samples.set(pixels.get(data[i]!)!, 4 * i);
  return encodePicture({ width, height, depth: 8, colourType: 6, samples }, deflate);
}
