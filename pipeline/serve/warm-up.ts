/** While the first model loads in its thread, this one makes ready what the first image will need besides. */
import type { RgbImage } from '#core/image/rgb-image';
import { guidedRefinement } from '#core/labels/decision';
import { labelPixels } from '#core/labels/label-pixels';
import type { ImageCodec, ModelRunner } from '../ports.ts';
import { checkOf } from './checks.ts';

/** The runner as it is, but its first loading sets off the warming up. */
export function warmingUp(models: ModelRunner, images: ImageCodec): ModelRunner {
  let begun = false;
  return {
    device: models.device,
    load(model, options) {
      const loading = models.load(model, options);
      // The first image meets the same trouble, and can say it.
      if (!begun) warmUp(images, loading).catch(() => undefined);
      begun = true;
      return loading;
    },
  };
}

/** Longer sides of made-up pictures, one after the other: what is done once per pixel is compiled by doing it often. */
const sides = [32, 96, 160, 160, 160];

/** Takes made-up pictures the way of every image until the model is there; nothing comes of it. */
async function warmUp(images: ImageCodec, loading: Promise<unknown>): Promise<void> {
  let over = false;
  const end = () => {
    over = true;
  };
  loading.then(end, end);
  const file = await images.encodeJpeg(picture(sides[0]!), 80);
  const { image } = await images.decode(file);
  checkOf('segment.query');
  label(image);
  for (const side of sides.slice(1)) {
    await new Promise(setImmediate);
    if (over) return;
    label(picture(side));
  }
}

function picture(side: number): RgbImage {
  const [width, height] = [side, (3 * side) / 4];
  return {
    width,
    height,
    data: Uint8Array.from({ length: 3 * width * height }, (_, i) => 128 + 90 * Math.sin(i / 50)),
  };
}

/** With scores that vary smoothly, as a model's do. */
function label(image: RgbImage): void {
  const grid = { width: image.width / 16, height: image.height / 16 };
  const count = grid.width * grid.height;
  const wave = (i: number) => Math.sin((i % grid.width) * 0.7 + Math.floor(i / grid.width) * 0.4);
  labelPixels({
    decision: { kind: 'threshold', threshold: 0, upsample: 'bilinear', refine: guidedRefinement },
    scores: { ...grid, classes: 8, data: Float32Array.from({ length: 8 * count }, (_, i) => wave(i)) },
    foreground: { ...grid, data: Float32Array.from({ length: count }, (_, i) => wave(i + 1)) },
    image,
    classIds: Uint16Array.from({ length: 9 }, (_, i) => i),
    segments: { rle: true, polygons: false },
  });
}
