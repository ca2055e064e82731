/** The size and the numbers in which a picture enters a model. */
import type { RgbImage } from './rgb-image.ts';

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** How large a picture is when the model sees it. */
export interface ModelSizeRule {
  /** Length of the shorter side, in pixels. */
  readonly shorterSide: number;
  /** Both sides become a multiple of this (the stride of the coarsest feature map). */
  readonly multiple: number;
  /** No side grows beyond this; a very long picture is squeezed rather than cropped. */
  readonly longestSide: number;
}

/** The product's own rule: sides that a stride of 32 divides, bounded memory for panoramas. */
export const productSizeRule: ModelSizeRule = { shorterSide: 256, multiple: 32, longestSide: 1024 };

/** The method's rule (`inference_cluster`): shorter side 256, longer side int(256 · long / short), no bound. */
export const methodSizeRule: ModelSizeRule = {
  shorterSide: 256,
  multiple: 1,
  longestSide: Number.POSITIVE_INFINITY,
};

/**
 * Size for the model: the shorter side as in the rule, the other keeping the aspect, each rounded to the nearest multiple
 * (at least one) and capped. With multiple 1 the longer side is rounded down, as the method does.
 * @throws RangeError if a side is not positive or the rule leaves no room for one multiple
 */
export function modelSize({ width, height }: Size, rule: ModelSizeRule): Size {
  if (!(width > 0 && height > 0)) throw new RangeError(`no size for a picture of ${width} × ${height}`);
  if (rule.longestSide < rule.multiple) {
    throw new RangeError(`longest side ${rule.longestSide} is below one multiple of ${rule.multiple}`);
  }
  const short = Math.min(width, height);
  const scaled = (side: number) => toMultiple((rule.shorterSide * side) / short, rule);
  return { width: scaled(width), height: scaled(height) };
}

function toMultiple(side: number, { multiple, longestSide }: ModelSizeRule): number {
  const count = multiple === 1 ? Math.trunc(side) : Math.round(side / multiple);
  return Math.max(Math.min(count, Math.floor(longestSide / multiple)), 1) * multiple;
}

/**
 * One picture as a model takes it: RGB planes, 0 … 255, no normalisation (that lies inside the model).
 * @param into where the 3 · height · width numbers go, from `offset` on: lets a batch be filled picture by picture
 * @returns [1, 3, height, width] by default
 */
export function toNchw(
  { width, height, data }: RgbImage,
  into: Float32Array = new Float32Array(3 * width * height),
  offset = 0,
): Float32Array {
  const plane = width * height;
  if (offset + 3 * plane > into.length) {
    throw new RangeError(`a picture of ${width} × ${height} at ${offset} does not fit into ${into.length} numbers`);
  }
  for (let i = 0, p = 0, o = offset; i < plane; i++, p += 3, o++) {
    into[o] = data[p]!;
    into[o + plane] = data[p + 1]!;
    into[o + 2 * plane] = data[p + 2]!;
  }
  return into;
}
