/** A decoded picture: 8-bit RGB, as shown (EXIF orientation applied). */
export interface RgbImage {
  readonly width: number;
  readonly height: number;
  /** [height, width, 3], row-major, 0 … 255. */
  readonly data: Uint8Array;
}

/** Grey value per pixel (ITU-R BT.601 weights in 16 bits), 0 … 255. Shape [height, width]. @param into its place; a new array by default */
export function greyOf(
  { width, height, data }: RgbImage,
  into: Uint8Array = new Uint8Array(width * height),
): Uint8Array {
  for (let y = 0; y < height; y++) greyRow(data, into, y * width, (y + 1) * width);
  return into;
}

/** Row by row: a small function that is called often is compiled sooner than a long loop. */
function greyRow(data: Uint8Array, into: Uint8Array, from: number, to: number): void {
  for (let i = from, j = 3 * from; i < to; i++, j += 3) {
    into[i] = (data[j]! * 19595 + data[j + 1]! * 38470 + data[j + 2]! * 7471 + 32768) >> 16;
  }
}
