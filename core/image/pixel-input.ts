/** A decoded picture as a graph takes it: bytes in, and the graph makes planes of floats and the model's size of them. */
import { add, cast, concat, div, gather, mul, resize, shape, slice, split, sub, transpose } from '../graph/ops.ts';
import { input, integers, type Tensor } from '../graph/tensor.ts';
import type { ModelSizeRule, Size } from './model-input.ts';
import { modelSize } from './model-input.ts';
import type { RgbImage } from './rgb-image.ts';

export interface PixelInput {
  /** `pixels`, uint8 [1, height, width, 3], and `size`, int64 [2]: height and width for the model. */
  readonly inputs: readonly Tensor[];
  /** float32 [1, 3, size], RGB 0 … 255: bilinear, half-pixel centres, no antialiasing; exact where the size is the picture's own. */
  readonly image: Tensor;
}

/** Spares the main thread every pixel: sessions turn bytes into planes far faster. */
export function pixelInput(): PixelInput {
  const pixels = input('pixels', 'uint8', [1, 'H', 'W', 3]);
  const size = input('size', 'int64', [2]);
  const planes = cast(transpose(pixels, { perm: [0, 3, 1, 2] }), { to: 'float32' });
  const sizes = concat([integers([1, 3]), size], { axis: 0 });
  const image = resize(planes, { sizes }, { mode: 'linear', coordinate_transformation_mode: 'half_pixel' });
  return { inputs: [pixels, size], image };
}

/**
 * The square in the middle of [N,3,H,W], as torchvision's center_crop cuts it: half a pixel goes to the even side.
 * @param side no longer than the shorter side
 */
export function centreCrop(image: Tensor, side: number): Tensor {
  const number = (value: number) => integers([value], []);
  const spare = sub(slice(shape(image), { starts: [2], ends: [4] }), number(side));
  const half = div(spare, number(2));
  const odd = sub(spare, mul(half, number(2)));
  const uneven = sub(half, mul(div(half, number(2)), number(2)));
  const [top, left] = split(add(half, mul(odd, uneven)), { split: [1, 1] });
  const along = (x: Tensor, axis: number, from: Tensor) =>
    gather(x, add(integers(Array.from({ length: side }, (_, i) => i)), from), { axis });
  return along(along(image, 2, top!), 3, left!);
}

/**
 * The size to decode a picture to: the model's, or the picture's own where a side would have to grow, because that is
 * done in the graph.
 */
export function decodeSize(shown: Size, rule: ModelSizeRule): Size {
  const wanted = modelSize(shown, rule);
  return wanted.width > shown.width || wanted.height > shown.height ? shown : wanted;
}

/** Values for `pixelInput`. @param shown size of the picture before any shrinking: it decides the model's size. @param data moved to the session */
export function pixelFeeds({ width, height, data }: RgbImage, shown: Size, rule: ModelSizeRule) {
  const wanted = modelSize(shown, rule);
  const size = BigInt64Array.of(BigInt(wanted.height), BigInt(wanted.width));
  return {
    pixels: { type: 'uint8', dims: [1, height, width, 3], data },
    size: { type: 'int64', dims: [2], data: size },
  } as const;
}
