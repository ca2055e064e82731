/** The report of a job as one HTML page: no network, no framework, opens from the file system. */
import { classesSection } from './classes-section.ts';
import { countText } from './figure-text.ts';
import { foregroundSection } from './foreground-section.ts';
import { type Html, html, trusted } from './html.ts';
import { metricsSection } from './metrics-section.ts';
import { modelSection } from './model-section.ts';
import { nearDuplicatesSection } from './near-duplicates-section.ts';
import { overlaySlider } from './overlay-slider.ts';
import { overview } from './overview-section.ts';
import { name } from './page-parts.ts';
import { receiptSection } from './receipt-section.ts';
import type { ReportData } from './report-data.ts';
import { reportScript, reportScriptSha256 } from './report-script.ts';
import { reportStyle } from './report-style.ts';
import { reviewSection } from './review-section.ts';
import { runSection } from './run-section.ts';
import { trainingSection } from './training-section.ts';

/**
 * The whole page. Every string of `data` is escaped, every path URL-encoded; the page's own policy lets nothing load but
 * pictures beside it, and nothing run but its own script.
 */
export function reportPage(data: ReportData): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>${data.run.job} · segmentation report</title>
<style>${trusted(reportStyle)}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the report</a>
<div class="page">
${sidebar(data)}
<main id="main">
${overview(data)}${classesSection(data)}${reviewSection(data)}${nearDuplicatesSection(data.nearDuplicates)}${foregroundSection(data.foreground)}${metricsSection(data.metrics)}${receiptSection(data.receipt)}${modelSection(data)}${trainingSection(data.training ?? [])}${runSection(data.run)}
<footer>Made by selflabel ${data.run.version}. This page needs no network and sends nothing anywhere.</footer>
</main>
</div>
${enlarged}
<script>${trusted(reportScript)}</script>
</body>
</html>
`.text;
}

const policy = `default-src 'none'; img-src 'self' file:; style-src 'unsafe-inline'; script-src 'sha256-${reportScriptSha256}'; base-uri 'none'; form-action 'none'`;

function sidebar({ run, classes, review, receipt, nearDuplicates, training = [] }: ReportData): Html {
  const entries: (readonly [id: string, title: string, count: number | null])[] = [
    ['overview', 'Overview', null],
    ['classes', 'Classes', classes.length],
    ['review', 'Review first', review.suggested],
    ['near-duplicates', 'Near-duplicates', nearDuplicates.total.groups],
    ['foreground', 'Foreground check', null],
    ['metrics', 'Metrics', null],
    ['receipt', 'Receipt', receipt.counts.total],
    ['model', 'Model card', null],
    ...(training.length ? [['training', 'Training', null] as const] : []),
    ['run', 'How it ran', null],
  ];
  const links = entries.map(
    ([id, title, count]) =>
      html`<li><a href="#${id}">${title}${count !== null && html` <span class="count">${countText(count)}</span>`}</a></li>`,
  );
  return html`<div class="side"><p class="brand">selflabel <span>${name(run.job)}</span></p>
<nav aria-label="Sections"><ul>${links}</ul></nav>
<div class="needs-js">${overlaySlider}</div></div>`;
}

/** Where a picture is shown large. */
const enlarged = html`<dialog id="view" aria-labelledby="view-title">
<header><h2 id="view-title"></h2><button class="plain" id="view-close" aria-label="Close">✕</button></header>
<div class="stage"><img id="view-photo" alt=""><img id="view-labels" alt=""></div>
<p id="view-facts" aria-live="polite"></p>
<div class="controls"><button class="plain" id="view-back">← Previous</button>${overlaySlider}<button class="plain" id="view-next">Next →</button></div>
</dialog>`;
