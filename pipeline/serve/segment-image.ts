/** From the bytes of an image to its map of class ids: the same labels as `predict`, with the classes as they are named now. */

import type { SegmentedMap, SegmentOutputs } from '#core/api/segments';
import { RejectedInput } from '#core/errors';
import type { Size } from '#core/image/model-input';
import { keptClasses, type LabelClass } from '#core/labels/class-map';
import type { LabelMap } from '#core/labels/label-map';
import { labelImage } from '../labeller.ts';
import type { Ports } from '../ports.ts';
import type { ServeLimits } from './api-ports.ts';
import type { ServedModel } from './model-shelf.ts';
import { Problem } from './problem.ts';

export interface SegmentParams {
  readonly model?: string;
  readonly outputs?: readonly ('rle' | 'polygons' | 'mask')[];
  readonly classes?: readonly number[];
  readonly threshold?: number;
  readonly size?: number;
}

export interface SegmentedImage {
  /** Class ids; 0 is background. */
  readonly map: LabelMap;
  /** As shown, before any shrinking. */
  readonly original: Size;
  readonly notes: readonly string[];
  readonly confidence: number;
  /** Undefined where it was not asked for. */
  readonly segmented: SegmentedMap | undefined;
  /** Milliseconds. */
  readonly timings: { readonly decode: number; readonly label: number };
  /** Classes that may occur. */
  readonly classes: readonly LabelClass[];
}

/**
 * @param segments what to tell about each connected region; undefined: regions are not looked for
 * @throws Problem 422 for an image that cannot be read or parameters that the model does not fit
 */
export async function segmentImage(
  ports: Pick<Ports, 'images' | 'pixels' | 'clock'>,
  limits: ServeLimits,
  model: ServedModel,
  bytes: Uint8Array,
  params: SegmentParams,
  segments: SegmentOutputs | undefined,
): Promise<SegmentedImage> {
  const classes = wantedClasses(model, params.classes);
  const labeller = withThreshold(model, params.threshold);
  const started = ports.clock.now();
  const decoded = await decode(ports, limits, bytes, params.size);
  const labelling = ports.clock.now();
  const wishes = { classIds: classIds(model, params.classes), ...(segments && { segments }) };
  const { map, confidence, segmented } = await labelImage(ports, labeller, decoded.image, wishes);
  const { width, height, notes } = decoded;
  const timings = { decode: labelling - started, label: ports.clock.now() - labelling };
  return { map, original: { width, height }, notes, confidence, segmented, timings, classes };
}

/** @throws Problem 422 naming ids that are no classes */
function wantedClasses({ classes }: ServedModel, ids: readonly number[] | undefined): readonly LabelClass[] {
  const kept = keptClasses(classes);
  if (!ids) return kept;
  const wanted = new Set(ids);
  const found = kept.filter(({ id }) => wanted.delete(id));
  if (wanted.size > 0) {
    const some = [...wanted].slice(0, 10).join(', ');
    throw new Problem('unprocessable', `no class has the id ${some}; GET /v1/models/{name} lists the classes`);
  }
  return found;
}

function withThreshold({ labeller }: ServedModel, threshold: number | undefined) {
  if (threshold === undefined) return labeller;
  if (labeller.decision.kind !== 'threshold') {
    throw new Problem('unprocessable', 'this model decides without a threshold; leave it out');
  }
  return { ...labeller, decision: { ...labeller.decision, threshold } };
}

async function decode({ images }: Pick<Ports, 'images'>, limits: ServeLimits, bytes: Uint8Array, longest?: number) {
  try {
    return await images.decode(bytes, shown => targetSize(shown, limits, longest));
  } catch (error) {
    if (!(error instanceof RejectedInput)) throw error;
    throw new Problem('image-unusable', `the image is ${error.message}`, { cause: error });
  }
}

/** Never larger than the picture. */
function targetSize(shown: Size, { pixels }: ServeLimits, longest = Number.POSITIVE_INFINITY): Size {
  const scale = Math.min(1, longest / Math.max(shown.width, shown.height));
  const side = (length: number) => Math.max(1, Math.round(length * scale));
  const size = scale < 1 ? { width: side(shown.width), height: side(shown.height) } : shown;
  if (size.width * size.height > pixels) {
    throw new Problem(
      'image-unusable',
      `the image has ${shown.width} × ${shown.height} pixels; more than ${pixels / 1e6} million are not labelled at once: ask for a smaller “size”`,
    );
  }
  return size;
}

/** [label id] → class id. Ignored classes, and those not asked for, become background. */
function classIds({ lookup }: ServedModel, ids: readonly number[] | undefined): Uint16Array {
  const wanted = ids && new Set(ids);
  // A label that no class holds is nobody's: background, like everything ignored.
  return Uint16Array.from(lookup, id => (id > 0 && (!wanted || wanted.has(id)) ? id : 0));
}
