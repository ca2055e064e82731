/** The pictures of a training run, decoded once where they fit into memory, and the batches of views made of them. */
import { PermanentError } from '#core/errors';
import {
  type Augmentation,
  type AugmentationRules,
  augmentImage,
  augmentLabelMap,
  drawAugmentation,
} from '#core/image/augmentation';
import type { Size } from '#core/image/model-input';
import { resizeLabelMap } from '#core/image/resize';
import type { RgbImage } from '#core/image/rgb-image';
import type { PlannedImage } from '#core/job/plan';
import type { LabelMap } from '#core/labels/label-map';
import { batchOf, type DataOrder, viewRandom } from '#core/training/data-order';
import { mapInOrder } from './in-flight.ts';
import { readImage } from './inputs.ts';
import type { Ports, Tensors } from './ports.ts';

export interface TrainingPicture {
  readonly image: RgbImage;
  /** At the size of the image. */
  readonly map?: LabelMap | undefined;
}

export interface PictureSource {
  /** Of the images. */
  readonly prefix: string;
  readonly images: readonly PlannedImage[];
  /** Pictures are made no larger than this on their shorter side. */
  readonly shorterSide: number;
  /** The label map of an image, of any size. @param shown size of the image before any shrinking */
  readonly mapOf?: (name: string, shown: Size) => Promise<LabelMap>;
}

/** Decoded pictures are kept as long as they fit into this many bytes; the others are decoded again when they are due. */
const keptBytes = 512 * 2 ** 20;

export class TrainingPictures {
  readonly #ports: Ports;
  readonly #source: PictureSource;
  readonly #kept = new Map<number, TrainingPicture>();
  #bytes = 0;

  private constructor(ports: Ports, source: PictureSource) {
    this.#ports = ports;
    this.#source = source;
  }

  /** Pictures that are known to be readable. */
  static of(ports: Ports, source: PictureSource): TrainingPictures {
    return new TrainingPictures(ports, source);
  }

  /** Looks at every file first: those that are no usable images are left out and handed back with the reason. */
  static async readable(ports: Ports, source: PictureSource) {
    const rejected: { name: string; reason: string }[] = [];
    const images: PlannedImage[] = [];
    const look = async (image: PlannedImage) => ({ image, read: await readImage(ports, source.prefix, image) });
    for await (const { image, read } of mapInOrder(source.images, ports.tuning.threads * 2, look)) {
      if (read.state === 'rejected') rejected.push({ name: image.name, reason: read.reason });
      else images.push(image);
    }
    return { pictures: new TrainingPictures(ports, { ...source, images }), rejected };
  }

  get count(): number {
    return this.#source.images.length;
  }

  async get(index: number): Promise<TrainingPicture> {
    const known = this.#kept.get(index);
    if (known) return known;
    const picture = await this.#read(this.#source.images[index]!);
    const bytes = picture.image.data.length + (picture.map?.data.byteLength ?? 0);
    if (!this.#kept.has(index) && this.#bytes + bytes <= keptBytes) {
      this.#kept.set(index, picture);
      this.#bytes += bytes;
    }
    return picture;
  }

  async #read(planned: PlannedImage): Promise<TrainingPicture> {
    const { prefix, shorterSide, mapOf } = this.#source;
    const rule = { shorterSide, multiple: 1, longestSide: 4 * shorterSide };
    const read = await readImage(this.#ports, prefix, planned, rule);
    if (read.state === 'rejected')
      throw new PermanentError(`${planned.name} can no longer be read (${read.reason}); run the job again`);
    const { image, width, height } = read.decoded;
    const map = await mapOf?.(planned.name, { width, height });
    return { image, map: map && resizeLabelMap(map, image.width, image.height) };
  }
}

export interface ViewRules {
  readonly augmentation: AugmentationRules;
  /** Of a view, in pixels. */
  readonly side: number;
  /** Of its label map; no targets without it. */
  readonly mapSide?: number;
  /** Views of each picture; all first views come before all second ones. Default 1. */
  readonly views?: number;
}

/** The feeds `pixels` and `targets` of one step: a function of the order, the number of the step and the rules. */
export async function viewBatch(
  pictures: TrainingPictures,
  order: DataOrder,
  step: number,
  rules: ViewRules,
): Promise<Tensors> {
  const { side, mapSide, views = 1 } = rules;
  const indices = batchOf(order, step);
  const count = indices.length * views;
  const pixels = new Uint8Array(count * side * side * 3);
  const targets = mapSide === undefined ? undefined : new Int32Array(count * mapSide * mapSide);
  for (const [place, index] of indices.entries()) {
    const picture = await pictures.get(index);
    const random = viewRandom(order.seed, step, place);
    for (let view = 0; view < views; view++) {
      const at = view * indices.length + place;
      const augmentation = drawAugmentation(random, picture.image, rules.augmentation);
      pixels.set(augmentImage(picture.image, augmentation, side).data, at * side * side * 3);
      targets?.set(targetOf(picture, augmentation, mapSide!), at * mapSide! * mapSide!);
    }
    // A step runs in another thread; its answer should not wait for a whole batch of views.
    await new Promise<void>(resolve => setTimeout(resolve));
  }
  return {
    pixels: { type: 'uint8', dims: [count, side, side, 3], data: pixels },
    ...(targets && { targets: { type: 'int32' as const, dims: [count, mapSide!, mapSide!], data: targets } }),
  };
}

function targetOf({ map }: TrainingPicture, augmentation: Augmentation, side: number): Uint16Array {
  if (!map) throw new Error('internal: targets are wanted of a picture without a label map');
  return augmentLabelMap(map, augmentation, side).data;
}
