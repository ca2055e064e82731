/** The untrained foreground score of one image from which the data set's head trains itself. */
import { borderDistance } from './border-distance.ts';
import { fiedlerScore } from './fiedler.ts';
import { zScore } from './z-score.ts';

export interface ForegroundSeed {
  /** z(border distance), [n]. */
  readonly border: Float64Array;
  /** Fiedler vector, z-scored, [n]. */
  readonly fiedler: Float64Array;
  /** Their sum: what the head starts from. Either alone fails on some data sets. */
  readonly combined: Float64Array;
}

/** @param gram cosines [n, n] of the image's unit features on a height × width grid, n = height · width, row-major */
export function foregroundSeed(gram: Float32Array, height: number, width: number): ForegroundSeed {
  const border = zScore(borderDistance(gram, height, width));
  const fiedler = fiedlerScore(gram, height, width);
  return { border, fiedler, combined: border.map((score, i) => score + fiedler[i]!) };
}
