/** Pictures that look almost the same, in groups: they weigh more than others, and one label may do for all of them. */
import { countOf, ratioText } from './figure-text.ts';
import { type Html, html } from './html.ts';
import { name, section } from './page-parts.ts';
import { labelledPicture, tileRatio } from './picture-tile.ts';
import type { NearDuplicateFacts } from './report-data.ts';

const title = 'Near-duplicates';

export function nearDuplicatesSection({ groups, total, above }: NearDuplicateFacts): Html {
  const rule = `Pictures whose embeddings have a cosine of ${ratioText(above)} or more count as near-duplicates.`;
  if (total.groups === 0) return section('near-duplicates', title, `${rule} There are none.`, null);
  const rest = total.groups - groups.length;
  return section(
    'near-duplicates',
    title,
    `${countOf(total.images, 'picture')} in ${countOf(total.groups, 'group')} look almost the same. ${rule} Labels are not changed by it.`,
    html`<ul class="merges beside">${groups.map(entry)}</ul>
<p class="more">${rest > 0 ? html`${countOf(rest, 'more group')}; all` : 'All'} of them are in <code>near-duplicates.csv</code>.</p>`,
  );
}

const entry = ({
  pictures,
  images,
}: NearDuplicateFacts['groups'][number]): Html => html`<li><p><strong>${countOf(images, 'picture')}</strong>${
  images > pictures.length && html` <span class="under">${pictures.length} shown</span>`
}</p>
<ul class="gallery" style="--tile:${tileRatio(pictures)}">${pictures.map(
  picture =>
    html`<li><span class="t">${labelledPicture(picture)}</span><span class="under file">${name(picture.image)}</span></li>`,
)}</ul></li>`;
