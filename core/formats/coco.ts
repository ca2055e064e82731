/**
 * Export `coco`: annotations as of MS COCO's instances files (cocodataset.org, "Data format").
 *
 *   annotations/instances_default.json    masks as compressed RLE: exact, holes included; what to train and edit from
 *   polygons/instances_default.json       the same masks as polygons, for tools that read nothing else
 *
 * Labels are of pixels, so there is one annotation per class and image, whatever its number of regions, with
 * `iscrowd` 0, `area` in pixels and `bbox` [left, top, width, height]. `category_id` is the class id; ignored classes
 * and background have no annotation. An image without labels is listed without annotations.
 *
 *   {"images":[{"id":1,"file_name":"a/b.jpg","width":3,"height":2}],
 *    "annotations":[{"id":1,"image_id":1,"category_id":4,"segmentation":{"size":[2,3],"counts":"132"},
 *                    "area":3,"bbox":[0,0,2,2],"iscrowd":0}],
 *    "categories":[{"id":4,"name":"cat","supercategory":""}]}
 *
 * The polygons are one per connected region, along pixel edges, holes joined to the outline by a cut of no width.
 * Filled the way pycocotools fills them they give the same masks, pixel by pixel.
 */
import type { ExportContext, Exporter, LabelledImage } from './exporter.ts';
import { keyhole, traceRegions } from './polygons.ts';
import { classRuns, compressCounts } from './rle.ts';
import { TextParts } from './text-parts.ts';

/** One instances file as it grows: images and annotations are written side by side and joined at the end. */
class InstancesFile {
  readonly #images = new TextParts();
  readonly #annotations = new TextParts();
  #imageCount = 0;
  #annotationCount = 0;

  addImage({ image, map }: LabelledImage): void {
    const entry = { id: ++this.#imageCount, file_name: image, width: map.width, height: map.height };
    this.#images.add(`${this.#imageCount === 1 ? '' : ','}\n${JSON.stringify(entry)}`);
  }

  /** Of the image added last. */
  addAnnotation(annotation: object): void {
    const entry = { id: ++this.#annotationCount, image_id: this.#imageCount, ...annotation, iscrowd: 0 };
    this.#annotations.add(`${this.#annotationCount === 1 ? '' : ','}\n${JSON.stringify(entry)}`);
  }

  bytes({ classes, source }: ExportContext): Uint8Array {
    const info = { description: `labels by ${source}`, version: '1.0' };
    const categories = classes.map(({ id, name }) => JSON.stringify({ id, name, supercategory: '' }));
    return new TextParts()
      .add(`{"info":${JSON.stringify(info)},"licenses":[],"images":[`)
      .append(this.#images)
      .add('\n],"annotations":[')
      .append(this.#annotations)
      .add(`\n],"categories":[\n${categories.join(',\n')}\n]}\n`)
      .bytes();
  }
}

/** Polygons of each class in the picture, one per connected region. */
function polygonsByClass({ map }: LabelledImage): Map<number, number[][]> {
  const polygons = new Map<number, number[][]>();
  for (const region of traceRegions(map)) {
    const list = polygons.get(region.id) ?? [];
    polygons.set(region.id, list);
    list.push([...keyhole(region)]);
  }
  return polygons;
}

export const exportCoco: Exporter = async function* (images, context) {
  const masks = new InstancesFile();
  const outlines = new InstancesFile();
  for await (const image of images) {
    masks.addImage(image);
    outlines.addImage(image);
    const polygons = polygonsByClass(image);
    for (const { id, area, box, counts } of classRuns(image.map)) {
      const rest = { area, bbox: [box.left, box.top, box.width, box.height] };
      const segmentation = { size: [image.map.height, image.map.width], counts: compressCounts(counts) };
      masks.addAnnotation({ category_id: id, segmentation, ...rest });
      outlines.addAnnotation({ category_id: id, segmentation: polygons.get(id), ...rest });
    }
  }
  yield { key: 'annotations/instances_default.json', bytes: masks.bytes(context) };
  yield { key: 'polygons/instances_default.json', bytes: outlines.bytes(context) };
};
