/** The top of the report: what came out, in one look, and what to know before relying on it. */
import { stackedBar } from './bars.ts';
import { safeColor } from './class-color.ts';
import { classGallery } from './class-gallery.ts';
import { countOf, countText, durationText, percentText, roughDurationText, timeText } from './figure-text.ts';
import { type Finding, findings } from './findings.ts';
import { type Html, type HtmlPart, html } from './html.ts';
import { name } from './page-parts.ts';
import type { ClassFacts, ForegroundFacts, ReportData } from './report-data.ts';

export function overview(data: ReportData): Html {
  const { run, receipt, classes } = data;
  const [images, found] = [countOf(receipt.counts.total, 'image'), countOf(classes.length, 'class', 'classes')];
  return html`<header class="top" id="overview">
<p class="kicker">Segmentation report</p>
<h1>${name(run.job)}</h1>
<p class="summary">${images} in, ${found} out, found without ${labelsUsed(data.foreground)}.
<span class="meta"><time datetime="${run.finished}">${timeText(run.finished)}</time>
· ${durationText(run.totalSeconds)} on ${run.device.toUpperCase()} · backbone ${name(run.backbone.name)}</span></p>
<ul class="tiles">${tiles(data).map(tile)}</ul>
<h2 class="small">What to know first</h2>
<ul class="findings">${findings(data).map(line)}</ul>
${classGallery(classes)}
${spectrum(data)}
</header>
`;
}

const line = ({ tone, words, to }: Finding): Html => html`
<li class="${tone}"><span class="mark" aria-hidden="true">${marks[tone]}</span>
<p><span class="vh">${spoken[tone]}: </span>${words} <a href="#${to}">Details<span class="vh"> in ${to}</span></a></p></li>`;

/** What was known beforehand: nothing, unless masks chose the threshold. */
const labelsUsed = (foreground: ForegroundFacts | null): string =>
  foreground?.source === 'from-masks' ? 'labels, but for the threshold, which masks chose' : 'labels';

const marks = { good: '✓', look: '!', bad: '✕', plain: 'i' };
const spoken = { good: 'Good', look: 'Take note', bad: 'Problem', plain: 'Note' };

interface Tile {
  readonly value: string;
  readonly label: string;
  readonly under: string;
  readonly to: string;
}

const tile = ({ value, label, under, to }: Tile): Html => html`
<li><a href="#${to}"><span class="label">${label}</span> <strong>${value}</strong>
<span class="under">${under}</span></a></li>`;

function tiles({ receipt, classes, foreground, metrics, review }: ReportData): Tile[] {
  const { total, labelled, rejected } = receipt.counts;
  const rows: Tile[] = [
    {
      label: 'Labelled',
      value: total > 0 ? percentText(labelled / total) : '—',
      under: `${countText(labelled)} of ${countText(total)}, ${countText(rejected)} rejected`,
      to: 'receipt',
    },
    { label: 'Classes', value: countText(classes.length), under: namedWords(classes), to: 'classes' },
    {
      label: 'To review',
      value: countText(review.suggested),
      under: review.suggested
        ? `about ${roughDurationText(review.suggested * review.secondsPerImage)}`
        : 'nothing stands out',
      to: 'review',
    },
  ];
  if (foreground)
    rows.splice(2, 0, {
      label: 'Foreground',
      value: percentText(coveredShare(classes)),
      under: 'of all pixels',
      to: 'foreground',
    });
  if (metrics)
    rows.push({
      label: 'Foreground mIoU',
      value: metrics.miouForeground === null ? '—' : percentText(metrics.miouForeground),
      under: `against ${countOf(metrics.images, 'mask')}`,
      to: 'metrics',
    });
  return rows;
}

/** How many classes carry a name that somebody gave. */
function namedWords(classes: readonly ClassFacts[]): string {
  const named = classes.filter(({ id, name: given }) => given !== `class ${id}`).length;
  return named === 0 ? 'not yet named' : named === classes.length ? 'all named' : `${countText(named)} named`;
}

/** Share of all pixels that have a class in the final label maps. */
const coveredShare = (classes: readonly ClassFacts[]): number => classes.reduce((sum, { share }) => sum + share, 0);

/** The whole data set as one bar: how many pixels went to which class. */
function spectrum({ classes }: ReportData): HtmlPart {
  const sorted = [...classes].sort((a, b) => b.share - a.share);
  const covered = coveredShare(classes);
  const largest = sorted.slice(0, 3).map(({ name: given, share }) => `${given} ${percentText(share)}`);
  if (covered <= 0) return null;
  const words = `Share of all pixels by class. Largest: ${largest.join(', ')}.`;
  const parts = sorted.map(({ name: given, share, color }) => ({
    name: `${given}: ${percentText(share)}`,
    share,
    color: safeColor(color),
  }));
  const rest = 1 - covered;
  return html`<figure class="spectrum">${stackedBar(parts, words)}
<figcaption><span>Pixels by class: ${percentText(covered)} labelled</span>
${rest > 0.0005 && html`<span>${percentText(rest)} background</span>`}</figcaption></figure>`;
}
