/** An image that is alone is labelled where it is: its way to another thread and back takes a thirtieth of the answer's time. */
import { labelPixels } from '#core/labels/label-pixels';
import type { Turnstile } from '#core/turnstile';
import type { PixelLabeller } from '../ports.ts';

/** Below it nobody who comes meanwhile waits long: about fifteen milliseconds. */
const fewPixels = 400_000;

/** @param turns what every image passes */
export const besideOthers = (pixels: PixelLabeller, turns: Turnstile): PixelLabeller => ({
  async label(work) {
    const { width, height } = work.image;
    const here = turns.inside === 1 && width * height <= fewPixels;
    return here ? labelPixels(work) : pixels.label(work);
  },
});
