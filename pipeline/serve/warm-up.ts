/** While the first model loads in its thread, this one makes ready what the first image will need besides. */
import type { RgbImage } from '#core/image/rgb-image';
import { guidedRefinement } from '#core/labels/decision';
import { labelPixels } from '#core/labels/label-pixels';
import { toGrid, toScores } from '../labeller.ts';
import type { ImageCodec, ModelRunner } from '../ports.ts';
import { checkOf } from './checks.ts';

/** The runner as it is, but its first loading sets off the warming up. */
export function warmingUp(models: ModelRunner, images: ImageCodec): ModelRunner {
  let begun = false;
  return {
    device: models.device,
    train: (...given) => models.train(...given),
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
const sides = [32, 64, 64, 96, 176, 176, 176];

/**
 * Milliseconds from one to the next. What is often run is compiled meanwhile, in threads that need a core as the one that opens the session does:
 * going on without it would be slow, and in their way.
 */
const pause = 2;

/** Takes made-up pictures the way of every image until the model is there; nothing comes of it. */
async function warmUp(images: ImageCodec, loading: Promise<unknown>): Promise<void> {
  let over = false;
  const end = () => {
    over = true;
  };
  loading.then(end, end);
  // In the codec's own threads, while this one goes on. Trouble is told when the first real image meets it.
  const decoding = decodeSome(images).catch(() => undefined);
  checkOf('segment.query');
  for (const side of sides) {
    if (over) break;
    label(picture(side));
    await new Promise(resolve => setTimeout(resolve, pause));
  }
  await decoding;
}

async function decodeSome(images: ImageCodec): Promise<void> {
  await images.decode(await images.encodeJpeg(picture(sides[0]!), 80));
}

function picture(side: number): RgbImage {
  const [width, height] = [side, (3 * side) / 4];
  const data = new Uint8Array(3 * width * height);
  for (let y = 0; y < height; y++) data.fill(40 + y, 3 * y * width, 3 * (y * width + y));
  return { width, height, data };
}

/** With scores that vary smoothly, as a model's do, in objects of the same making: code is compiled for one kind. */
function label(image: RgbImage): void {
  const [width, height] = [image.width / 16, image.height / 16].map(Math.ceil) as [number, number];
  const wave = (i: number) => Math.sin((i % width) * 0.7 + Math.floor(i / width) * 0.4);
  const plane = (classes: number, from: number) =>
    Float32Array.from({ length: classes * width * height }, (_, i) => wave(i + from));
  labelPixels({
    decision: { kind: 'threshold', threshold: 0, upsample: 'bilinear', refine: guidedRefinement },
    scores: toScores({ type: 'float32', data: plane(8, 0), dims: [1, 8, height, width] }),
    foreground: toGrid({ type: 'float32', data: plane(1, 1), dims: [1, 1, height, width] }),
    image,
    classIds: Uint16Array.from({ length: 9 }, (_, i) => i),
    segments: { rle: true, polygons: false },
  });
}
