/**
 * Export `voc`: Pascal VOC segmentation, as CVAT imports it under “Segmentation mask 1.1”.
 *
 *   labelmap.txt                          `cat:230,25,75::` per class: name, colour, then parts and actions (none)
 *   ImageSets/Segmentation/default.txt    one image per line, without extension: `a/b`
 *   SegmentationClass/a/b.png             classes
 *   SegmentationObject/a/b.png            objects: each class of the picture counts as one
 *
 * Masks are palette PNGs. The pixel value is the line of the class in labelmap.txt, 0 being `background`, and its colour
 * is the colour there, so readers that go by value and readers that go by colour agree. Class ids with gaps (merged,
 * ignored) close up. Ignored classes are background. Value 255 is not used: VOC readers take it for “ignore”.
 *
 * A palette thus holds 254 classes, and more are refused: colour masks without a palette could hold them, but common
 * importers count labels in a byte and would mix classes up without a word.
 */
import { PermanentError } from '../errors.ts';
import { classColours } from '../labels/class-colours.ts';
import type { LabelClass } from '../labels/class-map.ts';
import type { LabelMap } from '../labels/label-map.ts';
import type { Colour } from '../labels/palette.ts';
import { presentIds } from '../labels/present-ids.ts';
import { type ExportContext, type Exporter, textFile } from './exporter.ts';
import { encodeIndexPng } from './png-index.ts';
import { TextParts } from './text-parts.ts';

/** Classes that values 1 … 254 can hold. */
const mostClasses = 254;

/** The colours VOC gives to objects: the bits of the number, dealt out to red, green and blue from the highest down. */
function vocColour(number: number): Colour {
  const channel = (first: number) => {
    let value = 0;
    for (let bit = 0; bit < 8; bit++) value |= ((number >> (3 * bit + first)) & 1) << (7 - bit);
    return value;
  };
  return [channel(0), channel(1), channel(2)];
}

/** @throws PermanentError for a name that labelmap.txt cannot hold */
function labelMapLine({ id, name }: LabelClass, colour: Colour): string {
  if (name.includes(':') || name.startsWith('#')) {
    throw new PermanentError(
      `class ${id} “${name}” cannot be written to labelmap.txt, where “:” ends a name and “#” starts a remark; rename it for this export`,
    );
  }
  return `${name}:${colour.join(',')}::`;
}

/** @throws PermanentError for a name of more than one line */
function listLine(name: string): string {
  if (/[\r\n]/.test(name))
    throw new PermanentError(`${JSON.stringify(name)} has a line end in its name; rename the image`);
  return `${name}\n`;
}

/** A map with other ids. @param idOf new id of each old id */
function renumbered({ width, height, data }: LabelMap, idOf: ReadonlyMap<number, number>): LabelMap {
  const table = new Uint16Array(65536);
  for (const [from, to] of idOf) table[from] = to;
  const renumberedData = new Uint16Array(data.length);
  for (let i = 0; i < data.length; i++) renumberedData[i] = table[data[i]!]!;
  return { width, height, data: renumberedData };
}

/** Numbers the ids that occur in a map 1, 2, … */
const objectsOf = (map: LabelMap): LabelMap => renumbered(map, new Map(presentIds(map).map((id, i) => [id, i + 1])));

export const exportVoc: Exporter = async function* (images, { classes, deflate }: ExportContext) {
  if (classes.length > mostClasses) {
    throw new PermanentError(
      `voc masks hold at most ${mostClasses} classes, and there are ${classes.length}; export coco, cvat or png, or merge and ignore classes`,
    );
  }
  const chosen = classColours(classes);
  const colours: Colour[] = [[0, 0, 0], ...classes.map(({ id }) => chosen.get(id)!)];
  const palette = (line: number) => colours[line]!;
  const lines = classes.map((item, i) => labelMapLine(item, colours[i + 1]!));
  const lineOf = new Map(classes.map(({ id }, i) => [id, i + 1]));
  const list = new TextParts();
  for await (const { name, map } of images) {
    list.add(listLine(name));
    const byLine = renumbered(map, lineOf);
    const bytes = await encodeIndexPng(byLine, { deflate, highest: classes.length, palette });
    yield { key: `SegmentationClass/${name}.png`, bytes };
    const objects = await encodeIndexPng(objectsOf(byLine), { deflate, palette: vocColour });
    yield { key: `SegmentationObject/${name}.png`, bytes: objects };
  }
  yield { key: 'ImageSets/Segmentation/default.txt', bytes: list.bytes() };
  const head = ['# label:color_rgb:parts:actions', 'background:0,0,0::'];
  yield textFile('labelmap.txt', `${[...head, ...lines].join('\n')}\n`);
};
