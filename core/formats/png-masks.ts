/**
 * Export `png`: one PNG per image with pixel value = class id, and the list of classes.
 *
 *   masks/a/b.png     8-bit palette in the classes' colours; 16-bit grey once a class id is above 255
 *   categories.txt    id, tab, name: `0<tab>background`, `1<tab>cat`, …
 *
 * It is the layout that `--masks` reads, so an export can be the ground truth of another run. Ignored classes are 0.
 */
import { classColours } from '../labels/class-colours.ts';
import { colourOf } from '../labels/palette.ts';
import type { Exporter } from './exporter.ts';
import { textFile } from './exporter.ts';
import { encodeIndexPng } from './png-index.ts';

export const exportPng: Exporter = async function* (images, { classes, deflate }) {
  const colours = classColours(classes);
  const palette = (id: number) => colours.get(id) ?? colourOf(0);
  const highest = classes.at(-1)?.id ?? 0;
  for await (const { name, map } of images) {
    yield { key: `masks/${name}.png`, bytes: await encodeIndexPng(map, { deflate, highest, palette }) };
  }
  const lines = ['0\tbackground', ...classes.map(({ id, name }) => `${id}\t${name}`)];
  yield textFile('categories.txt', `${lines.join('\n')}\n`);
};
