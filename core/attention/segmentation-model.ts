/** The model people take away: one ONNX graph from an image to class scores and a foreground score (interface 4). */
import { applyBackbone } from '../backbone/apply-backbone.ts';
import type { BackboneSettings } from '../backbone/settings.ts';
import { unitRows } from '../clustering/unit-rows.ts';
import type { VectorSet } from '../clustering/vector-set.ts';
import { applyModel, type ImportedModel } from '../graph/import.ts';
import { l2Normalize } from '../graph/layers.ts';
import { toModel } from '../graph/model.ts';
import { add, averagePool, cast, conv, div, greaterOrEqual, mul, reduceSum } from '../graph/ops.ts';
import { constant, input, type Tensor } from '../graph/tensor.ts';
import type { BackboneMaps, MapName } from './pixel-attention.ts';

export interface Backbone {
  readonly model: ImportedModel;
  readonly settings: BackboneSettings;
  /** What messages call it. */
  readonly name?: string;
  /** 2 adds the deep map of the image as given, and takes the other maps from the image at half size. */
  readonly scales: 1 | 2;
}

/** The input every graph of ours shares: RGB 0 … 255, of any height and width. @param batch 1 for a backbone that takes one image at a time */
export const imageInput = (batch: 1 | undefined = undefined): Tensor =>
  input('image', 'float32', [batch ?? 'N', 3, 'H', 'W']);

/** The backbone's maps of an image [N, 3, H, W]. */
export function backboneMaps({ model, settings, scales }: Backbone, image: Tensor): BackboneMaps {
  if (scales === 1) return applyBackbone(model, settings, image);
  const half = averagePool(image, { kernel_shape: [2, 2], strides: [2, 2] });
  return { ...applyBackbone(model, settings, half), doubled: applyBackbone(model, settings, image).deep };
}

/** The outputs of an attention file on given maps. */
export function applyAttention(attention: ImportedModel, maps: BackboneMaps, wanted: readonly string[]): Tensor[] {
  const feeds = Object.fromEntries(attention.inputs.map(({ name }) => [name, maps[name as MapName]!]));
  return applyModel(attention, feeds, [...wanted], 'attention');
}

export interface Segmentation {
  readonly backbone: Backbone;
  readonly attention: ImportedModel;
  readonly centroids: VectorSet;
  /** `object`: one vector, and so one label, per image; otherwise every pixel by its own feature. */
  readonly perImage: boolean;
  /** Positions that count for the one vector of `perImage`. */
  readonly threshold: number;
}

/** `scores` [N,K,h,w] (cosines to the centroids) and `foreground` [N,1,h,w] of an `image` of any height and width. */
export function segmentationModel({ backbone, attention, centroids, perImage, threshold }: Segmentation): Uint8Array {
  const image = imageInput(backbone.settings.batch);
  const maps = backboneMaps(backbone, image);
  const [foreground, embedding] = applyAttention(attention, maps, ['foreground', 'embedding']);
  const vectors = perImage ? pooledForeground(embedding!, foreground!, threshold) : embedding!;
  const scores = cosines(vectors, centroids);
  return toModel({ name: 'selflabel', inputs: [image], outputs: { scores, foreground: foreground! } });
}

/** Mean embedding of the positions at or above the threshold; of all where none is: [N, D, 1, 1]. */
export function pooledForeground(embedding: Tensor, foreground: Tensor, threshold: number): Tensor {
  const inside = cast(greaterOrEqual(foreground, constant(threshold)), { to: 'float32' });
  // A trace of every position keeps the mean defined where nothing reaches the threshold.
  const weight = add(inside, constant(1e-6));
  const spatial = { axes: [2, 3], keepdims: 1 } as const;
  return div(reduceSum(mul(embedding, weight), spatial), reduceSum(weight, spatial));
}

/** Cosines of every position to every centroid, as a 1×1 convolution: [N, K, h, w]. */
function cosines(vectors: Tensor, { data, count, dimension }: VectorSet): Tensor {
  return conv(l2Normalize(vectors, 1, 1e-12), constant(unitRows(data, count, dimension), [count, dimension, 1, 1]));
}
