/** All that is done per pixel once the model has run: one call, so that it can be made in another thread. */
import { type SegmentedMap, type SegmentOutputs, segmentsOf } from '../api/segments.ts';
import type { RgbImage } from '../image/rgb-image.ts';
import type { Decision } from './decision.ts';
import type { LabelMap } from './label-map.ts';
import { type GridMap, type PseudoLabel, pseudoLabel } from './pseudo-label.ts';
import { regionConfidence } from './region-confidence.ts';
import type { ScoreMap } from './upsampled-argmax.ts';

/** Plain data: it may travel between threads. */
export interface PixelWork {
  readonly decision: Decision;
  readonly scores: ScoreMap;
  readonly foreground: GridMap | undefined;
  /** At the size of the label map. */
  readonly image: RgbImage;
  /** [label id] → class id, 0 for background; what lies behind its end is background. Default: labels stay as they are. */
  readonly classIds?: Uint16Array;
  /** What to tell about each connected region. Default: regions are not looked for. */
  readonly segments?: SegmentOutputs;
}

export interface LabelledPixels extends PseudoLabel {
  /** Undefined where they were not asked for. */
  readonly segmented: SegmentedMap | undefined;
}

/** `foreground` and `confidence` are those of the labels, before any become background. */
export function labelPixels({ decision, scores, foreground, image, classIds, segments }: PixelWork): LabelledPixels {
  const labelled = pseudoLabel(decision, scores, foreground, image);
  const offset = decision.kind === 'argmax' ? 0 : 1;
  const highest = scores.classes - 1 + offset;
  const map = classIds ? withIds(labelled.map, classIds, highest) : labelled.map;
  const segmented = segments && segmentsOf(map, regions => regionConfidence(regions, map, scores, offset), segments);
  return { ...labelled, map, segmented };
}

/** In place. */
function withIds(map: LabelMap, ids: Uint16Array, highest: number): LabelMap {
  const { data } = map;
  // Classes that nobody renumbered or merged: their ids are the labels.
  if (ids.length > highest && ids.every((id, label) => id === label)) return map;
  for (let i = 0; i < data.length; i++) data[i] = ids[data[i]!] ?? 0;
  return map;
}
