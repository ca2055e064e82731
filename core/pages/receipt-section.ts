/** Every input ends in exactly one state, and this section proves it or says that it does not. */
import { countOf, countText } from './figure-text.ts';
import { type Html, html } from './html.ts';
import { listing, name, section } from './page-parts.ts';
import type { ReceiptFacts } from './report-data.ts';

const states = [
  ['labelled', 'have a label map'],
  ['empty', 'label map without any object'],
  ['duplicate', 'same bytes as another input'],
  ['rejected', 'could not be used'],
] as const;

/** Inputs that are in no state (positive) or in more than one (negative); 0 when the receipt is right. */
export const receiptGap = (counts: ReceiptFacts['counts']): number =>
  counts.total - counts.labelled - counts.empty - counts.duplicate - counts.rejected;

export function receiptSection(receipt: ReceiptFacts): Html {
  return section(
    'receipt',
    'Receipt',
    'What became of every file. Files that could not be used are listed with the reason.',
    html`${equation(receipt.counts)}${balance(receipt)}${listings(receipt)}`,
  );
}

const equation = (counts: ReceiptFacts['counts']): Html =>
  html`<ol class="equation"><li class="total"><strong>${countText(counts.total)}</strong> inputs</li>${states.map(
    ([state, meaning]) => html`<li><strong>${countText(counts[state])}</strong> ${state}<small>${meaning}</small></li>`,
  )}</ol>`;

function balance({ counts, ...lists }: ReceiptFacts): Html {
  const sum = `${states.map(([state]) => countText(counts[state])).join(' + ')}`;
  const gap = receiptGap(counts);
  const excess = excessWords({ counts, ...lists });
  if (gap === 0 && excess === '')
    return html`<p class="verdict good">${countText(counts.total)} = ${sum}. The counts add up.</p>`;
  const words = gap > 0 ? `${countOf(gap, 'input')} in no state` : `${countOf(-gap, 'state')} too many`;
  return html`<p class="verdict bad" role="alert"><strong>The receipt does not add up.</strong> ${
    gap !== 0 && html`${countText(counts.total)} ≠ ${sum}: ${words}. `
  }${excess}Do not deliver these labels before this is explained.</p>`;
}

/** A list may be shorter than its count (the rest is in the receipt), never longer. */
function excessWords({ counts, rejected, duplicates, empty }: ReceiptFacts): string {
  return (
    [
      ['rejected', rejected.length, counts.rejected],
      ['duplicate', duplicates.length, counts.duplicate],
      ['empty', empty.length, counts.empty],
    ] as const
  )
    .filter(([, listed, counted]) => listed > counted)
    .map(
      ([state, listed, counted]) =>
        `${countText(listed)} files are listed as ${state}, ${countText(counted)} were counted. `,
    )
    .join('');
}

function listings({ counts, rejected, duplicates, empty, notes, noted }: ReceiptFacts): Html {
  return html`${listing({
    id: 'rejected-files',
    one: 'rejected file',
    many: 'rejected files',
    total: counts.rejected,
    rows: rejected.map(({ image, reason }) => html`${name(image)} <span class="why">${reason}</span>`),
  })}${listing({
    id: 'notes',
    one: 'note',
    many: 'notes',
    total: noted ?? notes.length,
    rows: notes.map(({ image, note }) => html`${name(image)} <span class="why">${note}</span>`),
  })}${listing({
    id: 'duplicate-files',
    one: 'duplicate',
    many: 'duplicates',
    total: counts.duplicate,
    rows: duplicates.map(({ image, of }) => html`${name(image)} <span class="why">same as ${name(of)}</span>`),
  })}${listing({
    id: 'empty-files',
    one: 'image without an object',
    many: 'images without an object',
    total: counts.empty,
    rows: empty.map(name),
  })}`;
}
