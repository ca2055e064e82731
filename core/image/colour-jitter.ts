/** Changes of a picture's colours, as torchvision and Pillow define them: mixes with black, grey or the mean, and a turn of hue. */
import { greyOf, type RgbImage } from './rgb-image.ts';

/** Each byte as a mix of `other` and itself: other + factor · (own − other), cut to a byte. */
function mixed(image: RgbImage, factor: number, other: (pixel: number) => number): RgbImage {
  const data = new Uint8ClampedArray(image.data.length);
  for (let p = 0, i = 0; i < data.length; p++) {
    const base = other(p) * (1 - factor);
    for (let c = 0; c < 3; c++, i++) data[i] = Math.trunc(Math.max(0, base + factor * image.data[i]!));
  }
  return { ...image, data: new Uint8Array(data.buffer) };
}

/** Factor 0 is black, 1 the picture. */
export const adjustBrightness = (image: RgbImage, factor: number): RgbImage => mixed(image, factor, () => 0);

/** Factor 0 is the mean grey everywhere, 1 the picture. */
export function adjustContrast(image: RgbImage, factor: number): RgbImage {
  const grey = greyOf(image);
  const mean = Math.trunc(grey.reduce((sum, value) => sum + value, 0) / grey.length + 0.5);
  return mixed(image, factor, () => mean);
}

/** Factor 0 is the grey picture, 1 the picture. */
export function adjustSaturation(image: RgbImage, factor: number): RgbImage {
  const grey = greyOf(image);
  return mixed(image, factor, pixel => grey[pixel]!);
}

/** The grey picture in three channels. */
export const toGrey = (image: RgbImage): RgbImage => adjustSaturation(image, 0);

/**
 * Turns every colour along the circle of hues; lightest and darkest channel stay, so value and chroma do.
 * @param turns 1 is once around
 */
export function shiftHue(image: RgbImage, turns: number): RgbImage {
  const data = new Uint8Array(image.data.length);
  for (let i = 0; i < data.length; i += 3) {
    const [r, g, b] = [image.data[i]!, image.data[i + 1]!, image.data[i + 2]!];
    const high = Math.max(r, g, b);
    const chroma = high - Math.min(r, g, b);
    const hue = chroma === 0 ? 0 : hueOf(r, g, b, high, chroma) + 6 * turns;
    data[i] = Math.round(channel(high, chroma, hue, 5));
    data[i + 1] = Math.round(channel(high, chroma, hue, 3));
    data[i + 2] = Math.round(channel(high, chroma, hue, 1));
  }
  return { ...image, data };
}

/** In sixths of the circle from red. */
function hueOf(r: number, g: number, b: number, high: number, chroma: number): number {
  if (high === r) return (g - b) / chroma;
  return high === g ? 2 + (b - r) / chroma : 4 + (r - g) / chroma;
}

/** One channel of a colour from hue, value and chroma. @param offset 5 red, 3 green, 1 blue */
function channel(high: number, chroma: number, hue: number, offset: number): number {
  const k = (((offset + hue) % 6) + 6) % 6;
  return high - chroma * Math.max(0, Math.min(k, 4 - k, 1));
}
