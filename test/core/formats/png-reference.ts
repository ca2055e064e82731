/** A slow PNG writer straight from the specification, for every depth, filter and interlacing, to test the reader with. */
import { deflateSync, crc32 as zlibCrc32 } from 'node:zlib';

export interface ReferencePicture {
  width: number;
  height: number;
  depth: number;
  colourType: number;
  interlaced: boolean;
  /** Samples per pixel × pixels, each 0 … 2^depth − 1. */
  samples: number[];
  /** Filter type of each row, repeated. */
  filters: number[];
}

const channelsOf: Record<number, number> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

/** CRC by the bit-by-bit definition where this Node has none of its own. */
function crc(bytes: Uint8Array): number {
  if (typeof zlibCrc32 === 'function') return zlibCrc32(bytes);
  let value = 0xffffffff;
  for (const byte of bytes) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  }
  return (value ^ 0xffffffff) >>> 0;
}

export function chunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(data.length, 0);
  frame.writeUInt32BE(crc(body), 4);
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
}

export const pngSignature = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]);

export function header(width: number, height: number, depth: number, colourType: number, interlace = 0): Buffer {
  const data = Buffer.alloc(13);
  data.writeUInt32BE(width, 0);
  data.writeUInt32BE(height, 4);
  data.set([depth, colourType, 0, 0, interlace], 8);
  return chunk('IHDR', data);
}

/** The pass of Adam7 that each pixel of an 8 × 8 tile belongs to, as printed in the specification. */
const adam7Tile = ['16462646', '77777777', '56565656', '77777777', '36463646', '77777777', '56565656', '77777777'];

/** Rows of pixel numbers, pass by pass. */
function rowsOfPixels({ width, height, interlaced }: ReferencePicture): number[][][] {
  const passes = interlaced ? ['1', '2', '3', '4', '5', '6', '7'] : ['all'];
  return passes.map(pass => {
    const rows: number[][] = [];
    for (let y = 0; y < height; y++) {
      const row: number[] = [];
      for (let x = 0; x < width; x++) {
        if (pass === 'all' || adam7Tile[y % 8]![x % 8] === pass) row.push(y * width + x);
      }
      if (row.length > 0) rows.push(row);
    }
    return rows;
  });
}

function paeth(a: number, b: number, c: number): number {
  const p = a + b - c;
  const [pa, pb, pc] = [Math.abs(p - a), Math.abs(p - b), Math.abs(p - c)];
  return pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
}

function packRow(picture: ReferencePicture, pixels: number[]): number[] {
  const channels = channelsOf[picture.colourType]!;
  const bits = pixels
    .flatMap(pixel => picture.samples.slice(pixel * channels, (pixel + 1) * channels))
    .map(sample => sample.toString(2).padStart(picture.depth, '0'))
    .join('');
  return (bits.match(/.{1,8}/g) ?? []).map(byte => Number.parseInt(byte.padEnd(8, '0'), 2));
}

export function writeReferencePng(picture: ReferencePicture, extra: Buffer[] = [], idatPieces = 1): Uint8Array {
  const { width, height, depth, colourType, interlaced, filters } = picture;
  const bytesPerPixel = Math.max(1, (depth * channelsOf[colourType]!) / 8);
  const out: number[] = [];
  let rowNumber = 0;
  for (const rows of rowsOfPixels(picture)) {
    let above: number[] = [];
    for (const pixels of rows) {
      const line = packRow(picture, pixels);
      const type = filters[rowNumber++ % filters.length]!;
      const filtered = line.map((byte, i) => {
        const [a, b, c] = [line[i - bytesPerPixel] ?? 0, above[i] ?? 0, above[i - bytesPerPixel] ?? 0];
        const predicted = [0, a, b, Math.floor((a + b) / 2), paeth(a, b, c)][type]!;
        return (byte - predicted) & 255;
      });
      out.push(type, ...filtered);
      above = line;
    }
  }
  const packed = deflateSync(Uint8Array.from(out));
  const pieceLength = Math.ceil(packed.length / idatPieces);
  const pieces = Array.from({ length: idatPieces }, (_, i) =>
    chunk('IDAT', packed.subarray(i * pieceLength, (i + 1) * pieceLength)),
  );
  const top = header(width, height, depth, colourType, interlaced ? 1 : 0);
  return Buffer.concat([pngSignature, top, ...extra, ...pieces, chunk('IEND', new Uint8Array(0))]);
}
