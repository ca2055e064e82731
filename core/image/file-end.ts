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

/** The directory of the first picture; writers often put it at the end. */
function tiffEndsEarly(bytes: Uint8Array): boolean {
  if (bytes.length < 8) return true;
  const little = bytes[0] === 0x49;
  const directory = viewOf(bytes).getUint32(4, little);
  if (directory + 2 > bytes.length) return true;
  return directory + 2 + 12 * viewOf(bytes).getUint16(directory, little) > bytes.length;
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

/** Formats without an entry state no length: there only the decoder can tell. */
const ends: Partial<Record<PhotoFormat, (bytes: Uint8Array) => boolean>> = {
  PNG: pngEndsEarly,
  WebP: riffEndsEarly,
  TIFF: tiffEndsEarly,
  AVIF: boxesEndEarly,
};

/** True where the file states more bytes than it has. False proves nothing. Meant to explain a decoder's failure, not to replace it. */
export const endsEarly = (bytes: Uint8Array, format: PhotoFormat): boolean => ends[format]?.(bytes) ?? false;
