/** The evaluation service's page: one sortable table per protocol, per-class details, and a place to send a zip. */
import type { Entry, Leaderboard } from '../benchmark/leaderboard.ts';
import { type Html, html, trusted } from './html.ts';
import { leaderboardScript, leaderboardScriptSha256 } from './leaderboard-script.ts';
import { reportStyle } from './report-style.ts';

const extraStyle = `.board main{max-width:82rem;margin:0 auto;padding:2rem 1.25rem}.board h1{margin-bottom:.4rem}.board section{margin-top:2.5rem}
.board td,.board th{text-align:right;min-width:0;padding:.5rem .6rem;white-space:nowrap;font-variant-numeric:tabular-nums}
.board tr>:nth-child(-n+3){text-align:left}.board tbody th{white-space:normal;min-width:9rem;font-weight:600}
.board .listing{margin-top:.75rem}.board .rows li{display:flex;justify-content:space-between;gap:1rem}
.board .classes ul{columns:14rem;column-gap:2rem;max-height:none}.board .classes li{break-inside:avoid}
.board form{display:flex;flex-wrap:wrap;gap:.75rem;align-items:end;margin-top:.75rem}.board form label{display:grid;gap:.2rem;font-size:.875rem}
.board .scroll:has(.sortable){max-height:none}`;

const policy = `default-src 'none'; style-src 'unsafe-inline'; script-src '${leaderboardScriptSha256}'; connect-src 'self'; base-uri 'none'; form-action 'none'`;

/** @param boards in the order in which they are shown. Every string in them comes from strangers and is escaped. */
export function leaderboardPage(boards: readonly Leaderboard[], protocols: readonly string[]): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>Leaderboard · selflabel</title>
<style>${trusted(reportStyle + extraStyle)}</style>
</head>
<body class="board">
<main>
<h1>Leaderboard</h1>
<p>Label maps measured against masks that nobody outside has seen. All scores in percent.</p>
${boards.length === 0 ? html`<p class="verdict look">Nothing has been scored yet.</p>` : boards.map(boardSection)}
${submitSection(protocols)}
</main>
<script>${trusted(leaderboardScript)}</script>
</body>
</html>
`.text;
}

const columns = ['mIoU', 'mIoU fg', 'boundary', 'accuracy', 'F-beta', '≤ 5 %', '≤ 25 %', '≤ 50 %', 'larger'];

function boardSection({ protocol, entries }: Leaderboard): Html {
  const scored = entries.filter(({ scores }) => scores).sort((a, b) => b.scores!.miou - a.scores!.miou);
  const refused = entries.filter(({ refused }) => refused !== undefined);
  return html`<section><h2 id="${protocol}">${protocol}</h2>
${
  scored.length > 0 &&
  html`<div class="scroll" tabindex="0" role="region" aria-label="${protocol}"><table class="sortable">
<thead><tr>${['Method', 'Submitter', 'Date', ...columns].map(name => heading(name, name === 'mIoU'))}</tr></thead>
<tbody>${scored.map(row)}</tbody></table></div>`
}
${scored.map(classList)}
${
  refused.length > 0 &&
  html`<details class="listing"><summary>${refused.length} not scored</summary><ul class="rows">${refused.map(
    ({ file, received, refused }) =>
      html`<li><span>${received.slice(0, 10)} ${file}</span><span class="why">${refused}</span></li>`,
  )}</ul></details>`
}
</section>`;
}

const heading = (name: string, sorted: boolean): Html =>
  html`<th scope="col"${trusted(sorted ? ' aria-sort="descending"' : '')}><button class="sort" type="button">${name}</button></th>`;

function row({ submitter, received, method, scores }: Entry): Html {
  const { miou, miouForeground, boundaryMiou, imageAccuracy, fBeta, sizes } = scores!;
  const values = [miou, miouForeground, boundaryMiou, imageAccuracy, fBeta, sizes.s, sizes.ms, sizes.ml, sizes.l];
  return html`<tr><th scope="row" title="${method?.description}">${method?.name}</th><td>${submitter}</td><td>${received.slice(0, 10)}</td>
${values.map(cell)}</tr>`;
}

/** Every class of one submission, best first: below the table, where there is room. */
function classList({ submitter, method, scores }: Entry): Html {
  const classes = [...scores!.perClass].sort((a, b) => b.iou - a.iou);
  return html`<details class="listing classes"><summary>Classes of ${method?.name} (${submitter})</summary><ul class="rows">${classes.map(
    ({ name, iou }) => html`<li><span>${name}</span><span>${percent(iou)}</span></li>`,
  )}</ul></details>`;
}

const percent = (value: number): string => (100 * value).toFixed(1);

const cell = (value: number | null): Html =>
  html`<td data-value="${value ?? -1}">${value === null ? '–' : percent(value)}</td>`;

const submitSection = (protocols: readonly string[]): Html =>
  protocols.length === 0
    ? html``
    : html`<section><h2>Send a submission</h2>
<p>A zip as <code>selflabel submission pack</code> writes it, named <code>SUBMITTER-NAME.zip</code>.</p>
<form id="send"><label>Protocol <select id="protocol">${protocols.map(name => html`<option>${name}</option>`)}</select></label>
<label>Zip <input id="zip" type="file" accept=".zip" required></label><button type="submit">Send</button></form>
<p id="verdict" role="status"></p></section>`;
