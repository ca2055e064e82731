/** The learning rate of each step: a linear warm-up, then half a cosine. Fed to a training step as a scalar. */

export interface Schedule {
  /** Number of steps in all. */
  readonly steps: number;
  /** The highest rate. */
  readonly peak: number;
  /** The rate that the cosine ends at. Default 0. */
  readonly end?: number;
  /** Steps of the rise from 0 to the peak. Default 0. */
  readonly warmUp?: number;
}

/** end + (peak − end)/2 · (1 + cos πt) for the share t of the way behind the warm-up; `step` counts from 0. */
export function learningRate(step: number, { steps, peak, end = 0, warmUp = 0 }: Schedule): number {
  if (step < warmUp) return (peak * step) / warmUp;
  const share = Math.min(1, (step - warmUp) / Math.max(1, steps - warmUp));
  return end + ((peak - end) / 2) * (1 + Math.cos(Math.PI * share));
}
