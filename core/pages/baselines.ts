/** The trivial labellers that every result is held against. */
import type { BaselineFigures, MetricsFacts } from './report-data.ts';

export const baselineNames = {
  allBackground: 'all background',
  allForeground: 'all foreground',
  centredEllipse: 'best centred ellipse',
  pixelKmeans: 'plain pixel k-means',
} as const;

/** The highest foreground mIoU among the baselines that were measured. */
export function bestBaseline(baselines: MetricsFacts['baselines']): { name: string; value: number } | undefined {
  const kinds = Object.keys(baselineNames) as (keyof typeof baselineNames)[];
  return kinds
    .map(kind => ({
      name: baselineNames[kind],
      value: (baselines[kind] as BaselineFigures | null)?.miouForeground ?? null,
    }))
    .filter((row): row is { name: (typeof row)['name']; value: number } => row.value !== null)
    .sort((a, b) => b.value - a.value)[0];
}
