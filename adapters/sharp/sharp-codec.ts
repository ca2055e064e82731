/** Pictures in and out, by sharp (libvips). */
import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';
import { constants, deflate, inflate, type ZlibOptions } from 'node:zlib';
import type { Metadata, Sharp } from 'sharp';
import { RejectedInput } from '#core/errors';
import type { PhotoKind } from '#core/image/file-kind';
import type { Size } from '#core/image/model-input';
import { resize } from '#core/image/resize';
import type { RgbImage } from '#core/image/rgb-image';
import { Turnstile } from '#core/turnstile';
import type { DecodedImage, ImageCodec } from '#pipeline/ports';
import { sharp } from './photo-loaders.ts';
import { assertDecodable, assertPhoto, pixelLimit, refusalOf } from './refusal.ts';

const deflateAsync = promisify<Uint8Array, ZlibOptions, Buffer>(deflate);
const inflateAsync = promisify<Uint8Array, { maxOutputLength: number }, Uint8Array>(inflate);

/** Only against files made to keep a decoder busy for ever: far longer than any photo takes. */
const decodeSeconds = 300;

/** Of Node's thread pool. */
const poolThreads = Number(process.env.UV_THREADPOOL_SIZE) || 4;

/** Raw pixels with 3 or 4 channels. */
interface Pixels extends Size {
  readonly data: Uint8Array;
  readonly channels: number;
}

/**
 * The port's promises kept with sharp. Shrinking happens in the decoder's thread, with JPEG's own reduction while at least a factor of two
 * is left to the filter; it differs a little from `core/image/resize` (the contract suite says by how much). Enlarging is done by
 * `core/image/resize` itself: libvips places enlarged pixels half a pixel off.
 */
export class SharpCodec implements ImageCodec {
  readonly #turnstile: Turnstile;

  /**
   * @param atOnce pictures worked on at the same time, one more than cores, so that none idles while results are handed over;
   * the others wait outside Node's thread pool, which reading files needs too
   */
  constructor(atOnce: number = Math.min(availableParallelism() + 1, poolThreads - 1)) {
    this.#turnstile = new Turnstile(atOnce);
  }

  decode(bytes: Uint8Array, size?: (shown: Size) => Size): Promise<DecodedImage> {
    return this.#turnstile.run(() => decode(bytes, size));
  }

  async resize(image: RgbImage, width: number, height: number): Promise<RgbImage> {
    if (!shrinks(image, { width, height })) return resize(image, width, height);
    const { data } = await this.#turnstile.run(() =>
      fromRaw(image).resize(width, height, filter).raw().toBuffer({ resolveWithObject: true }),
    );
    return { width, height, data: plain(data) };
  }

  async encodeJpeg(image: RgbImage, quality: number): Promise<Uint8Array> {
    return plain(await this.#turnstile.run(() => fromRaw(image).jpeg({ quality }).toBuffer()));
  }

  async deflate(bytes: Uint8Array, runs = false): Promise<Uint8Array> {
    return plain(await deflateAsync(bytes, runs ? { strategy: constants.Z_RLE } : {}));
  }

  /**
   * @param limit at least 1
   * @throws RejectedInput if the data is damaged or grows beyond the limit
   */
  async inflate(bytes: Uint8Array, limit: number): Promise<Uint8Array> {
    try {
      return plain(await inflateAsync(bytes, { maxOutputLength: limit }));
    } catch (failure) {
      const reason =
        failure instanceof RangeError ? `unpacks to more than ${limit} bytes` : 'its packed data is damaged';
      throw new RejectedInput(reason, { cause: failure });
    }
  }
}

const filter = { fit: 'fill', kernel: 'linear', fastShrinkOnLoad: false } as const;

const shrinks = (from: Size, to: Size): boolean => to.width <= from.width && to.height <= from.height;

const fromRaw = ({ width, height, data }: RgbImage) => sharp(data, { raw: { width, height, channels: 3 } });

/** A plain array of its own: a Buffer slices differently, and from Node 24 on the image library's memory cannot be moved to a thread. */
const plain = (buffer: Uint8Array): Uint8Array => new Uint8Array(buffer);

async function decode(bytes: Uint8Array, size: ((shown: Size) => Size) | undefined): Promise<DecodedImage> {
  const kind = assertPhoto(bytes);
  const header = await readHeader(bytes, kind);
  const { width, height } = header.autoOrient;
  assertDecodable({ width, height, depth: header.depth });
  const sizes = { shown: { width, height }, target: size?.({ width, height }) ?? { width, height } };
  const { pixels, damaged } = await readPixels(bytes, kind, sizes);
  const { image, transparent } = overWhite(pixels);
  return { image: exactly(image, sizes.target), width, height, notes: notesOn(header, transparent, damaged) };
}

/** Without a limit, since a header costs nothing and the reason shall name the size; the pixels are read with one. */
async function readHeader(bytes: Uint8Array, kind: PhotoKind): Promise<Metadata> {
  try {
    return await sharp(bytes, { limitInputPixels: false, failOn: 'error' }).metadata();
  } catch (failure) {
    throw refusalOf(failure, bytes, kind);
  }
}

interface Sizes {
  readonly shown: Size;
  readonly target: Size;
}

/** Strictly first; a file with flaws that every viewer overlooks is read as it is, and the flaw is told. */
async function readPixels(
  bytes: Uint8Array,
  kind: PhotoKind,
  sizes: Sizes,
): Promise<{ pixels: Pixels; damaged: boolean }> {
  const strict = await pixelsOf(bytes, sizes, 'warning').catch(() => undefined);
  if (strict) return { pixels: strict, damaged: false };
  try {
    return { pixels: await pixelsOf(bytes, sizes, 'error'), damaged: true };
  } catch (failure) {
    throw failure instanceof RejectedInput ? failure : refusalOf(failure, bytes, kind);
  }
}

/** At the target's size if that is no larger, else at full size. */
async function pixelsOf(bytes: Uint8Array, { shown, target }: Sizes, failOn: 'warning' | 'error'): Promise<Pixels> {
  const upright = sharp(bytes, { limitInputPixels: pixelLimit, failOn })
    .timeout({ seconds: decodeSeconds })
    .autoOrient();
  const sized = shrinks(shown, target) ? shrunk(upright, shown, target) : upright;
  const { data, info } = await sized
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  if (info.channels !== 3 && info.channels !== 4) {
    throw new RejectedInput(`a picture with ${info.channels} channels, not a photo in colour or grey`);
  }
  return { data: plain(data), width: info.width, height: info.height, channels: info.channels };
}

/**
 * The decoder's own shrinking (by 2, 4 or 8) rounds odd sides up, which stretches the picture by up to half a pixel of the result.
 * So it is used only where it keeps everything in place; otherwise a crop to the whole picture, which changes nothing, holds it back.
 */
function shrunk(picture: Sharp, shown: Size, { width, height }: Size): Sharp {
  const inPlace = shown.width % 8 === 0 && shown.height % 8 === 0;
  return (inPlace ? picture : picture.extract({ left: 0, top: 0, ...shown })).resize(width, height, filter);
}

const exactly = (image: RgbImage, { width, height }: Size): RgbImage =>
  image.width === width && image.height === height ? image : resize(image, width, height);

/** Drops the fourth channel, blending with white; `transparent` if that changed anything. */
function overWhite({ width, height, channels, data }: Pixels): { image: RgbImage; transparent: boolean } {
  if (channels === 3) return { image: { width, height, data }, transparent: false };
  const out = new Uint8Array(width * height * 3);
  let transparent = false;
  for (let p = 0, o = 0; p < data.length; p += 4, o += 3) {
    const alpha = data[p + 3]!;
    if (alpha < 255) transparent = true;
    const white = 255 * (255 - alpha) + 127;
    out[o] = (data[p]! * alpha + white) / 255;
    out[o + 1] = (data[p + 1]! * alpha + white) / 255;
    out[o + 2] = (data[p + 2]! * alpha + white) / 255;
  }
  return { image: { width, height, data: out }, transparent };
}

/** What was done to the picture that a person should know. */
function notesOn({ pages, space, depth, format }: Metadata, transparent: boolean, damaged: boolean): string[] {
  const notes: string[] = [];
  if (pages !== undefined && pages > 1) notes.push(`first of ${pages} ${format === 'tiff' ? 'pages' : 'frames'} taken`);
  if (space === 'cmyk') notes.push('CMYK converted to RGB');
  if (depth === 'ushort') notes.push('16 bits per channel reduced to 8');
  if (transparent) notes.push('transparency blended over white');
  if (damaged) notes.push('slightly damaged; decoded as far as possible');
  return notes;
}
