/** Every class with its contact sheet, to look through, judge and name. */
import { shareBar } from './bars.ts';
import { choiceChart } from './choice-chart.ts';
import { swatch } from './class-color.ts';
import { countOf, countText, percentText, ratioText, shortCount } from './figure-text.ts';
import { type Html, html } from './html.ts';
import { mergesPart } from './merges-part.ts';
import { overlaySlider } from './overlay-slider.ts';
import { copyButton, figure, name, section } from './page-parts.ts';
import { pictureTile, tileRatio } from './picture-tile.ts';
import type { ClassFacts, Figure, MemberFacts, MemberGroup, ReportData } from './report-data.ts';
import { shellWord } from './shell-word.ts';

export function classesSection(data: ReportData): Html {
  const { classes, directory, choice, merges } = data;
  const sorted = [...classes].sort((a, b) => b.pixels - a.pixels || a.id - b.id);
  const ratio = tileRatio(classes.flatMap(({ members }) => members));
  return section(
    'classes',
    'Classes',
    html`What the pictures fell into by themselves. The figure under a picture is its confidence. Numbers are stable; names are yours to give, and giving them computes nothing anew.${
      merges.total > 0 && html` <a href="#merges">${countOf(merges.total, 'merge')} proposed</a>.`
    }`,
    html`${toolbar(classes.length)}
<div id="class-list" style="--tile:${ratio}">${sorted.map(one => classCard(one, directory))}</div>
<p id="no-class" class="more" hidden>No class matches the filter.</p>
${choiceChart(choice)}${mergesPart(data)}
${changes(directory)}`,
  );
}

const orders = [
  ['pixels', 'Largest first'],
  ['-pixels', 'Smallest first'],
  ['images', 'Most images first'],
  ['-cohesion', 'Least cohesive first'],
  ['cohesion', 'Most cohesive first'],
  ['-confidence', 'Least confident first'],
  ['confidence', 'Most confident first'],
  ['name', 'By name'],
  ['id', 'By number'],
] as const;

const toolbar = (count: number): Html => html`
<div class="toolbar needs-js" role="search" aria-label="Classes">
<label class="grow">Filter <input type="search" id="class-filter" placeholder="name, number or file"></label>
<label>Sort <select id="class-sort">${orders.map(([key, words]) => html`<option value="${key}">${words}</option>`)}</select></label>
${overlaySlider}
<output id="class-count" aria-live="polite">${countOf(count, 'class', 'classes')}</output>
</div>`;

const groups: readonly (readonly [MemberGroup, string, string])[] = [
  ['central', 'Central', 'closest to the centroid'],
  ['uncertain', 'Uncertain', 'least confident'],
  ['random', 'Random', 'drawn blindly'],
];

function classCard(one: ClassFacts, directory: string): Html {
  const { id, images, pixels, share, cohesion, confidence } = one;
  return html`
<article class="class" id="class-${id}" aria-label="${one.name}" data-id="${id}" data-name="${one.name}"
data-pixels="${pixels}" data-images="${images}" data-cohesion="${cohesion ?? ''}" data-confidence="${confidence ?? ''}">
<header>${swatch(one)}
<div><h3>${name(one.name)}${one.ignore && html` <span class="badge">ignored</span>`}</h3>
<p class="under">${countOf(images, 'image')} · <span title="${countOf(pixels, 'pixel')}">${shortCount(pixels)} px</span>
· ${percentText(share)} of all pixels · ${clusterWords(one.clusters)}</p></div>
<dl class="gauges">${gauge('Cohesion', cohesion, 'too few pixels to say how alike they are')}
${gauge('Confidence', confidence, 'no confidence was given')}</dl></header>
${sheet(one.members)}
${renameRow(id, directory)}
</article>`;
}

const renameRow = (id: number, directory: string): Html => html`<div class="rename">
<label class="needs-js">Name
<input type="text" maxlength="80" autocomplete="off" spellcheck="false" aria-label="New name for class ${id}"></label>
<label class="needs-js"><input type="checkbox" aria-label="Ignore class ${id}"> ignore</label>
<code>selflabel classes rename ${shellWord(directory)} ${id} "new name"</code>
${copyButton(`Copy the command for class ${id}`)}</div>`;

const clusterWords = (clusters: readonly number[]): string =>
  `${clusters.length === 1 ? 'cluster' : 'clusters'} ${clusters.length > 6 ? countText(clusters.length) : clusters.join(', ')}`;

const gauge = (label: string, value: Figure, why: string): Html =>
  html`<div><dt>${label}</dt><dd>${figure(value, ratioText, why)}${value !== null && shareBar(value)}</dd></div>`;

function sheet(members: readonly MemberFacts[]): Html {
  if (members.length === 0) return html`<p class="more">No picture of this class was kept.</p>`;
  const parts = groups.map(([group, title, meaning]) => {
    const tiles = members.filter(member => member.group === group).map(member => pictureTile(member, member.distance));
    if (tiles.length === 0) return null;
    return html`<figure><figcaption>${title} <small>${meaning}</small></figcaption><ul role="list">${tiles}</ul></figure>`;
  });
  return html`<div class="sheet">${parts}</div>`;
}

/** Collects what was typed on all the cards into commands to run at once. */
const changes = (directory: string): Html => html`
<aside id="changes" aria-label="Changes to copy" data-command="selflabel classes" data-directory="${shellWord(directory)}" hidden>
<p><output aria-live="polite"></output> <span class="under">The same name twice merges the classes.</span></p>
<pre tabindex="0" role="region" aria-label="Commands"></pre>
<p><button class="copy" aria-label="Copy all commands">Copy all</button>
<button class="plain" id="forget">Forget them</button></p></aside>`;
