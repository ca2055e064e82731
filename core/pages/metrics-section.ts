/** Measured quality, beside what one gets for nothing. Only where masks were given. */

import { fractionOf, lineChart, shareBar } from './bars.ts';
import { baselineNames, bestBaseline } from './baselines.ts';
import { countOf, countText, percentText, ratioText } from './figure-text.ts';
import { type Html, type HtmlPart, html } from './html.ts';
import { figure, listing, name, section, table } from './page-parts.ts';
import type { BaselineFigures, ClassFigures, Figure, MetricsFacts, SizeFigures } from './report-data.ts';

export function metricsSection(metrics: MetricsFacts | null): Html {
  const title = 'Metrics';
  if (!metrics)
    return section(
      'metrics',
      title,
      html`No ground-truth masks were given, so no figure here would be honest. With masks of even a few dozen images, <code>selflabel evaluate</code> measures the labels; nothing needs to be computed anew.`,
      null,
    );
  return section(
    'metrics',
    title,
    html`Measured on ${countOf(metrics.images, 'image')}${metrics.validation && ' of the validation set'} with masks of ${countOf(metrics.classes, 'class', 'classes')}. ${matchingWords(metrics.matchingKind)}`,
    html`${comparison(metrics)}${mainFigures(metrics)}${sizes(metrics)}${curve(metrics)}${perClass(metrics)}${skipped(metrics)}`,
  );
}

function matchingWords(kind: string): string {
  if (kind === 'image')
    return 'Discovered classes were paired with those of the masks by the images in which they occur together, one to one.';
  if (kind === 'pixel')
    return 'Discovered classes were paired with those of the masks by overlapping pixels, one to one.';
  if (kind === 'none') return 'Label ids were compared as they are, without matching.';
  return `Discovered classes were paired with those of the masks as saved in ${kind}.`;
}

const comparedFigures = [
  ['miouForeground', 'Foreground mIoU'],
  ['miou', 'mIoU with background'],
  ['foregroundIou', 'Object IoU'],
] as const;

/** Ours on top, the trivial labellers below, one bar per figure. */
function comparison(metrics: MetricsFacts): Html {
  const best = bestBaseline(metrics.baselines);
  const rows: [string, BaselineFigures | null, boolean][] = [['this job', metrics, true]];
  for (const [kind, words] of Object.entries(baselineNames)) {
    rows.push([words, metrics.baselines[kind as keyof typeof baselineNames], false]);
  }
  const body = rows.map(([words, figures, ours]) => {
    const why = (key: string) => (ours ? whyOf(metrics, key) : 'this baseline was not measured');
    const cells = comparedFigures.map(([key]) => barCell(figures?.[key] ?? null, why(key)));
    return html`<tr${ours && html` class="ours"`}><th scope="row">${words}</th>${cells}</tr>`;
  });
  const verdict = best && metrics.miouForeground !== null && ratioWords(metrics.miouForeground, best);
  return html`<h3>Beside trivial baselines</h3>${verdict && html`<p>${verdict}</p>`}
<p class="under">Foreground mIoU is the mean over the classes in the masks; object IoU asks only for object or background.</p>
${table('This job and trivial baselines', ['', ...comparedFigures.map(([, words]) => words)], body, 'compare')}`;
}

const barCell = (value: Figure, why: string): Html =>
  html`<td>${figure(value, percentText, why)}${value !== null && shareBar(value)}</td>`;

function ratioWords(ours: number, best: { name: string; value: number }): string {
  if (ours <= best.value) return `The labels of this job are no better than those of ${best.name}.`;
  if (best.value <= 0) return 'Every trivial baseline scores zero on the foreground classes.';
  return `${(ours / best.value).toFixed(1)} times the best trivial baseline (${best.name}).`;
}

/** Why a figure may be missing, in words for people; the data may know better. */
const usualReasons: Readonly<Record<string, string>> = {
  nmi: 'needs images that lie in class folders',
  clusterAccuracy: 'needs images that lie in class folders',
  boundaryMiou: 'boundaries were not measured',
  imageAccuracy: 'no image has a foreground class',
  fBeta: 'no image has a foreground class',
  miouForeground: 'the masks have no foreground class',
  foregroundIou: 'the masks have no background',
  pixelMatched: 'labels were not matched by pixels',
};

const whyOf = ({ missing }: MetricsFacts, key: string): string =>
  missing?.[key] ??
  usualReasons[key] ??
  (key.includes('izes.') ? 'the masks have no object of this size' : 'not measured');

const furtherFigures = [
  ['boundaryMiou', 'Boundary mIoU', 'mIoU of the pixels near an outline'],
  ['imageAccuracy', 'Image accuracy', 'share of images whose main class is right'],
  ['fBeta', 'F-beta', 'object against background, by image, β² = 0.3'],
  ['nmi', 'NMI', 'mutual information of clusters and class folders'],
  ['clusterAccuracy', 'Cluster accuracy', 'images in the right cluster after matching'],
] as const;

function mainFigures(metrics: MetricsFacts): Html {
  const matched = metrics.pixelMatched;
  const whyUnmatched = whyOf(metrics, 'pixelMatched');
  const rows: FigureRow[] = [
    ...furtherFigures.map(([key, title, meaning]): FigureRow => [title, meaning, metrics[key], whyOf(metrics, key)]),
    ['mIoU, pixel matching', 'foreground classes, matched by pixels', matched?.miouForeground ?? null, whyUnmatched],
    ['Pixel accuracy', 'share of right pixels, matched by pixels', matched?.pixelAccuracy ?? null, whyUnmatched],
  ];
  return html`<h3>Further figures</h3><ul class="figures">${rows.map(figureTile)}</ul>`;
}

type FigureRow = readonly [title: string, meaning: string, value: Figure, why: string];

const figureTile = ([title, meaning, value, why]: FigureRow): Html => html`
<li><span class="label">${title}</span> <strong>${figure(value, percentText, why)}</strong>
<span class="under">${value === null ? why : meaning}</span></li>`;

const sizeNames = [
  ['s', 'Small', 'up to 5%'],
  ['ms', 'Medium small', 'up to 25%'],
  ['ml', 'Medium large', 'up to 50%'],
  ['l', 'Large', 'above 50%'],
] as const;

function sizes(metrics: MetricsFacts): Html {
  const cell = (group: 'sizes' | 'boundarySizes', key: keyof SizeFigures): Html =>
    barCell(metrics[group][key], whyOf(metrics, `${group}.${key}`));
  const rows = sizeNames.map(
    ([key, words, range]) =>
      html`<tr><th scope="row">${words} <span class="under">${range}</span></th>${cell('sizes', key)}${cell('boundarySizes', key)}</tr>`,
  );
  return html`<h3>By object size</h3><p class="under">Size is the share of the image that an object’s class covers.</p>${table('mIoU by object size', ['Size', 'mIoU', 'Boundary mIoU'], rows, 'compare')}`;
}

function curve({ thresholdCurve: points }: MetricsFacts): HtmlPart {
  if (!points || points.length < 2) return null;
  const best = points.reduce((top, point) => (point.miou > top.miou ? point : top));
  const [low, high] = [points[0]!.threshold, points.at(-1)!.threshold];
  const words = `mIoU by threshold: at best ${percentText(best.miou)} at ${ratioText(best.threshold)}.`;
  const line = points.map(({ threshold, miou }) => [threshold, miou] as const);
  const left = (fractionOf(best.threshold, low, high) * 100).toFixed(2);
  return html`<h3>Threshold curve</h3><figure class="chart">
<div class="plot">${lineChart(line, best.miou > 0 ? best.miou * 1.1 : 1, words)}<i class="threshold" style="left:${left}%"></i></div>
<div class="axis"><span>${ratioText(low)}</span><span>threshold</span><span>${ratioText(high)}</span></div>
<figcaption>${words}</figcaption></figure>`;
}

function perClass(metrics: MetricsFacts): HtmlPart {
  if (metrics.perClass.length === 0) return null;
  const head = ['Class', 'Name', 'IoU', 'Boundary IoU', 'Pixels'].map(
    (words, column) => html`<button class="sort" data-column="${column}">${words}</button>`,
  );
  const rows = [...metrics.perClass].sort((a, b) => (b.iou ?? -1) - (a.iou ?? -1)).map(classRow);
  return html`<h3>By class</h3>${table('IoU by class', head, rows, 'sortable')}`;
}

const absent = 'the class is neither in the masks nor in the labels';

const classRow = ({ id, name: given, iou, boundaryIou, pixels }: ClassFigures): Html => html`
<tr><td data-v="${id}">${id}</td><th scope="row" data-v="${given}">${name(given)}</th>
<td data-v="${iou ?? ''}">${figure(iou, percentText, absent)}${iou !== null && shareBar(iou)}</td>
<td data-v="${boundaryIou ?? ''}">${figure(boundaryIou, percentText, absent)}</td>
<td data-v="${pixels}">${countText(pixels)}</td></tr>`;

const skipped = ({ skipped: images }: MetricsFacts): HtmlPart =>
  listing({
    id: 'skipped-images',
    one: 'image left out of the figures',
    many: 'images left out of the figures',
    total: images.length,
    rows: images.map(name),
  });
