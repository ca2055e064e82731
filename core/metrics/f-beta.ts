/** F-measure of foreground against background in one image. */

const betaSquared = 0.3;

/**
 * (1 + β²)·p·r / (β²·p + r) with β² = 0.3; 0 where the ground truth has no foreground.
 * @param overlap pixels that are foreground on both sides
 */
export function fBeta(overlap: number, predicted: number, truth: number): number {
  const precision = overlap / (predicted + 1e-20);
  const recall = overlap / (truth + 1e-20);
  return ((1 + betaSquared) * precision * recall) / (betaSquared * precision + recall + 1e-20);
}
