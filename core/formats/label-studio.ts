/**
 * Export `label-studio`: tasks with predictions to import, and the labelling interface that fits them (labelstud.io,
 * “Import pre-annotated data”).
 *
 *   labeling-config.xml    paste it under Settings, Labeling Interface, Code; before importing the tasks
 *   tasks-0001.json, …     import them one by one; at most 1,000 images each
 *
 *   [{"data":{"image":"/data/local-files/?d=a/b.jpg"},
 *     "predictions":[{"model_version":"my-model","score":0.91,"result":[
 *       {"id":"1-4","type":"brushlabels","from_name":"label","to_name":"image",
 *        "original_width":3,"original_height":2,"image_rotation":0,
 *        "value":{"format":"rle","rle":[0,0,0,24,…],"brushlabels":["cat"]}}]}]}]
 *
 * One brush region per class and image, encoded as in brush-rle.ts; ignored classes and background have none. `score` is
 * the image's confidence, so that the least certain images can be sorted to the front. Images are expected in Label Studio's
 * local storage with the images' folder as document root (LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT).
 */
import { classColours } from '../labels/class-colours.ts';
import { hexOfColour } from '../labels/palette.ts';
import { encodeBrush } from './brush-rle.ts';
import {
  classNames,
  type ExportContext,
  type Exporter,
  type ExportFile,
  type LabelledImage,
  textFile,
} from './exporter.ts';
import { pictureRuns } from './rle.ts';
import { TextParts } from './text-parts.ts';
import { xmlTag } from './xml-text.ts';

/** Label Studio takes uploads of limited size and is slow with many tasks at once. */
const tasksPerFile = 1000;
const localFiles = '/data/local-files/?d=';

/** The labelling interface: brush labels with the classes' names and colours. */
function labelingConfig({ classes }: ExportContext): string {
  const colours = classColours(classes);
  const labels = classes.map(({ id, name }) => {
    return `    ${xmlTag('Label', { value: name, background: hexOfColour(colours.get(id)!) }, true)}\n`;
  });
  const image = xmlTag('Image', { name: 'image', value: '$image', zoom: 'true' }, true);
  const brush = xmlTag('BrushLabels', { name: 'label', toName: 'image' });
  return `<View>\n  ${image}\n  ${brush}\n${labels.join('')}  </BrushLabels>\n</View>\n`;
}

function resultsOf({ map }: LabelledImage, task: number, names: ReadonlyMap<number, string>): object[] {
  const { width, height } = map;
  return [...pictureRuns(map)].map(([id, runs]) => ({
    id: `${task}-${id}`,
    type: 'brushlabels',
    from_name: 'label',
    to_name: 'image',
    original_width: width,
    original_height: height,
    image_rotation: 0,
    value: {
      format: 'rle',
      rle: encodeBrush(runs),
      brushlabels: [names.get(id)!],
    },
  }));
}

function taskOf(image: LabelledImage, number: number, names: ReadonlyMap<number, string>, source: string): string {
  const path = image.image.split('/').map(encodeURIComponent).join('/');
  const prediction = {
    model_version: source,
    score: image.confidence,
    result: resultsOf(image, number, names),
  };
  return JSON.stringify({ data: { image: `${localFiles}${path}` }, predictions: [prediction] });
}

const taskFile = (number: number, tasks: TextParts): ExportFile => ({
  key: `tasks-${String(number).padStart(4, '0')}.json`,
  bytes: tasks.add('\n]\n').bytes(),
});

export const exportLabelStudio: Exporter = async function* (images, context) {
  const names = classNames(context);
  let count = 0;
  let tasks = new TextParts();
  for await (const image of images) {
    tasks.add(`${count % tasksPerFile === 0 ? '[' : ','}\n${taskOf(image, count + 1, names, context.source)}`);
    count++;
    if (count % tasksPerFile !== 0) continue;
    yield taskFile(count / tasksPerFile, tasks);
    tasks = new TextParts();
  }
  if (count % tasksPerFile !== 0) yield taskFile(Math.ceil(count / tasksPerFile), tasks);
  yield textFile('labeling-config.xml', labelingConfig(context));
};
