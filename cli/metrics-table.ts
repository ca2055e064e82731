/** Metrics as text for a terminal. */
import type { Baseline } from '#core/metrics/baselines';
import type { Metrics, SizeScores } from '#core/metrics/finish';
import type { Evaluation } from '#pipeline/evaluate-folders';

/** Classes shown at each end of the list. */
const classesShown = 5;

const percent = (value: number | null | undefined): string =>
  value === null || value === undefined ? '–' : `${(100 * value).toFixed(1)} %`;

const line = (name: string, ...values: string[]): string =>
  `  ${name.padEnd(28)}${values.map(value => value.padStart(11)).join('')}`;

const sizeLine = (name: string, { s, ms, ml, l }: SizeScores): string =>
  line(name, percent(s), percent(ms), percent(ml), percent(l));

const baselineLine = (name: string, baseline: Baseline | null): string[] =>
  baseline === null
    ? []
    : [line(name, percent(baseline.miou), percent(baseline.miouForeground), percent(baseline.foregroundIou))];

/** Several lines, each with its end. */
export function metricsTable(metrics: Evaluation): string {
  const { baselines, pixelMatched } = metrics;
  const lines = [
    `${metrics.images} images, ${metrics.classes} classes, matching: ${metrics.matchingKind}${metrics.matchingTied ? ' (others are as good)' : ''}`,
    ...(metrics.skipped.length > 0 ? [`${metrics.skipped.length} skipped, first: ${metrics.skipped[0]!.reason}`] : []),
    '',
    line('', 'mIoU', 'mIoU fg', 'fg IoU'),
    line('predictions', percent(metrics.miou), percent(metrics.miouForeground), percent(metrics.foregroundIou)),
    line('  matched by pixels', percent(pixelMatched.miou), percent(pixelMatched.miouForeground)),
    ...baselineLine('baseline: all background', baselines.allBackground),
    ...baselineLine('baseline: all one class', baselines.allForeground),
    ...baselineLine('baseline: centred ellipse', baselines.centredEllipse),
    ...baselineLine('baseline: pixel k-means', baselines.pixelKmeans),
    '',
    line('boundary mIoU', percent(metrics.boundaryMiou)),
    line('image accuracy', percent(metrics.imageAccuracy)),
    line('pixel accuracy (by pixels)', percent(pixelMatched.pixelAccuracy)),
    ...(metrics.fBeta === null ? [] : [line('F-beta', percent(metrics.fBeta))]),
    '',
    line('by size of object', '≤ 5 %', '≤ 25 %', '≤ 50 %', 'larger'),
    sizeLine('mIoU', metrics.sizes),
    sizeLine('boundary mIoU', metrics.boundarySizes),
    '',
    ...extraLines(metrics),
    ...classLines(metrics),
  ];
  return `${lines.map(text => text.trimEnd()).join('\n')}\n`;
}

/** What only some evaluations have. */
function extraLines({ threshold, thresholdSweep, hierarchy = [] }: Evaluation): string[] {
  const lines = thresholdSweep ? [`  threshold ${threshold} is the best of ${thresholdSweep.thresholds.length}`] : [];
  if (hierarchy.length) lines.push(line('coarser levels', 'mIoU', 'mIoU fg', 'accuracy'));
  for (const { level, classes, miou, miouForeground, imageAccuracy } of hierarchy) {
    lines.push(
      line(`level ${level}, ${classes} classes`, percent(miou), percent(miouForeground), percent(imageAccuracy)),
    );
  }
  return lines.length ? [...lines, ''] : lines;
}

/** The best and the worst of the classes that occur. */
function classLines({ perClass }: Metrics): string[] {
  const sorted = perClass.filter(({ pixels }) => pixels > 0).sort((a, b) => b.iou - a.iou);
  const short = sorted.length <= 2 * classesShown;
  const shown = short ? sorted : [...sorted.slice(0, classesShown), ...sorted.slice(-classesShown)];
  const lines = shown.map(({ name, iou, boundaryIou }) => line(name.slice(0, 27), percent(iou), percent(boundaryIou)));
  if (!short) lines.splice(classesShown, 0, `  … ${sorted.length - shown.length} more, all in --json`);
  return [line('class', 'IoU', 'boundary'), ...lines];
}
