/** The numbers of clusters that `--clusters auto` tries. */

/** From one candidate to the next: fine enough to tell where a curve turns, coarse enough to be few. */
const step = 1.19;
/** Each half of the images must be able to show a cluster a few times. */
const imagesPerCluster = 5;
/** Beyond this many classes nobody looks through the result. */
const most = 1000;

/**
 * 2, 3, 4, … growing by about a fifth, up to a fifth of the images and 1000 at most. A function of the number of images
 * alone, so that the pieces of a job are known before any of them is done.
 */
export function candidateClusters(images: number): number[] {
  const last = Math.max(2, Math.min(most, Math.floor(images / imagesPerCluster)));
  const candidates: number[] = [];
  for (let k = 2; k <= last; k = Math.max(k + 1, Math.round(k * step))) candidates.push(k);
  return candidates;
}
