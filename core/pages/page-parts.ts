/** The pieces that every section of a page is put together from. */
import { countOf, countText } from './figure-text.ts';
import { type Html, type HtmlPart, html } from './html.ts';
import type { Figure } from './report-data.ts';

/** A section with its heading; `lede` says in one or two sentences what the reader is looking at. */
export const section = (id: string, title: string, lede: HtmlPart, body: HtmlPart): Html =>
  html`<section id="${id}" aria-labelledby="${id}-title">
<h2 id="${id}-title">${title}</h2>
<p class="lede">${lede}</p>
${body}
</section>
`;

/** A number in words of its own, or a dash that says why there is none. */
export const figure = (value: Figure | undefined, text: (value: number) => string, why: string): HtmlPart =>
  typeof value === 'number' && Number.isFinite(value) ? text(value) : missing(why);

/** A dash; the reason is its tooltip and is read out. */
export const missing = (why: string): Html =>
  html`<span class="none" title="${why}"><span aria-hidden="true">—</span><span class="vh">no value: ${why}</span></span>`;

/** A name given by people or files: shown exactly, and kept from turning the text around it (bidirectional isolation). */
export const name = (text: string): Html => html`<bdi class="name">${text}</bdi>`;

/** A command and a button to copy it. */
export const command = (text: string): Html =>
  html`<div class="command"><pre tabindex="0" role="region" aria-label="Command"><code>${text}</code></pre>${copyButton('Copy the command')}</div>`;

export const copyButton = (label: string): Html =>
  html`<button class="copy needs-js" aria-label="${label}">Copy</button>`;

/** Name and value pairs, side by side where there is room; `wide` ones keep a line each. */
export const pairs = (rows: readonly (readonly [term: string, value: HtmlPart])[], kind = ''): Html =>
  html`<dl class="pairs ${kind}">${rows.map(([term, value]) => html`<div><dt>${term}</dt><dd>${value}</dd></div>`)}</dl>`;

/** SHA-256 in short with the whole beside it for copying and printing. */
export const hash = (sha256: string): Html => html`<code class="hash">${sha256}</code>`;

/** A table that scrolls by itself where the screen is narrow. */
export const table = (label: string, head: readonly HtmlPart[], rows: HtmlPart, kind = ''): Html =>
  html`<div class="scroll" tabindex="0" role="region" aria-label="${label}"><table class="${kind}"><caption class="vh">${label}</caption>
<thead><tr>${head.map(cell => html`<th scope="col">${cell}</th>`)}</tr></thead>
<tbody>${rows}</tbody></table></div>`;

export interface Listing {
  readonly id: string;
  /** What the entries are: one, several. */
  readonly one: string;
  readonly many: string;
  readonly rows: readonly HtmlPart[];
  /** How many there are in all, of which `rows` may show a part. */
  readonly total: number;
}

/** Entries beyond these are in the receipt only: a page of a hundred thousand lines helps nobody. */
const mostRows = 500;
/** Lists up to this length stand open and need no filter. */
const fewRows = 8;

/** A list that folds away when it is long, with a filter. Nothing at all where there is nothing. */
export function listing({ id, one, many, rows, total }: Listing): HtmlPart {
  if (total === 0 && rows.length === 0) return null;
  const shown = rows.slice(0, mostRows);
  const rest =
    total > shown.length &&
    html`<p class="more">${countText(shown.length)} of ${countText(total)} shown; all of them are in <code>receipt.json</code>.</p>`;
  const filter =
    shown.length > fewRows &&
    html`<p class="needs-js"><label>Filter <input type="search" data-filters="${id}"></label></p>`;
  return html`<details class="listing"${total <= fewRows ? html` open` : null}><summary>${countOf(total, one, many)}</summary>
${filter}<ul id="${id}" class="rows">${shown.map(row => html`<li>${row}</li>`)}</ul>${rest}</details>`;
}
