/** A thread for work per pixel: answers every request in its turn. */
import { parentPort } from 'node:worker_threads';
import { type LabelledPixels, labelPixels, type PixelWork } from '#core/labels/label-pixels';

export type PixelAnswer = { readonly labelled: LabelledPixels } | { readonly failed: Error };

function answer(work: PixelWork): PixelAnswer {
  try {
    return { labelled: labelPixels(work) };
  } catch (error) {
    return { failed: error as Error };
  }
}

parentPort?.on('message', (work: PixelWork) => {
  const message = answer(work);
  const moved = 'labelled' in message ? [message.labelled.map.data.buffer as ArrayBuffer] : [];
  parentPort?.postMessage(message, moved);
});
