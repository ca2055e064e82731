/** How object and background were told apart, and whether that can be trusted, without any label. */
import { fractionOf, histogramChart } from './bars.ts';
import { percentText, ratioText } from './figure-text.ts';
import { type Html, html } from './html.ts';
import { section } from './page-parts.ts';
import type { ForegroundCheck, ForegroundFacts, ForegroundSign } from './report-data.ts';

export function foregroundSection(facts: ForegroundFacts | null): Html {
  const title = 'Foreground check';
  if (!facts)
    return section(
      'foreground',
      title,
      'This job ran with no background: every pixel was given a class, so there is nothing to check here.',
      null,
    );
  return section(
    'foreground',
    title,
    'How object and background were told apart, and the signs that tell a success from a failure without any label.',
    html`<div class="split"><div>${chart(facts)}</div><div>${facts.check ? checkWords(facts.check) : unchecked}</div></div>`,
  );
}

const sources = {
  'from-scores': 'found by the scores alone (Otsu’s method), no label needed',
  'from-masks': 'chosen for the best mIoU on the masks given',
  given: 'given by hand',
};

function chart({ threshold, source, otsu, histogram, share }: ForegroundFacts): Html {
  const { low, high } = histogram;
  const [from, to, at] = [low, high, threshold].map(ratioText);
  const words = `Histogram of foreground scores from ${from} to ${to}. Threshold at ${at}: ${percentText(share)} of all pixels lie above.`;
  const other = otsu !== null && ratioText(otsu) !== at;
  return html`<figure class="chart"><div class="plot">${histogramChart(histogram, threshold, words)}
${mark(threshold, low, high, 'threshold')}${other && mark(otsu, low, high, 'otsu')}</div>
<div class="axis"><span>${from}</span><span>foreground score</span><span>${to}</span></div>
<figcaption><span class="key below">background ${percentText(1 - share)}</span>
<span class="key above">foreground ${percentText(share)}</span><br>
Threshold <b>${at}</b>, ${sources[source]}.${other && html` Otsu’s threshold (dotted): ${ratioText(otsu)}.`}</figcaption></figure>`;
}

const mark = (at: number, low: number, high: number, kind: string): Html =>
  html`<i class="${kind}" style="left:${(fractionOf(at, low, high) * 100).toFixed(2)}%"></i>`;

const unchecked = html`<p>No head was trained for this job, so the signs of failure do not apply.
Look at the contact sheets: does the colour cover objects?</p>`;

const checkWords = (check: ForegroundCheck): Html =>
  html`${check.failed ? failed : notFailed}<ul class="signs">${signs.map(kind => sign(kind, check[kind.key]))}</ul>`;

const failed = html`<p class="verdict bad"><strong>It looks failed.</strong> What was learned as “object” is probably not
objects. Try other pictures, a stronger backbone, or <code>--background none</code> if these pictures have no background.</p>`;

const notFailed = html`<p class="verdict good"><strong>No sign of failure.</strong> That is no proof of quality, but the
known ways of going wrong did not happen.</p>`;

interface SignKind {
  readonly key: 'agreement' | 'borderForeground' | 'allOrNothing';
  /** Where values are suspicious, seen from the limit. */
  readonly side: 'above' | 'below';
  readonly title: string;
  /** Follows the value. */
  readonly words: string;
}

const signs: readonly SignKind[] = [
  {
    key: 'agreement',
    side: 'below',
    title: 'Two starts, one answer',
    words: 'of the pixels get the same answer from two heads that were trained from different seeds.',
  },
  {
    key: 'borderForeground',
    side: 'above',
    title: 'Border mostly background',
    words: 'of the image border was called foreground. Objects rarely fill the border; a head that turned round does.',
  },
  {
    key: 'allOrNothing',
    side: 'above',
    title: 'Pictures have both',
    words: 'of the images are foreground all over or nowhere.',
  },
];

const looks = {
  plain: { mark: '–', spoken: 'Not measured' },
  bad: { mark: '✕', spoken: 'Suspicious' },
  good: { mark: '✓', spoken: 'Fine' },
};

function sign({ side, title, words }: SignKind, { value, limit, suspicious }: ForegroundSign): Html {
  const tone = value === null ? 'plain' : suspicious ? 'bad' : 'good';
  const { mark: shape, spoken } = looks[tone];
  const sentence = value === null ? 'Not measured in this job.' : `${percentText(value)} ${words}`;
  return html`<li class="${tone}"><span class="mark" aria-hidden="true">${shape}</span><div>
<p><strong>${title}</strong> <span class="vh">${spoken}.</span></p>
<p>${sentence} <span class="under">Suspicious ${side} ${percentText(limit)}.</span></p></div></li>`;
}
