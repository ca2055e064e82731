/** A colour picture as a PNG file, for people to look at. */
import type { RgbImage } from '../image/rgb-image.ts';
import { writePng } from './png-chunks.ts';
import type { Deflate } from './png-index.ts';
import { toScanlines } from './png-scanlines.ts';

const rgb = 2;

export async function encodePicturePng({ width, height, data }: RgbImage, deflate: Deflate): Promise<Uint8Array> {
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, rgb, 0, 0, 0], 8);
  return writePng([
    { type: 'IHDR', data: header },
    { type: 'IDAT', data: await deflate(toScanlines(data, height), false) },
    { type: 'IEND', data: new Uint8Array(0) },
  ]);
}
