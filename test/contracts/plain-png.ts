/** A PNG writer straight from the specification (W3C PNG, third edition), so that decoders are tested against something that is not theirs. */
import { crc32, deflateSync } from 'node:zlib';

/** PNG colour types by channels. */
const colourTypes = [0, 0, 4, 2, 6] as const;

export interface PlainPicture {
  readonly width: number;
  readonly height: number;
  /** 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha. */
  readonly channels: 1 | 2 | 3 | 4;
  /** One number per channel, 0 … 255 or, with `bits` 16, 0 … 65535. */
  readonly data: ArrayLike<number>;
  readonly bits?: 8 | 16;
}

/** Bytes of a PNG without filters. */
export function plainPng({ width, height, channels, data, bits = 8 }: PlainPicture): Uint8Array {
  const rowBytes = (width * channels * bits) / 8;
  const rows = Buffer.alloc(height * (1 + rowBytes));
  for (let i = 0; i < width * height * channels; i++) {
    const y = Math.floor(i / (width * channels));
    const place = y * (1 + rowBytes) + 1 + ((i % (width * channels)) * bits) / 8;
    if (bits === 16) rows.writeUInt16BE(data[i]!, place);
    else rows[place] = data[i]!;
  }
  return framed(width, height, bits, colourTypes[channels]!, rows);
}

/** A tiny file that claims to be this large. */
export const boastingPng = (width: number, height: number): Uint8Array => framed(width, height, 8, 0, Buffer.alloc(9));

function framed(width: number, height: number, bits: number, colourType: number, rows: Uint8Array): Uint8Array {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = bits;
  header[9] = colourType;
  const chunks = [chunk('IHDR', header), chunk('IDAT', deflateSync(rows)), chunk('IEND', Buffer.alloc(0))];
  return Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), ...chunks]);
}

/** Length, name, data, checksum of name and data. */
function chunk(name: string, data: Uint8Array): Buffer {
  const named = Buffer.concat([Buffer.from(name, 'latin1'), data]);
  const whole = Buffer.alloc(named.length + 8);
  whole.writeUInt32BE(data.length, 0);
  named.copy(whole, 4);
  whole.writeUInt32BE(crc32(named), named.length + 4);
  return whole;
}
