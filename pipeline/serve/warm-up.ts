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
      if (!begun) warmUp(images).catch(() => undefined); // The first image meets the same trouble, and can say it.
      begun = true;
      return loading;
    },
  };
}

const side = 32;

/** Takes a made-up picture the way of every image; nothing comes of it. */
async function warmUp(images: ImageCodec): Promise<void> {
  const image: RgbImage = { width: side, height: side, data: new Uint8Array(3 * side * side) };
  const { image: decoded } = await images.decode(await images.encodeJpeg(image, 80));
  label(decoded);
  checkOf('segment.query');
}

function label(image: RgbImage): void {
  const grid = { width: side / 16, height: side / 16 };
  const count = grid.width * grid.height;
  labelPixels({
    decision: { kind: 'threshold', threshold: 0, upsample: 'bilinear', refine: guidedRefinement },
    scores: { ...grid, classes: 2, data: Float32Array.from({ length: 2 * count }, (_, i) => Math.sin(i)) },
    foreground: { ...grid, data: Float32Array.from({ length: count }, (_, i) => Math.cos(i)) },
    image,
    classIds: Uint16Array.of(0, 1, 2),
    segments: { rle: true, polygons: false },
  });
}
