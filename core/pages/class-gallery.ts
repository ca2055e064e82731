/** The largest classes, a picture each: what was found, at a glance. */
import { swatch } from './class-color.ts';
import { percentText } from './figure-text.ts';
import { type Html, type HtmlPart, html } from './html.ts';
import { name } from './page-parts.ts';
import { labelledPicture, tileRatio } from './picture-tile.ts';
import type { ClassFacts, PictureFacts } from './report-data.ts';

/** Two rows on a desk, four on a phone. */
const mostShown = 12;

export function classGallery(classes: readonly ClassFacts[]): HtmlPart {
  const shown = pictured(classes);
  if (shown.length === 0) return null;
  const ratio = tileRatio(shown.map(([, picture]) => picture));
  return html`<ul class="gallery" style="--tile:${ratio}">${shown.map(entry)}</ul>`;
}

/** The largest classes with a picture each, as far as possible one that no other class has shown. */
function pictured(classes: readonly ClassFacts[]): [ClassFacts, PictureFacts][] {
  const used = new Set<string>();
  const largest = classes
    .filter(({ ignore, members }) => !ignore && members.length > 0)
    .sort((a, b) => b.share - a.share || a.id - b.id);
  return largest.slice(0, mostShown).map(one => {
    const picture = one.members.find(({ image }) => !used.has(image)) ?? one.members[0]!;
    used.add(picture.image);
    return [one, picture];
  });
}

const entry = ([one, picture]: [ClassFacts, PictureFacts]): Html => html`
<li><a href="#class-${one.id}"><span class="t">${labelledPicture(picture)}</span>
${swatch(one)} ${name(one.name)} <span class="under">${percentText(one.share)}</span></a></li>`;
