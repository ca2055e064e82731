/**
 * Export `cvat`: CVAT's own XML, “CVAT for images 1.1” (docs.cvat.ai, “XML annotation format”).
 *
 *   annotations.xml    upload it to the task that holds the images
 *   labels.json        paste it into the task's label editor (“Raw”): names and colours
 *
 *   <image id="0" name="a/b.jpg" width="3" height="2">
 *     <mask label="cat" source="auto" occluded="0" rle="1, 3" left="0" top="0" width="2" height="2" z_order="0"></mask>
 *   </image>
 *
 * One mask per class and image. `rle` reads the box row by row, runs outside and inside in turn, beginning outside (rle.ts).
 * Labels are matched by name, images by path. Ignored classes and background have no mask.
 */
import { classColours } from '../labels/class-colours.ts';
import { hexOfColour } from '../labels/palette.ts';
import { classNames, type ExportContext, type Exporter, type LabelledImage, textFile } from './exporter.ts';
import { classRuns, rowRuns } from './rle.ts';
import { TextParts } from './text-parts.ts';
import { xmlTag, xmlText } from './xml-text.ts';

interface CvatLabel {
  readonly name: string;
  readonly color: string;
}

function labelsOf({ classes }: ExportContext): CvatLabel[] {
  const colours = classColours(classes);
  return classes.map(({ id, name }) => ({ name, color: hexOfColour(colours.get(id)!) }));
}

function metaOf(labels: readonly CvatLabel[], source: string): string {
  const entries = labels.map(
    ({ name, color }) =>
      `        <label><name>${xmlText(name)}</name><color>${color}</color><type>any</type><attributes></attributes></label>\n`,
  );
  return `  <meta>\n    <task>\n      <name>${xmlText(source)}</name>\n      <mode>annotation</mode>\n      <labels>\n${entries.join('')}      </labels>\n    </task>\n  </meta>\n`;
}

function imageElement({ image, map }: LabelledImage, id: number, names: ReadonlyMap<number, string>): string {
  const masks = classRuns(map).map(({ id: classId, box }) => {
    const rle = rowRuns(map, classId, box).join(', ');
    const label = names.get(classId)!;
    return `    ${xmlTag('mask', { label, source: 'auto', occluded: 0, rle, ...box, z_order: 0 })}</mask>\n`;
  });
  return `  ${xmlTag('image', { id, name: image, width: map.width, height: map.height })}\n${masks.join('')}  </image>\n`;
}

export const exportCvat: Exporter = async function* (images, context) {
  const labels = labelsOf(context);
  const names = classNames(context);
  const xml = new TextParts().add('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n');
  xml.add(metaOf(labels, context.source));
  let id = 0;
  for await (const image of images) xml.add(imageElement(image, id++, names));
  yield { key: 'annotations.xml', bytes: xml.add('</annotations>\n').bytes() };
  const raw = labels.map(label => JSON.stringify({ ...label, type: 'any', attributes: [] }));
  yield textFile('labels.json', `[\n${raw.join(',\n')}\n]\n`);
};
