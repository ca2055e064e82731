/** Where bilinear sampling looks along one axis. */

/** For each output position: the two input positions it lies between, and how far it is towards the second. */
export interface BilinearAxis {
  readonly low: Int32Array;
  readonly high: Int32Array;
  /** Weight of `high`, 0 … 1. */
  readonly share: Float32Array;
}

/**
 * Source position (i + ½) · from / to − ½, held inside the input, as `interpolate(mode='bilinear', align_corners=False)`
 * in PyTorch: half-pixel centres, no antialiasing, edges repeated.
 */
export function bilinearAxis(from: number, to: number): BilinearAxis {
  const axis = { low: new Int32Array(to), high: new Int32Array(to), share: new Float32Array(to) };
  for (let i = 0; i < to; i++) {
    const source = Math.max(0, Math.min(from - 1, ((i + 0.5) * from) / to - 0.5));
    const low = Math.floor(source);
    axis.low[i] = low;
    axis.high[i] = Math.min(low + 1, from - 1);
    axis.share[i] = source - low;
  }
  return axis;
}
