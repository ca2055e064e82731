/** What was fitted to tell object from background: its threshold, its check and its file. */
import { HeadCheck, type HeadVerdict } from '#core/attention/head-check';
import { refineScore } from '#core/attention/refine-score';
import { type RidgeHead, ridgeScores } from '#core/attention/ridge-head';
import type { Backbone } from '#core/attention/segmentation-model';
import { ScoreHistogram } from '#core/attention/threshold';
import { resizeMap } from '#core/image/resize-map';
import type { SettledRun } from '#core/job/request';
import { guidedRefinement } from '#core/labels/decision';
import type { AttentionReport } from './backbone.ts';
import type { TrainedGate } from './gate-training.ts';
import type { Sampled } from './sample.ts';

/** A sampled image with the score that will be thresholded, on its grid. */
export type Scored = Sampled & { readonly score: Float32Array };

/** A foreground that was found, and what it says of the sample. */
export interface Fit {
  /** As people name it. */
  readonly kind: string;
  readonly scored: readonly Scored[];
  /** The attention file. @param range scores that count as gate 0 and gate 1 */
  readonly onnx: (range: readonly [number, number]) => Uint8Array;
  /** The method's gate, where it was trained here. */
  readonly gate?: TrainedGate;
  readonly heads?: { readonly combined: RidgeHead; readonly border: RidgeHead; readonly fiedler: RidgeHead };
}

/** The score as it will be held against the threshold, over all pixels of the sample. */
function scoreHistogram(run: SettledRun, scored: readonly Scored[]): ScoreHistogram {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { score } of scored) {
    for (const value of score) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  const margin = 0.25 * Math.max(high - low, 1e-6);
  const histogram = new ScoreHistogram(low - margin, high + margin);
  const refined = run.refine === 'guided' && run.background === 'auto';
  for (const { score, grid, grey, width, height } of scored) {
    const map = { data: score, ...grid };
    histogram.add(
      refined
        ? refineScore(map, { grey, width, height }, guidedRefinement)
        : resizeMap(score, grid.height, grid.width, height, width),
    );
  }
  return histogram;
}

/** The attention file and what is told of it: the threshold from the scores alone, and whether a head failed. */
export function describeFit(
  run: SettledRun,
  fit: Fit,
  { settings }: Backbone,
): { onnx: Uint8Array; report: AttentionReport } {
  const histogram = scoreHistogram(run, fit.scored);
  const everything = run.background === 'none';
  const threshold = everything ? 0 : histogram.otsuThreshold();
  const range = [histogram.quantile(0.005), histogram.quantile(0.995)] as const;
  const report: AttentionReport = {
    kind: fit.kind,
    threshold,
    range,
    histogram: coarse(histogram, range),
    foregroundShare: everything ? 1 : histogram.shareAbove(threshold),
    sample: fit.scored.length,
    fixed: settings.fixed,
    gate: fit.gate?.facts,
    check: fit.heads && headCheckOf(fit.heads, fit.scored, threshold),
  };
  return { onnx: fit.onnx(range), report };
}

/** Sixty bins for the report. */
function coarse(histogram: ScoreHistogram, [low, high]: readonly [number, number]): AttentionReport['histogram'] {
  const bins = 60;
  const edge = (i: number) => histogram.shareAbove(low + ((high - low) * i) / bins);
  return {
    low,
    high,
    counts: Array.from({ length: bins }, (_, i) => Math.round((edge(i) - edge(i + 1)) * histogram.total)),
  };
}

function headCheckOf(heads: NonNullable<Fit['heads']>, scored: readonly Scored[], threshold: number): HeadVerdict {
  const check = new HeadCheck(threshold);
  for (const { grid, projected, score } of scored) {
    check.add({
      ...grid,
      combined: score,
      border: ridgeScores(heads.border, projected!),
      fiedler: ridgeScores(heads.fiedler, projected!),
    });
  }
  return check.verdict();
}
