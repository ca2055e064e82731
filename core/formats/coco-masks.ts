/** COCO instances as ground truth: annotations painted into one label map per image. */
import * as z from 'zod';
import { PermanentError } from '../errors.ts';
import type { LabelMap } from '../labels/label-map.ts';
import { decompressCounts, maskOfCounts } from './rle.ts';

const runs = z.object({ counts: z.union([z.string(), z.array(z.number())]), size: z.tuple([z.number(), z.number()]) });
const annotation = z.object({
  image_id: z.union([z.number(), z.string()]),
  category_id: z.number(),
  segmentation: z.union([z.array(z.array(z.number())), runs]).optional(),
  area: z.number().optional(),
});
const side = z.int().min(1).max(65_535);
const instances = z.object({
  images: z.array(
    z.object({ id: z.union([z.number(), z.string()]), file_name: z.string(), width: side, height: side }),
  ),
  annotations: z.array(annotation).default([]),
  categories: z.array(z.object({ id: z.int().min(0), name: z.string() })).min(1),
});

type Annotation = z.output<typeof annotation>;

export interface CocoMasks {
  /** Classes 1 … N in order of their category ids, which often have gaps. */
  readonly names: ReadonlyMap<number, string>;
  /** Paths of the images as the file has them. */
  readonly images: readonly string[];
  /** The label map of an image. @throws PermanentError if an annotation of it cannot be painted */
  paint(image: string): LabelMap;
}

/**
 * Reads an instances file. Where annotations overlap, the smaller lies on top. Crowds count as their class.
 * @param file its name, for messages
 * @throws PermanentError if it is no such file
 */
export function readCocoMasks(text: string, file: string): CocoMasks {
  const parsed = instances.safeParse(jsonOf(text, file));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new PermanentError(
      `${file} is no COCO instances file: ${issue!.path.join('.') || 'the document'}: ${issue!.message}`,
    );
  }
  const { images, annotations, categories } = parsed.data;
  const ordered = [...categories].sort((a, b) => a.id - b.id);
  const classOf = new Map(ordered.map(({ id }, i) => [id, i + 1]));
  const ofImage = groupedByImage(annotations);
  const byName = new Map(images.map(image => [image.file_name, image]));
  return {
    names: new Map(ordered.map(({ name }, i) => [i + 1, name])),
    images: [...byName.keys()],
    paint(name) {
      const { id, width, height } = byName.get(name)!;
      return paintAll({ width, height, of: `${file}: ${name}` }, ofImage.get(id) ?? [], classOf);
    },
  };
}

function jsonOf(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new PermanentError(`${file} is not JSON; expected a COCO instances file`, { cause });
  }
}

function groupedByImage(annotations: readonly Annotation[]): Map<number | string, Annotation[]> {
  const groups = new Map<number | string, Annotation[]>();
  for (const one of annotations) {
    const group = groups.get(one.image_id);
    if (group) group.push(one);
    else groups.set(one.image_id, [one]);
  }
  return groups;
}

interface Picture {
  readonly width: number;
  readonly height: number;
  /** For messages. */
  readonly of: string;
}

function paintAll(
  picture: Picture,
  annotations: readonly Annotation[],
  classOf: ReadonlyMap<number, number>,
): LabelMap {
  const data = new Uint16Array(picture.width * picture.height);
  const painted = annotations.map(one => {
    const mask = maskOf(one, picture);
    return { one, mask, area: one.area ?? mask.reduce((sum, inside) => sum + inside, 0) };
  });
  for (const { one, mask } of painted.sort((a, b) => b.area - a.area)) {
    const id = classOf.get(one.category_id);
    if (id === undefined)
      throw new PermanentError(
        `${picture.of} has an annotation of category ${one.category_id}, which the file does not define`,
      );
    for (let i = 0; i < data.length; i++) if (mask[i] === 1) data[i] = id;
  }
  return { width: picture.width, height: picture.height, data };
}

function maskOf({ segmentation }: Annotation, { width, height, of }: Picture): Uint8Array {
  if (!segmentation) return new Uint8Array(width * height);
  if (Array.isArray(segmentation)) return fill(segmentation, width, height);
  const { counts, size } = segmentation;
  try {
    if (size[0] !== height || size[1] !== width) throw new RangeError(`runs of ${size[1]}×${size[0]}`);
    return maskOfCounts(typeof counts === 'string' ? decompressCounts(counts) : counts, width, height);
  } catch (cause) {
    throw new PermanentError(`${of} has a damaged annotation (${(cause as Error).message})`, { cause });
  }
}

/** Pixels whose centre lies inside an odd number of times, polygon by polygon, as one mask. Corners may be fractions. */
function fill(polygons: readonly (readonly number[])[], width: number, height: number): Uint8Array {
  const mask = new Uint8Array(width * height);
  for (const polygon of polygons) {
    for (let y = 0; y < height; y++) {
      const crossings = crossingsAt(polygon, y + 0.5);
      for (let i = 0; i + 1 < crossings.length; i += 2) {
        const from = Math.max(0, Math.ceil(crossings[i]! - 0.5));
        const to = Math.min(width, Math.ceil(crossings[i + 1]! - 0.5));
        if (from < to) mask.fill(1, y * width + from, y * width + to);
      }
    }
  }
  return mask;
}

/** Where a polygon's edges cross a horizontal line, from left to right. */
function crossingsAt(polygon: readonly number[], y: number): number[] {
  const crossings: number[] = [];
  const corners = Math.floor(polygon.length / 2);
  for (let i = 0; i < corners; i++) {
    const next = (i + 1) % corners;
    const [x0, y0, x1, y1] = [polygon[2 * i]!, polygon[2 * i + 1]!, polygon[2 * next]!, polygon[2 * next + 1]!];
    if (y0 <= y !== y1 <= y) crossings.push(x0 + ((y - y0) * (x1 - x0)) / (y1 - y0));
  }
  return crossings.sort((a, b) => a - b);
}
