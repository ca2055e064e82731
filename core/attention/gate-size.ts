/** How large the training of a gate is: channels, images per step, prototypes, learning rate. */
import { learningRate, type Schedule } from '../graph/learning-rate.ts';

/** Passes over the images (method 2.3). */
export const gateEpochs = 20;

/** Side of a view (method 0). */
export const viewSide = 224;

/** Behind the projection. */
const projectedChannels = 256;

/** Channels of the gate. The exact one has all of the backbone's. */
export const gateChannels = (form: 'exact' | 'projected', channels: number): number =>
  form === 'exact' ? channels : Math.min(projectedChannels, channels);

/** The training keeps about a dozen maps of this size per step: it should fit into a few GB. */
const mapBytes = 128 * 2 ** 20;
const mostPerStep = 32;

/** Images per step where nothing else is asked for: a power of two, so that it is the same for nearly equal sizes. */
export function gateBatch(channels: number, positions: number, images: number): number {
  const bytesPerImage = 2 * channels * 16 * positions * Float32Array.BYTES_PER_ELEMENT;
  const fits = Math.max(2, Math.min(mostPerStep, 2 ** Math.floor(Math.log2(mapBytes / bytesPerImage))));
  return Math.min(fits, Math.max(2, Math.floor(images / 2)));
}

/** Data sets up to this are trained as the smallest of the method's, others as the larger two (method 0). */
const smallSet = 100_000;

/** At most half as many as there are vectors to start them from. */
export const prototypeCount = (images: number, vectors: number): number =>
  Math.max(2, Math.min(images <= smallSet ? 500 : 3000, Math.floor(vectors / 2)));

/** Half a cosine down to a thousandth, no warm-up (method 1.6, 2.3). */
export function gateRate(images: number, step: number, steps: number): number {
  const peak = images <= smallSet ? 6 : 0.6;
  return learningRate(step, { steps, peak, end: peak / 1000 } satisfies Schedule);
}
