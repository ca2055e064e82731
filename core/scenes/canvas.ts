/** A picture while it is painted: numbers, not yet bytes. */
import type { RgbImage } from '#core/image/rgb-image';
import type { Colour } from './colour.ts';

export interface Canvas {
  readonly width: number;
  readonly height: number;
  /** [height, width, 3], 0 … 255, not rounded. */
  readonly data: Float32Array;
}

export const blankCanvas = (width: number, height: number): Canvas => ({
  width,
  height,
  data: new Float32Array(width * height * 3),
});

/** Paints one pixel, `cover` (0 … 1) of it, in a colour brightened or darkened by `shade`. */
export function blend({ data }: Canvas, pixel: number, colour: Colour, cover: number, shade = 1): void {
  const p = pixel * 3;
  data[p]! += (colour[0] * shade - data[p]!) * cover;
  data[p + 1]! += (colour[1] * shade - data[p + 1]!) * cover;
  data[p + 2]! += (colour[2] * shade - data[p + 2]!) * cover;
}

export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** The pixels around a point that lie on the canvas; right and bottom are not included. */
export const boxAround = ({ width, height }: Canvas, x: number, y: number, reach: number): Box => ({
  left: Math.max(Math.floor(x - reach), 0),
  top: Math.max(Math.floor(y - reach), 0),
  right: Math.min(Math.ceil(x + reach) + 1, width),
  bottom: Math.min(Math.ceil(y + reach) + 1, height),
});

/** Rounded and clamped to bytes. */
export const toImage = ({ width, height, data }: Canvas): RgbImage => ({
  width,
  height,
  data: new Uint8Array(new Uint8ClampedArray(data).buffer),
});
