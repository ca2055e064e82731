/** Masks held against their images before anything is computed, so that a wrong one does not end a run of hours. */
import { PermanentError, RejectedInput } from '#core/errors';
import type { PlannedImage } from '#core/job/plan';
import { maskOf, readTruth, type TruthRules } from './ground-truth.ts';
import { mapInOrder } from './in-flight.ts';
import { type FoundImage, findImages } from './inputs.ts';
import type { Ports } from './ports.ts';

/** Of more images than these, so many are looked at: enough to meet whatever is wrong with all. */
const most = 1024;

const atOnce = 8;

/** Only the picture's own size is wanted; a decoder is quickest where it shrinks most. */
const tiny = () => ({ width: 8, height: 8 });

/**
 * @param prefix of the images
 * @throws PermanentError that names the first mask that is unreadable, of another size than its image, or against the rules
 */
export async function assertMasksFit(
  ports: Ports,
  rules: TruthRules,
  prefix: string,
  images: readonly PlannedImage[],
): Promise<void> {
  const step = Math.max(1, images.length / most);
  const chosen = Array.from({ length: Math.min(images.length, most) }, (_, i) => images[Math.floor(i * step)]!);
  const check = (found: FoundImage) => assertMaskFits(ports, rules, found);
  for await (const _ of mapInOrder(findImages(ports.store, prefix, chosen), atOnce, check));
}

async function assertMaskFits(ports: Ports, rules: TruthRules, found: FoundImage): Promise<void> {
  const image = await sizeOf(ports, found);
  if (!image) return;
  const mask = maskOf(found.planned.name);
  const { map } = await readTruth(ports, rules, mask);
  if (map.width === image.width && map.height === image.height) return;
  throw new PermanentError(
    `mask ${mask} is ${map.width}×${map.height}, but its image is shown at ${image.width}×${image.height}; both must have the same size`,
  );
}

/** As shown; undefined for what is no image, which needs no mask. */
async function sizeOf({ images }: Ports, found: FoundImage): Promise<{ width: number; height: number } | undefined> {
  try {
    const bytes = await found.bytes();
    return bytes && (await images.decode(bytes, tiny));
  } catch (error) {
    if (error instanceof RejectedInput) return undefined;
    throw error;
  }
}
