/** How strongly the labels cover the pictures: one setting for the page, shown wherever there is room for it. */
import { html } from './html.ts';

// The slider stands before the output: a label names the first of the two.

export const overlaySlider = html`<label class="overlay"><span>Label opacity</span><input type="range" class="opacity" min="0" max="100" value="60"><output aria-hidden="true">60%</output></label>`;
