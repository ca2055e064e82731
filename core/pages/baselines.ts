/** The trivial labellers that every result is held against. */
import type { MetricsFacts } from './report-data.ts';

export const baselineNames = {
  allBackground: 'all background',
  allForeground: 'all foreground',
  centredEllipse: 'best centred ellipse',
  pixelKmeans: 'plain pixel k-means',
} as const;

/** The highest foreground mIoU among the baselines that were measured. */
export function bestBaseline(baselines: MetricsFacts['baselines']): { name: string; value: number } | undefined {
  const kinds = Object.keys(baselineNames) as (keyof typeof baselineNames)[];
  const measured = kinds.flatMap(kind => {
    const value = baselines[kind]?.miouForeground ?? null;
    return value === null ? [] : [{ name: baselineNames[kind], value }];
  });
  return measured.sort((a, b) => b.value - a.value)[0];
}
