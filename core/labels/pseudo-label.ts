/** From a model's outputs to the label map of one image: the one piece of code behind `label`, `predict` and `serve`. */
import { refineScore } from '../attention/refine-score.ts';
import { resizeMap } from '../image/resize-map.ts';
import { greyOf, type RgbImage } from '../image/rgb-image.ts';
import type { Decision } from './decision.ts';
import type { LabelMap } from './label-map.ts';
import { nearestArgmax, type ScoreMap, upsampledArgmax } from './upsampled-argmax.ts';

/** One number per position. */
export interface GridMap {
  /** [height, width]. */
  readonly data: Float32Array;
  readonly height: number;
  readonly width: number;
}

export interface PseudoLabel {
  readonly map: LabelMap;
  /** Share of pixels that are not background, 0…1. */
  readonly foreground: number;
  /** How clearly the labelled pixels belong to their class: mean of 1 − d₁/d₂ over their grid positions, 0…1; 0 for an empty map. */
  readonly confidence: number;
}

/**
 * @param scores cosines per cluster (`threshold`), or logits with background first (`argmax`)
 * @param foreground needed for `threshold`
 * @param image at the size of the label map; its grey values guide the refinement
 */
export function pseudoLabel(
  decision: Decision,
  scores: ScoreMap,
  foreground: GridMap | undefined,
  image: RgbImage,
): PseudoLabel {
  const { width, height } = image;
  if (decision.kind === 'argmax') {
    const data = upsampledArgmax(scores, width, height);
    return describe({ width, height, data }, scores, 0, labelledIn(data));
  }
  const inside = foregroundMask(decision, foreground!, image);
  const best =
    decision.upsample === 'nearest'
      ? nearestArgmax(scores, width, height)
      : upsampledArgmax(scores, width, height, inside);
  let labelled = 0;
  for (let at = 0; at < best.length; at += width) labelled += labelRow(best, inside, at, at + width);
  return describe({ width, height, data: best }, scores, 1, labelled);
}

/** Clusters from `from` to before `to` become labels, where they lie inside. @returns how many do */
function labelRow(best: Uint16Array, inside: Uint8Array, from: number, to: number): number {
  let labelled = 0;
  for (let i = from; i < to; i++) {
    const is = inside[i]!;
    best[i] = is * (best[i]! + 1);
    labelled += is;
  }
  return labelled;
}

function labelledIn(data: Uint16Array): number {
  let labelled = 0;
  for (let i = 0; i < data.length; i++) if (data[i]) labelled++;
  return labelled;
}

/**
 * Arrays that serve one image after another: new ones for each would keep the garbage collector busy. Calls never overlap,
 * since nothing here waits.
 */
class PixelScratch {
  #score = new Float32Array(0);
  #bytes = new Uint8Array(0);

  /** Arrays with one entry per pixel, of any content. */
  of({ width, height }: RgbImage): { score: Float32Array; inside: Uint8Array; grey: Uint8Array } {
    const pixels = width * height;
    // What a very large picture needs is not kept.
    const kept = pixels <= 4_000_000;
    const score = this.#score.length >= pixels ? this.#score : new Float32Array(pixels);
    const bytes = this.#bytes.length >= 2 * pixels ? this.#bytes : new Uint8Array(2 * pixels);
    if (kept) [this.#score, this.#bytes] = [score, bytes];
    return {
      score: score.subarray(0, pixels),
      inside: bytes.subarray(0, pixels),
      grey: bytes.subarray(pixels, 2 * pixels),
    };
  }
}

const scratch = new PixelScratch();

/** 1 where the refined score reaches the threshold: background is strictly below it (method 2.5). */
function foregroundMask(decision: Decision & { kind: 'threshold' }, foreground: GridMap, image: RgbImage): Uint8Array {
  const { inside, score } = scratch.of(image);
  foregroundScore(decision, foreground, image, score);
  const { width } = image;
  for (let at = 0; at < score.length; at += width) holdRow(score, decision.threshold, inside, at, at + width);
  return inside;
}

function holdRow(score: Float32Array, threshold: number, inside: Uint8Array, from: number, to: number): void {
  for (let i = from; i < to; i++) inside[i] = score[i]! >= threshold ? 1 : 0;
}

/** The score that is held against the threshold, at the image's size: [height, width]. @param into its place; a new array by default */
export function foregroundScore(
  decision: Decision & { kind: 'threshold' },
  foreground: GridMap,
  image: RgbImage,
  into: Float32Array = new Float32Array(image.width * image.height),
): Float32Array {
  const { width, height } = image;
  if (!decision.refine) return resizeMap(foreground.data, foreground.height, foreground.width, height, width, into);
  const grey = greyOf(image, scratch.of(image).grey);
  return refineScore(foreground, { grey, width, height }, decision.refine, into);
}

/** @param labelled pixels that are not background */
function describe(map: LabelMap, scores: ScoreMap, offset: 0 | 1, labelled: number): PseudoLabel {
  const foreground = labelled / map.data.length;
  return { map, foreground, confidence: labelled ? meanMargin(map, scores, offset) : 0 };
}

/** Mean of 1 − d₁/d₂ with d = √(2 − 2 cos) over the grid positions whose pixel is labelled; logits use 1 − 1/(1 + difference). */
function meanMargin(map: LabelMap, scores: ScoreMap, offset: 0 | 1): number {
  let sum = 0;
  let count = 0;
  for (let y = 0; y < scores.height; y++) {
    const line = Math.min(map.height - 1, Math.floor(((y + 0.5) * map.height) / scores.height)) * map.width;
    for (let x = 0; x < scores.width; x++) {
      const column = Math.min(map.width - 1, Math.floor(((x + 0.5) * map.width) / scores.width));
      if (!map.data[line + column]) continue;
      sum += margin(scores, y * scores.width + x, offset);
      count++;
    }
  }
  return count ? sum / count : 0;
}

/** 1 − d₁/d₂ at one position of the grid. @param offset 1: cosines of clusters, 0: logits with background first */
export function margin({ data, classes, height, width }: ScoreMap, position: number, offset: 0 | 1): number {
  let first = Number.NEGATIVE_INFINITY;
  let second = Number.NEGATIVE_INFINITY;
  for (let k = 0, i = position; k < classes; k++, i += height * width) {
    const value = data[i]!;
    if (value > first) {
      second = first;
      first = value;
    } else if (value > second) second = value;
  }
  if (classes < 2) return 1;
  if (offset === 0) return 1 - 1 / (1 + first - second);
  const distance = (cosine: number) => Math.sqrt(Math.max(0, 2 - 2 * cosine));
  return second >= 1 ? 0 : 1 - distance(first) / distance(second);
}
