/**
 * Export `yolo`: Ultralytics' segmentation format (docs.ultralytics.com/datasets/segment).
 *
 *   labels/a/b.txt    one line per connected region: class index, then x y of each corner, as shares of width and height
 *   data.yaml         names of the class indices, and where the images belong: put them into `images/` beside `labels/`
 *
 * Example: class 0 as `X.` over `XX` in a picture 2 wide and 2 high, corners as shares:
 *
 *   0 0.5 0 0.5 0.5 1 0.5 1 1 0 1 0 0
 *
 * Indices run 0 … n − 1 through the classes by id; ignored classes have none, and no lines. An image without labels has an
 * empty file. Corners are pixel corners, so filling by the even-odd rule at pixel centres gives the map back exactly;
 * holes are joined to the outline by a cut of no width. (Ultralytics itself fills with the outline's pixels included and
 * after scaling, so its own masks are up to a pixel wider.)
 */
import { type Exporter, type LabelledImage, textFile } from './exporter.ts';
import { keyhole, traceRegions } from './polygons.ts';

/** Shares are written to a millionth: exact to a pixel corner in pictures up to 500,000 pixels wide. */
const share = (corner: number, length: number): string => String(Math.round((corner / length) * 1e6) / 1e6);

function linesOf({ map }: LabelledImage, indexOf: ReadonlyMap<number, number>): string {
  const lines = traceRegions(map).map(region => {
    const corners = keyhole(region);
    const shares = Array.from(corners, (corner, i) => share(corner, i % 2 === 0 ? map.width : map.height));
    return `${indexOf.get(region.id)} ${shares.join(' ')}\n`;
  });
  return lines.join('');
}

export const exportYolo: Exporter = async function* (images, { classes }) {
  const indexOf = new Map(classes.map(({ id }, index) => [id, index]));
  for await (const image of images) yield textFile(`labels/${image.name}.txt`, linesOf(image, indexOf));
  // A JSON string is a YAML string too.
  const names = classes.map(({ name }, index) => `  ${index}: ${JSON.stringify(name)}\n`);
  const empty = classes.length === 0 ? ' {}' : '';
  yield textFile('data.yaml', `train: images\nval: images\nnames:${empty}\n${names.join('')}`);
};
