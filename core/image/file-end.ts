/** Whether a picture file ends before it should, by the lengths that it states itself. */
import type { PhotoFormat } from './file-kind.ts';

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Chunks of length, name, data, checksum, up to IEND. */
function pngEndsEarly(bytes: Uint8Array): boolean {
  const view = viewOf(bytes);
  for (let p = 8; p + 12 <= bytes.length; p += 12 + view.getUint32(p)) {
    if (view.getUint32(p + 4) === 0x49454e44) return false;
  }
  return true;
}

const riffEndsEarly = (bytes: Uint8Array): boolean =>
  bytes.length < 12 || viewOf(bytes).getUint32(4, true) + 8 > bytes.length;

/** Where the strips or tiles of a TIFF lie and how long they are: pairs of tags (TIFF 6.0, sections 3 and 15). */
const tiffPieces = [
  [273, 279],
  [324, 325],
] as const;

/** Bytes of one number of each TIFF type, by its code. */
const tiffSizes = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8];

/** The directory of the first picture, which writers often put at the end, the values it leads to and the pieces it names. */
function tiffEndsEarly(bytes: Uint8Array): boolean {
  if (bytes.length < 8) return true;
  const view = viewOf(bytes);
  const little = bytes[0] === 0x49;
  const directory = view.getUint32(4, little);
  if (directory + 2 > bytes.length) return true;
  const end = directory + 2 + 12 * view.getUint16(directory, little);
  if (end > bytes.length) return true;
  const valuesOf = new Map<number, readonly number[]>();
  for (let at = directory + 2; at < end; at += 12) {
    const values = tiffValues(view, at, little);
    if (!values) return true;
    valuesOf.set(view.getUint16(at, little), values);
  }
  return tiffPieces.some(([places, lengths]) => {
    const sizes = valuesOf.get(lengths) ?? [];
    return valuesOf.get(places)?.some((start, i) => start + (sizes[i] ?? 0) > bytes.length);
  });
}

/** The values of a directory's entry if they are 16- or 32-bit numbers, else none; undefined if they lie beyond the file. */
function tiffValues(view: DataView, entry: number, little: boolean): number[] | undefined {
  const type = view.getUint16(entry + 2, little);
  const size = tiffSizes[type] ?? 1;
  const count = view.getUint32(entry + 4, little);
  const start = size * count <= 4 ? entry + 8 : view.getUint32(entry + 8, little);
  if (start + size * count > view.byteLength) return undefined;
  if (type !== 3 && type !== 4) return [];
  const read = (at: number) => (type === 3 ? view.getUint16(at, little) : view.getUint32(at, little));
  return Array.from({ length: count }, (_, i) => read(start + size * i));
}

/** Boxes of length and name; 0 means "to the end", 1 that a 64-bit length follows. */
function boxesEndEarly(bytes: Uint8Array): boolean {
  const view = viewOf(bytes);
  let p = 0;
  while (p + 8 <= bytes.length) {
    let length = view.getUint32(p);
    if (length === 0) return false;
    if (length === 1) length = p + 16 <= bytes.length ? Number(view.getBigUint64(p + 8)) : Number.POSITIVE_INFINITY;
    if (length < 8) return false;
    p += length;
  }
  return p !== bytes.length;
}

/** Segments of marker and length up to the pixels, then their packed data, up to the marker of the end (ITU-T T.81, B.1). */
function jpegEndsEarly(bytes: Uint8Array): boolean {
  const view = viewOf(bytes);
  let p = 2;
  while (p + 2 <= bytes.length) {
    if (bytes[p] !== 0xff) p++;
    else {
      const marker = bytes[p + 1]!;
      if (marker === 0xd9) return false;
      // A filler, a stuffed zero, a restart: none has a length.
      const bare = marker === 0xff || marker === 0 || marker === 1 || (marker >= 0xd0 && marker <= 0xd8);
      if (bare) p += marker === 0xff ? 1 : 2;
      else p += p + 4 <= bytes.length ? 2 + view.getUint16(p + 2) : 4;
    }
  }
  return true;
}

/** Blocks up to the trailer; each holds data in pieces of up to 255 bytes, the last of which is empty (GIF89a, appendix B). */
function gifEndsEarly(bytes: Uint8Array): boolean {
  const tableBytes = (flags: number | undefined) => (flags! & 0x80 ? 3 * 2 ** ((flags! & 7) + 1) : 0);
  let p = 13 + tableBytes(bytes[10]);
  while (p < bytes.length) {
    const kind = bytes[p];
    if (kind !== 0x21 && kind !== 0x2c) return false;
    p += kind === 0x21 ? 2 : 11 + tableBytes(bytes[p + 9]);
    while (p < bytes.length && bytes[p] !== 0) p += 1 + bytes[p]!;
    p++;
  }
  return true;
}

const ends: Record<PhotoFormat, (bytes: Uint8Array) => boolean> = {
  JPEG: jpegEndsEarly,
  GIF: gifEndsEarly,
  PNG: pngEndsEarly,
  WebP: riffEndsEarly,
  TIFF: tiffEndsEarly,
  AVIF: boxesEndEarly,
};

/** True where the file states more bytes than it has. False proves nothing. Meant to explain a decoder's failure, not to replace it. */
export const endsEarly = (bytes: Uint8Array, format: PhotoFormat): boolean => ends[format](bytes);
