/** The largest classes, a picture each: what was found, at a glance. */
import { inkOn, safeColor } from './class-color.ts';
import { percentText } from './figure-text.ts';
import { type Html, type HtmlPart, html } from './html.ts';
import { name } from './page-parts.ts';
import { labelledPicture, tileRatio } from './picture-tile.ts';
import type { ClassFacts, PictureFacts } from './report-data.ts';

/** Two rows on a desk, four on a phone. */
const mostShown = 12;

export function classGallery(classes: readonly ClassFacts[]): HtmlPart {
  const shown = classes
    .filter(({ ignore }) => !ignore)
    .sort((a, b) => b.share - a.share || a.id - b.id)
    .map(one => ({ one, picture: one.members[0] }))
    .filter(
      (entry): entry is { one: ClassFacts; picture: NonNullable<typeof entry.picture> } => entry.picture !== undefined,
    )
    .slice(0, mostShown);
  if (shown.length === 0) return null;
  return html`<ul class="gallery" style="--tile:${tileRatio(shown.map(({ picture }) => picture))}">${shown.map(({ one, picture }) => entry(one, picture))}</ul>`;
}

const entry = ({ id, name: given, color, share }: ClassFacts, picture: PictureFacts): Html =>
  html`<li><a href="#class-${id}"><span class="t">${labelledPicture(picture)}</span><span class="swatch" style="--c:${safeColor(color)};--i:${inkOn(color)}">${id}</span> ${name(given)} <span class="under">${percentText(share)}</span></a></li>`;
