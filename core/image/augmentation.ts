/** Random views of one picture for training: crop, flip, colours, grey, blur (method 1.6, 3.1, 5.4), drawn first and applied then. */
import type { LabelMap } from '#core/labels/label-map';
import type { Random } from '#core/random';
import { blur } from './blur.ts';
import { adjustBrightness, adjustContrast, adjustSaturation, shiftHue, toGrey } from './colour-jitter.ts';
import type { Size } from './model-input.ts';
import { resize, resizeLabelMap } from './resize.ts';
import type { RgbImage } from './rgb-image.ts';

export interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

type Range = readonly [low: number, high: number];

/** What may happen to a picture, and how likely. Nothing that is left out happens. */
export interface AugmentationRules {
  /** Share of the picture's area that a crop takes. */
  readonly scale: Range;
  /** Width by height of a crop. */
  readonly ratio: Range;
  readonly flip: number;
  readonly jitter?: {
    readonly probability: number;
    readonly brightness: number;
    readonly contrast: number;
    readonly saturation: number;
    /** In turns of the colour circle, at most 0.5. */
    readonly hue: number;
  };
  readonly grey?: number;
  readonly blur?: { readonly probability: number; readonly radius: Range };
}

const ratio: Range = [3 / 4, 4 / 3];
const colours = {
  jitter: { probability: 0.8, brightness: 0.8, contrast: 0.8, saturation: 0.8, hue: 0.2 },
  grey: 0.2,
  blur: { probability: 0.5, radius: [0.1, 2] },
} as const;

/** Two views of one picture that are told to be alike (method 1.6, scale as in 2.3). */
export const contrastiveAugmentation: AugmentationRules = { scale: [0.08, 1], ratio, flip: 0.5, ...colours };
/** Training on pseudo labels as published: no colours (method 3.1). */
export const publishedAugmentation: AugmentationRules = { scale: [0.08, 1], ratio, flip: 0.5 };
/** Training on a few given masks (method 5.4). */
export const semiSupervisedAugmentation: AugmentationRules = { scale: [0.14, 1], ratio, flip: 0.5, ...colours };

export type ColourChange =
  | { readonly kind: 'brightness' | 'contrast' | 'saturation'; readonly factor: number }
  | { readonly kind: 'hue'; readonly turns: number };

/** One view, settled. */
export interface Augmentation {
  readonly crop: Rectangle;
  readonly flip: boolean;
  /** In the order in which they are made. */
  readonly colours: readonly ColourChange[];
  readonly grey: boolean;
  /** Standard deviation in pixels of the view. */
  readonly blur?: number | undefined;
}

const between = (random: Random, [low, high]: Range) => low + (high - low) * random.uniform();

/** The largest crop in the middle whose ratio is allowed. */
function middle({ width, height }: Size, [low, high]: Range): Rectangle {
  const own = width / height;
  const size =
    own < low
      ? { width, height: Math.min(height, Math.round(width / low)) }
      : { width: own > high ? Math.min(width, Math.round(height * high)) : width, height };
  return { x: (width - size.width) >> 1, y: (height - size.height) >> 1, ...size };
}

/** As torchvision's RandomResizedCrop: ten tries with an area and a ratio even on the logarithm, then the middle. */
export function drawCrop(random: Random, size: Size, rules: Pick<AugmentationRules, 'scale' | 'ratio'>): Rectangle {
  const [low, high] = rules.ratio;
  for (let i = 0; i < 10; i++) {
    const area = size.width * size.height * between(random, rules.scale);
    const aspect = Math.exp(between(random, [Math.log(low), Math.log(high)]));
    const width = Math.round(Math.sqrt(area * aspect));
    const height = Math.round(Math.sqrt(area / aspect));
    if (width < 1 || height < 1 || width > size.width || height > size.height) continue;
    const y = random.integer(size.height - height + 1);
    return { x: random.integer(size.width - width + 1), y, width, height };
  }
  return middle(size, rules.ratio);
}

/** As torchvision's ColorJitter: one factor each, in a random order. */
function drawColours(random: Random, jitter: NonNullable<AugmentationRules['jitter']>): ColourChange[] {
  const factor = (spread: number) => between(random, [Math.max(0, 1 - spread), 1 + spread]);
  return random.shuffle<ColourChange>([
    { kind: 'brightness', factor: factor(jitter.brightness) },
    { kind: 'contrast', factor: factor(jitter.contrast) },
    { kind: 'saturation', factor: factor(jitter.saturation) },
    { kind: 'hue', turns: between(random, [-jitter.hue, jitter.hue]) },
  ]);
}

/** Draws one view. Equal states of `random` give equal views. */
export function drawAugmentation(random: Random, size: Size, rules: AugmentationRules): Augmentation {
  const happens = (probability = 0) => random.uniform() < probability;
  const crop = drawCrop(random, size, rules);
  const flip = happens(rules.flip);
  const colours = rules.jitter && happens(rules.jitter.probability) ? drawColours(random, rules.jitter) : [];
  const grey = happens(rules.grey);
  const blurred = rules.blur && happens(rules.blur.probability) ? between(random, rules.blur.radius) : undefined;
  return { crop, flip, colours, grey, blur: blurred };
}

const change = (image: RgbImage, colour: ColourChange): RgbImage => {
  switch (colour.kind) {
    case 'brightness':
      return adjustBrightness(image, colour.factor);
    case 'contrast':
      return adjustContrast(image, colour.factor);
    case 'saturation':
      return adjustSaturation(image, colour.factor);
    case 'hue':
      return shiftHue(image, colour.turns);
  }
};

/** The view of a picture, side × side: antialiased bilinear. */
export function augmentImage(image: RgbImage, augmentation: Augmentation, side: number): RgbImage {
  const { crop, flip, colours, grey } = augmentation;
  const part = { width: crop.width, height: crop.height, data: cut(image.data, image.width, crop, 3) };
  let view = resize(part, side, side);
  if (flip) view = { ...view, data: mirrored(view.data, side, 3) };
  for (const colour of colours) view = change(view, colour);
  if (grey) view = toGrey(view);
  return augmentation.blur === undefined ? view : blur(view, augmentation.blur);
}

/** The same view of a label map, side × side: nearest neighbour; colours do not touch it. */
export function augmentLabelMap(map: LabelMap, { crop, flip }: Augmentation, side: number): LabelMap {
  const part = { width: crop.width, height: crop.height, data: cut(map.data, map.width, crop, 1) };
  const view = resizeLabelMap(part, side, side);
  return flip ? { ...view, data: mirrored(view.data, side, 1) } : view;
}

/** Rows of a rectangle, with so many numbers per pixel. */
function cut<T extends Uint8Array | Uint16Array>(data: T, width: number, crop: Rectangle, depth: number): T {
  const row = crop.width * depth;
  const out = data.slice(0, row * crop.height) as T;
  for (let y = 0; y < crop.height; y++) {
    const from = ((crop.y + y) * width + crop.x) * depth;
    out.set(data.subarray(from, from + row), y * row);
  }
  return out;
}

function mirrored<T extends Uint8Array | Uint16Array>(data: T, width: number, depth: number): T {
  const out = data.slice() as T;
  for (let p = 0; p < data.length / depth; p++) {
    const x = p % width;
    const from = (p + width - 1 - 2 * x) * depth;
    for (let c = 0; c < depth; c++) out[p * depth + c] = data[from + c]!;
  }
  return out;
}
