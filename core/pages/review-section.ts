/** The images most worth a look, with reasons, and how long looking would take. */
import { swatch } from './class-color.ts';
import { countOf, countText, percentText, ratioText, roughDurationText } from './figure-text.ts';
import { type Html, html } from './html.ts';
import { figure, name, section } from './page-parts.ts';
import { pictureButton, tileRatio } from './picture-tile.ts';
import type { ClassFacts, ReportData, ReviewItem } from './report-data.ts';

export function reviewSection({ review, classes, receipt }: ReportData): Html {
  const lede = 'The pictures whose labels are most likely wrong, worst first.';
  if (review.suggested === 0)
    return section('review', 'Review first', lede, html`<p>No picture stands out. ${blindSpot}</p>`);
  const byId = new Map(classes.map(one => [one.id, one]));
  const rest = review.suggested - review.items.length;
  return section(
    'review',
    'Review first',
    lede,
    html`${estimate(review, receipt.counts.labelled)}
<ul class="review" style="--tile:${tileRatio(review.items)}">${review.items.map(item => card(item, byId))}</ul>
${rest > 0 && more(rest)}
<p class="aside">${blindSpot}</p>`,
  );
}

const more = (rest: number): Html => html`<p class="more">${countOf(rest, 'more image')} ${rest === 1 ? 'is' : 'are'}
below the line; sort <code>clusters.csv</code> by confidence for all of them.</p>`;

/** What no such list can do. */
const blindSpot =
  'This finds labels that the model is unsure of, not labels that it is sure of and wrong. The random pictures of each class are there for those.';

function estimate({ suggested, rule, secondsPerImage }: ReportData['review'], labelled: number): Html {
  const share = labelled > 0 ? `, ${percentText(suggested / labelled)} of the labelled ones` : '';
  const time = html`<output data-estimate="${suggested}">${roughDurationText(suggested * secondsPerImage)}</output>`;
  return html`<p class="estimate"><strong>${countOf(suggested, 'image')}, about ${time}</strong>${share}. Chosen by: ${rule}.
<span class="needs-js"><label>Seconds per image
<input type="number" id="pace" min="1" max="3600" value="${secondsPerImage}"></label></span>
<span class="under">The time is an assumption of ${countText(secondsPerImage)} s to look at a picture and decide;
drawing a mask anew takes longer.</span></p>`;
}

/** Classes named per picture, the largest: more of them would hide the picture. */
const chipsShown = 6;

const card = (item: ReviewItem, classes: ReadonlyMap<number, ClassFacts>): Html => html`
<li>${pictureButton(item)}<div><p class="file">${name(item.image)}</p>
<p>${item.classes.slice(0, chipsShown).map(id => chip(id, classes.get(id)))}
${item.classes.length > chipsShown && html`<span class="under">${item.classes.length - chipsShown} more ·</span> `}<span class="under">confidence ${figure(item.confidence, ratioText, 'no confidence was given')}</span></p>
<ul class="reasons">${item.reasons.map(reason => html`<li>${reason}</li>`)}</ul></div></li>`;

/** A link to a class in its colour. */
function chip(id: number, found: ClassFacts | undefined): Html {
  if (!found) return html`<span class="chip">class ${id}</span> `;
  return html`<a class="chip" href="#class-${id}">${swatch(found)}${name(found.name)}</a> `;
}
