/** A model ready to label images: the same for `label`, `predict` and `serve`. */

import type { ModelSizeRule } from '#core/image/model-input';
import { decodeSize, pixelFeeds } from '#core/image/pixel-input';
import type { RgbImage } from '#core/image/rgb-image';
import { type Card, parseCard } from '#core/labels/card';
import type { Decision } from '#core/labels/decision';
import { type LabelledPixels, labelPixels, type PixelWork } from '#core/labels/label-pixels';
import type { GridMap } from '#core/labels/pseudo-label';
import type { ScoreMap } from '#core/labels/upsampled-argmax';
import { naming, readJson, readObject } from './documents.ts';
import { loadModel } from './load-model.ts';
import type { Model, Ports, TensorValue } from './ports.ts';

export interface Labeller {
  readonly model: Model;
  readonly decision: Decision;
  readonly rule: ModelSizeRule;
  readonly clusters: number;
}

/** @param prefix of model.onnx and card.json */
export async function openPublished(
  ports: Pick<Ports, 'store' | 'models' | 'tuning'>,
  prefix: string,
): Promise<Labeller> {
  const [card, model] = [`${prefix}card.json`, `${prefix}model.onnx`];
  const document = await readJson(ports.store, card);
  const parsed = naming(card, () => parseCard(document));
  const bytes = await readObject(ports.store, model);
  return naming(model, () => labellerOf(ports, parsed, bytes));
}

/** A published model from its card and its bytes. @throws PermanentError for a network that is no published model */
export async function labellerOf(
  ports: Pick<Ports, 'models' | 'tuning'>,
  { decision, inputs, clusters }: Card,
  bytes: Uint8Array,
): Promise<Labeller> {
  return { model: await loadModel(ports, bytes), decision, rule: inputs.resize, clusters };
}

/** What to make of the labels; by default they stay as they are. */
export type LabelWishes = Pick<PixelWork, 'classIds' | 'segments'>;

/** The image's pixels are gone afterwards. */
export async function labelImage(
  ports: Pick<Ports, 'images' | 'pixels'>,
  labeller: Labeller,
  image: RgbImage,
  wishes: LabelWishes = {},
): Promise<LabelledPixels> {
  const work = { ...wishes, decision: labeller.decision, ...(await runModel(ports, labeller, image)) };
  return ports.pixels ? ports.pixels.label(work) : labelPixels(work);
}

/** The model's outputs for one image, whatever its size, and the image: the one given may have lost its pixels to the session. */
export async function runModel(
  ports: Pick<Ports, 'images'>,
  { model, rule }: Labeller,
  image: RgbImage,
): Promise<{ scores: ScoreMap; foreground: GridMap | undefined; image: RgbImage }> {
  const size = decodeSize(image, rule);
  const own = size.width === image.width && size.height === image.height;
  const given = own ? image : await ports.images.resize(image, size.width, size.height);
  const { outputs, feeds } = await model.run(pixelFeeds(given, image, rule));
  return {
    scores: toScores(outputs.scores!),
    foreground: outputs.foreground && toGrid(outputs.foreground),
    image: own ? { ...image, data: feeds.pixels!.data as Uint8Array } : image,
  };
}

/** A tensor of scores [1, classes, height, width]. */
export function toScores({ data, dims }: TensorValue): ScoreMap {
  return { data: data as Float32Array, classes: dims[1]!, height: dims[2]!, width: dims[3]! };
}

/** A tensor [1, 1, height, width]. */
export function toGrid({ data, dims }: TensorValue): GridMap {
  return { data: data as Float32Array, height: dims[2]!, width: dims[3]! };
}
