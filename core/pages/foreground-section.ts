/** How object and background were told apart, and whether that can be trusted, without any label. */
import { fractionOf, histogramChart } from './bars.ts';
import { percentText, ratioText } from './figure-text.ts';
import { type Html, type HtmlPart, html } from './html.ts';
import { figure, section } from './page-parts.ts';
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
  const words = `Histogram of foreground scores from ${ratioText(low)} to ${ratioText(high)}. Threshold at ${ratioText(threshold)}: ${percentText(share)} of all pixels lie above.`;
  const otherOtsu = otsu !== null && ratioText(otsu) !== ratioText(threshold);
  return html`<figure class="chart"><div class="plot">${histogramChart(histogram, threshold, words)}${mark(threshold, low, high, 'threshold')}${
    otherOtsu && mark(otsu, low, high, 'otsu')
  }</div><div class="axis"><span>${ratioText(low)}</span><span>foreground score</span><span>${ratioText(high)}</span></div>
<figcaption><span class="key below">background ${percentText(1 - share)}</span> <span class="key above">foreground ${percentText(share)}</span><br>
Threshold <b>${ratioText(threshold)}</b>, ${sources[source]}.${otherOtsu && html` Otsu’s threshold (dotted): ${ratioText(otsu)}.`}</figcaption></figure>`;
}

const mark = (at: number, low: number, high: number, kind: string): Html =>
  html`<i class="${kind}" style="left:${(fractionOf(at, low, high) * 100).toFixed(2)}%"></i>`;

const unchecked = html`<p>No head was trained for this job, so the signs of failure do not apply. Look at the contact sheets: does the colour cover objects?</p>`;

function checkWords(check: ForegroundCheck): Html {
  const verdict = check.failed
    ? html`<p class="verdict bad"><strong>It looks failed.</strong> What was learned as “object” is probably not objects. Try other pictures, a stronger backbone, or <code>--background none</code> if these pictures have no background.</p>`
    : html`<p class="verdict good"><strong>No sign of failure.</strong> That is no proof of quality, but the known ways of going wrong did not happen.</p>`;
  return html`${verdict}<ul class="signs">${sign(check.agreement, 'below', 'Two starts, one answer', value => `Trained twice from different seeds, the two agree on ${value} of the pixels.`)}${sign(
    check.borderForeground,
    'above',
    'Border mostly background',
    value =>
      `${value} of the image border was called foreground. Objects rarely fill the border; a head that turned round calls it foreground.`,
  )}${sign(
    check.allOrNothing,
    'above',
    'Pictures have both',
    value => `${value} of the images are foreground all over or nowhere.`,
  )}</ul>`;
}

function sign(
  { value, limit, suspicious }: ForegroundSign,
  side: 'above' | 'below',
  title: string,
  words: (value: string) => string,
): HtmlPart {
  const tone = value === null ? 'plain' : suspicious ? 'bad' : 'good';
  const marks = { plain: '–', bad: '✕', good: '✓' };
  const spoken = { plain: 'Not measured', bad: 'Suspicious', good: 'Fine' };
  return html`<li class="${tone}"><span class="mark" aria-hidden="true">${marks[tone]}</span><div><p><strong>${title}</strong> <span class="vh">${spoken[tone]}. </span><b class="value">${figure(value, percentText, 'not measured in this job')}</b></p>
<p>${value === null ? 'Not measured in this job.' : words(percentText(value))} <span class="under">Suspicious ${side} ${percentText(limit)}.</span></p></div></li>`;
}
