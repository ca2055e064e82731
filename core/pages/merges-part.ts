/** Classes that look like one thing cut in two, side by side, and the command that joins them. */
import { swatch } from './class-color.ts';
import { countOf, countText, ratioText } from './figure-text.ts';
import { type Html, type HtmlPart, html } from './html.ts';
import { command, name } from './page-parts.ts';
import { labelledPicture, tileRatio } from './picture-tile.ts';
import type { ClassFacts, MergeFacts, ReportData } from './report-data.ts';
import { shellWord } from './shell-word.ts';

/** Pictures of each class. */
const mostPictures = 3;

export function mergesPart({ merges, classes, directory }: ReportData): HtmlPart {
  if (merges.groups.length === 0) return null;
  const byId = new Map(classes.map(one => [one.id, one]));
  const rest = merges.total - merges.groups.length;
  return html`<h3 id="merges">Proposed merges</h3>
<p class="under">Classes whose centroids are near and that lie in the same pictures: perhaps one thing cut in two. The score
is 0 to 1; from ${ratioText(merges.above)} on a merge is proposed. Look at the pictures, then carry out all of them, or one by
one; <code>classes undo</code> takes them back.</p>
${command(`selflabel classes merge ${shellWord(directory)} --proposed`)}
<ul class="merges">${merges.groups.map(group => entry(group, byId, directory))}</ul>
${rest > 0 && html`<p class="more">${countOf(rest, 'more proposal')} in <code>merges.json</code>.</p>`}`;
}

function entry(
  { classes, score }: MergeFacts['groups'][number],
  byId: ReadonlyMap<number, ClassFacts>,
  directory: string,
): Html {
  const members = classes.flatMap(id => byId.get(id) ?? []);
  const pictures = members.flatMap(one => one.members.slice(0, mostPictures).map(member => [one, member] as const));
  const ratio = tileRatio(pictures.map(([, picture]) => picture));
  const tiles = pictures.map(
    ([one, picture]) => html`
<li><a href="#class-${one.id}"><span class="t">${labelledPicture(picture)}</span> ${swatch(one)} ${name(one.name)}</a></li>`,
  );
  return html`<li><p><strong>${classes.map(id => countText(id)).join(' + ')}</strong>
<span class="under">score ${ratioText(score)}</span></p>
<ul class="gallery" style="--tile:${ratio}">${tiles}</ul>
<p class="under"><code>selflabel classes merge ${shellWord(directory)} ${classes.join(' ')}</code></p></li>`;
}
