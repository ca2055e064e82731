/** How strongly the labels cover the pictures: one setting for the page, shown wherever there is room for it. */
import { html } from './html.ts';

export const overlaySlider = html`<label class="overlay">Label opacity <output>60%</output><input type="range" class="opacity" min="0" max="100" value="60"></label>`;
