/** A decoded picture: 8-bit RGB, as shown (EXIF orientation applied). */
export interface RgbImage {
  readonly width: number;
  readonly height: number;
  /** [height, width, 3], row-major, 0 … 255. */
  readonly data: Uint8Array;
}

/** Grey value per pixel (ITU-R BT.601 weights), 0 … 255. Shape [height, width]. */
export function greyOf({ width, height, data }: RgbImage): Uint8Array {
  const grey = new Uint8Array(width * height);
  for (let i = 0, j = 0; i < grey.length; i++, j += 3) {
    grey[i] = (data[j]! * 299 + data[j + 1]! * 587 + data[j + 2]! * 114 + 500) / 1000;
  }
  return grey;
}
