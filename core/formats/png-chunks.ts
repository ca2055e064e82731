/**
 * A PNG file as a list of chunks (PNG specification, third edition, section 5).
 *
 * A file is an 8-byte signature, then chunks: length (4 bytes, big-endian), type (4 letters), data, CRC-32 over type and
 * data. The first is IHDR, the last IEND; a type with a capital first letter may not be skipped by a reader.
 */
import { PermanentError } from '../errors.ts';

const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

export interface PngChunk {
  /** Four letters, e.g. IDAT. */
  readonly type: string;
  readonly data: Uint8Array;
}

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? 0xedb88320 ^ (crc >>> 1) : crc >>> 1;
  return crc;
});

/** CRC-32 as in PNG, zip and gzip (polynomial 0xEDB88320, reflected). */
export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) crc = crcTable[(crc ^ bytes[i]!) & 255]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** The bytes of a PNG file with these chunks. */
export function writePng(chunks: readonly PngChunk[]): Uint8Array {
  const size = chunks.reduce((sum, { data }) => sum + 12 + data.length, signature.length);
  const file = new Uint8Array(size);
  const view = viewOf(file);
  file.set(signature);
  let at = signature.length;
  for (const { type, data } of chunks) {
    view.setUint32(at, data.length);
    for (let i = 0; i < 4; i++) file[at + 4 + i] = type.charCodeAt(i);
    file.set(data, at + 8);
    view.setUint32(at + 8 + data.length, crc32(file.subarray(at + 4, at + 8 + data.length)));
    at += 12 + data.length;
  }
  return file;
}

/** What a file that is no PNG seems to be, by its first bytes. */
function kindOfFile(bytes: Uint8Array): string {
  const starts = (...magic: number[]) => magic.every((byte, i) => bytes[i] === byte);
  if (bytes.length === 0) return 'is an empty file';
  if (starts(0xff, 0xd8)) return 'is a JPEG, which changes pixel values and cannot hold ids; save it as PNG';
  if (starts(0x47, 0x49, 0x46)) return 'is a GIF; save it as PNG';
  if (starts(0x52, 0x49, 0x46, 0x46)) return 'is a WebP or other RIFF file; save it as PNG';
  return 'is not a PNG file';
}

/**
 * The chunks of a PNG file up to IEND; what follows IEND is ignored.
 * @param name how messages call the file
 * @throws PermanentError if it is no PNG, ends early, or a chunk's CRC does not fit
 */
export function readPng(bytes: Uint8Array, name: string): PngChunk[] {
  if (!signature.every((byte, i) => bytes[i] === byte)) throw new PermanentError(`${name} ${kindOfFile(bytes)}`);
  const view = viewOf(bytes);
  const chunks: PngChunk[] = [];
  for (let at = signature.length; at + 12 <= bytes.length; ) {
    const end = at + 8 + view.getUint32(at);
    if (end + 4 > bytes.length) break;
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (crc32(bytes.subarray(at + 4, end)) !== view.getUint32(end)) {
      throw new PermanentError(
        `${name} is damaged: the checksum of its PNG chunk ${type} is wrong; copy the file again`,
      );
    }
    chunks.push({ type, data: bytes.subarray(at + 8, end) });
    if (type === 'IEND') return chunks;
    at = end + 4;
  }
  throw new PermanentError(`${name} is cut off: it ends after ${bytes.length} bytes without the end mark of a PNG`);
}
