/** Small charts as inline SVG. Text stands beside them in HTML, so that it keeps its size on every screen. */
import { type Html, html } from './html.ts';

/** A horizontal bar for a value 0 … 1; decoration beside the number itself. */
export const shareBar = (share: number): Html =>
  html`<svg class="bar" viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true"><rect width="${short(clamp(share) * 100)}" height="1"/></svg>`;

export interface Histogram {
  readonly low: number;
  readonly high: number;
  readonly counts: readonly number[];
}

/** Bins as a step curve, in two colours: below and from `threshold` on. @param words what a reader who cannot see it is told */
export function histogramChart({ low, high, counts }: Histogram, threshold: number, words: string): Html {
  const cut = fractionOf(threshold, low, high) * counts.length;
  return html`<svg class="histogram" viewBox="0 0 ${counts.length} 100" preserveAspectRatio="none" role="img" aria-label="${words}">
<path class="below" d="${stepPath(counts, 0, cut)}"/><path class="above" d="${stepPath(counts, cut, counts.length)}"/></svg>`;
}

/** Where a value lies between two ends, 0 … 1. */
export const fractionOf = (value: number, low: number, high: number): number =>
  high > low ? clamp((value - low) / (high - low)) : 0;

/** A line through points of ascending x. @param words what a reader who cannot see it is told */
export function lineChart(points: readonly (readonly [x: number, y: number])[], top: number, words: string): Html {
  const [first, last] = [points[0]?.[0] ?? 0, points.at(-1)?.[0] ?? 1];
  const steps = points.map(
    ([x, y]) => `${short(fractionOf(x, first, last) * 100)},${short(100 - fractionOf(y, 0, top) * 100)}`,
  );
  return html`<svg class="line" viewBox="0 0 100 100" preserveAspectRatio="none" role="img" aria-label="${words}"><polyline points="${steps.join(' ')}"/></svg>`;
}

export interface Part {
  readonly share: number;
  readonly color: string;
  readonly name: string;
}

/** Parts of one whole side by side, in the order given; what is missing to 1 stays empty. */
export function stackedBar(parts: readonly Part[], words: string): Html {
  let from = 0;
  const pieces = parts.map(({ share, color, name }) => {
    const piece = html`<rect x="${short(from * 1000)}" width="${short(share * 1000)}" height="1" fill="${color}"><title>${name}</title></rect>`;
    from += share;
    return piece;
  });
  return html`<svg class="stack" viewBox="0 0 1000 1" preserveAspectRatio="none" role="img" aria-label="${words}">${pieces}</svg>`;
}

/** The outline of the bins between two positions, counted in bins; heights 0 … 100, the highest bin of all is 100. */
function stepPath(counts: readonly number[], from: number, to: number): string {
  const peak = Math.max(1, ...counts);
  let path = `M${short(from)} 100`;
  for (let bin = Math.floor(from); bin < Math.ceil(to); bin++) {
    path += `V${short(100 - (100 * counts[bin]!) / peak)}H${short(Math.min(bin + 1, to))}`;
  }
  return `${path}V100Z`;
}

const clamp = (share: number): number => Math.min(1, Math.max(0, share));
const short = (value: number): string => String(Math.round(value * 100) / 100);
