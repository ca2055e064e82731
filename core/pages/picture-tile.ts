/** One picture with its labels over it: a button that enlarges it. */
import { ratioText } from './figure-text.ts';
import { type Html, html } from './html.ts';
import { figure } from './page-parts.ts';
import { relativeUrl } from './relative-url.ts';
import type { Figure, PictureFacts } from './report-data.ts';

/** A button with the picture and its labels. */
export const pictureButton = (picture: PictureFacts, distance: Figure = null): Html =>
  html`<button class="t"${distance !== null && html` data-d="${ratioText(distance)}"`}>${labelledPicture(picture)}</button>`;

/** Picture and labels, to be stacked. Both load only when they come near the screen; the box around them has its size before. */
export const labelledPicture = ({ image, thumbnail, overlay }: PictureFacts): Html =>
  html`<img src="${relativeUrl(thumbnail)}" alt="${image}" loading="lazy"><img src="${relativeUrl(overlay)}" alt="" loading="lazy">`;

/** An entry of a contact sheet: picture and confidence. */
export const pictureTile = (picture: PictureFacts, distance: Figure): Html =>
  html`<li>${pictureButton(picture, distance)}<small>${figure(picture.confidence, ratioText, 'no confidence was given')}</small></li>`;

/** Width to height of most pictures, within 3:4 … 3:2: the shape of all tiles, so that few pictures need margins. */
export function tileRatio(pictures: readonly PictureFacts[]): number {
  const ratios = pictures.map(({ width, height }) => width / height).sort((a, b) => a - b);
  const median = ratios[ratios.length >> 1] ?? 1;
  return Math.round(Math.min(1.5, Math.max(0.75, median)) * 100) / 100;
}
