/** A reader for each export format, from the format's own description: what an importing tool would see. */
import { XMLParser } from 'fast-xml-parser';
import sharp from 'sharp';
import { decodeBrush } from '#core/formats/brush-rle';
import type { ExportFormat } from '#core/formats/exporters';
import { decodeIndexPng } from '#core/formats/png-index';
import { decompressCounts, maskOfCounts } from '#core/formats/rle';
import { fillByRays } from './ray-fill.ts';
import { inflate } from './zlib-port.ts';

export type Files = ReadonlyMap<string, Uint8Array>;

/** A picture as the name of the class of each pixel, '' for background; by image path or, where the format drops the extension, its stem. */
export type NamedPictures = Map<string, { width: number; height: number; names: string[] }>;

const text = (files: Files, key: string) => new TextDecoder().decode(files.get(key));
const lines = (content: string) => content.split('\n').filter(line => line !== '');
const blank = (width: number, height: number) => new Array<string>(width * height).fill('');

/** Paints a mask; two classes on one pixel are an error of the export. */
function paint(names: string[], mask: ArrayLike<number>, name: string): void {
  for (let i = 0; i < names.length; i++) {
    if (!mask[i]) continue;
    if (names[i] !== '') throw new Error(`pixel ${i} is ${names[i]} and ${name}`);
    names[i] = name;
  }
}

async function readPngMasks(files: Files): Promise<NamedPictures> {
  const names = new Map(
    lines(text(files, 'categories.txt')).map(line => [Number(line.split('\t')[0]), line.split('\t')[1]!]),
  );
  const pictures: NamedPictures = new Map();
  for (const [key, bytes] of files) {
    if (!key.startsWith('masks/')) continue;
    const { width, height, ids } = await decodeIndexPng(bytes, inflate);
    pictures.set(key.slice(6, -4), { width, height, names: Array.from(ids, id => (id === 0 ? '' : names.get(id)!)) });
  }
  return pictures;
}

interface Coco {
  images: { id: number; file_name: string; width: number; height: number }[];
  annotations: {
    image_id: number;
    category_id: number;
    segmentation: { size: [number, number]; counts: string } | number[][];
    area: number;
    bbox: [number, number, number, number];
    iscrowd: number;
  }[];
  categories: { id: number; name: string }[];
}

/** The box of a mask as [left, top, width, height]. */
function boxOf(mask: Uint8Array, width: number): number[] {
  const inside = [...mask.keys()].filter(i => mask[i] === 1);
  const [xs, ys] = [inside.map(i => i % width), inside.map(i => Math.floor(i / width))];
  const [left, top] = [Math.min(...xs), Math.min(...ys)];
  return [left, top, Math.max(...xs) - left + 1, Math.max(...ys) - top + 1];
}

function readCoco(content: string): NamedPictures {
  const coco = JSON.parse(content) as Coco;
  const names = new Map(coco.categories.map(({ id, name }) => [id, name]));
  const pictures: NamedPictures = new Map();
  for (const { id, file_name, width, height } of coco.images) {
    const picture = { width, height, names: blank(width, height) };
    pictures.set(file_name, picture);
    for (const annotation of coco.annotations.filter(({ image_id }) => image_id === id)) {
      const { segmentation, area, bbox, iscrowd, category_id } = annotation;
      const mask = Array.isArray(segmentation)
        ? fillByRays(segmentation, width, height)
        : maskOfCounts(decompressCounts(segmentation.counts), segmentation.size[1], segmentation.size[0]);
      if (
        iscrowd !== 0 ||
        area !== mask.reduce((sum, bit) => sum + bit, 0) ||
        String(bbox) !== String(boxOf(mask, width))
      ) {
        throw new Error(`annotation is wrong: ${JSON.stringify(annotation)}`);
      }
      paint(picture.names, mask, names.get(category_id)!);
    }
  }
  return pictures;
}

async function readVoc(files: Files): Promise<NamedPictures> {
  const labels = lines(text(files, 'labelmap.txt')).filter(line => !line.startsWith('#'));
  const byColour = new Map(labels.map(line => [line.split(':')[1]!, line.split(':')[0]!]));
  const byLine = labels.map(line => line.split(':')[0]!);
  if (byColour.size !== labels.length || byLine[0] !== 'background') throw new Error('labelmap.txt is ambiguous');
  const pictures: NamedPictures = new Map();
  for (const name of lines(text(files, 'ImageSets/Segmentation/default.txt'))) {
    const png = files.get(`SegmentationClass/${name}.png`)!;
    const { data, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true });
    const names = Array.from({ length: info.width * info.height }, (_, i) => {
      const colour = [...data.subarray(i * info.channels, i * info.channels + 3)].join(',');
      const label = byColour.get(colour)!;
      return label === 'background' ? '' : label;
    });
    const { kind, ids, width, height } = await decodeIndexPng(png, inflate);
    if (kind === 'index8' && names.some((label, i) => (label || 'background') !== byLine[ids[i]!])) {
      throw new Error('values and colours disagree');
    }
    const objects = await decodeIndexPng(files.get(`SegmentationObject/${name}.png`)!, inflate);
    const pairs = new Set(names.map((label, i) => `${label}|${objects.ids[i]}`));
    if (pairs.size !== new Set(names).size || pairs.size !== new Set(objects.ids).size)
      throw new Error('objects are not the classes');
    pictures.set(name, { width, height, names });
  }
  return pictures;
}

/** YOLO files say nothing about the pictures' sizes. */
function readYolo(files: Files, sizes: ReadonlyMap<string, { width: number; height: number }>): NamedPictures {
  const names = new Map(
    lines(text(files, 'data.yaml')).flatMap(line => {
      const [, index, name] = /^ {2}(\d+): (".*")$/.exec(line) ?? [];
      return index === undefined ? [] : [[Number(index), JSON.parse(name!) as string] as const];
    }),
  );
  const pictures: NamedPictures = new Map();
  for (const [key, bytes] of files) {
    if (!key.startsWith('labels/')) continue;
    const { width, height } = sizes.get(key.slice(7, -4))!;
    const picture = { width, height, names: blank(width, height) };
    for (const line of lines(new TextDecoder().decode(bytes))) {
      const [index, ...shares] = line.split(' ').map(Number);
      if (shares.length < 6 || shares.some(value => !(value >= 0 && value <= 1)))
        throw new Error(`not a YOLO line: ${line}`);
      const corners = shares.map((value, i) => value * (i % 2 === 0 ? width : height));
      paint(picture.names, fillByRays([corners], width, height), names.get(index!)!);
    }
    pictures.set(key.slice(7, -4), picture);
  }
  return pictures;
}

interface CvatImage {
  name: string;
  width: string;
  height: string;
  mask?: { label: string; rle: string; left: string; top: string; width: string; height: string }[];
}

function readCvat(files: Files): NamedPictures {
  const parser = new XMLParser({
    ignoreAttributes: false,
    attributeNamePrefix: '',
    parseAttributeValue: false,
    parseTagValue: false,
    htmlEntities: true,
    isArray: (name, _path, _leaf, isAttribute) => !isAttribute && ['image', 'mask', 'label'].includes(name),
  });
  const { annotations } = parser.parse(text(files, 'annotations.xml'));
  const raw = JSON.parse(text(files, 'labels.json')) as { name: string; color: string }[];
  const declared = (annotations.meta.task.labels.label ?? []) as { name: string; color: string }[];
  if (
    annotations.version !== '1.1' ||
    JSON.stringify(declared.map(l => [l.name, l.color])) !== JSON.stringify(raw.map(l => [l.name, l.color]))
  ) {
    throw new Error('labels disagree');
  }
  const pictures: NamedPictures = new Map();
  for (const { name, width, height, mask: masks = [] } of (annotations.image ?? []) as CvatImage[]) {
    const picture = { width: Number(width), height: Number(height), names: blank(Number(width), Number(height)) };
    for (const mask of masks) {
      if (!raw.some(label => label.name === mask.label)) throw new Error(`undeclared label ${mask.label}`);
      const box = {
        left: Number(mask.left),
        top: Number(mask.top),
        width: Number(mask.width),
        height: Number(mask.height),
      };
      const inside = mask.rle.split(',').flatMap((run, i) => new Array<number>(Number(run)).fill(i % 2));
      if (inside.length !== box.width * box.height) throw new Error('runs do not fill the box');
      const whole = new Uint8Array(picture.names.length);
      inside.forEach((bit, i) => {
        whole[(box.top + Math.floor(i / box.width)) * picture.width + box.left + (i % box.width)] = bit;
      });
      paint(picture.names, whole, mask.label);
    }
    pictures.set(name, picture);
  }
  return pictures;
}

interface Task {
  data: { image: string };
  predictions: {
    result: {
      id: string;
      type: string;
      from_name: string;
      to_name: string;
      original_width: number;
      original_height: number;
      value: { rle: number[]; brushlabels: string[] };
    }[];
  }[];
}

/** An image without regions has no size in Label Studio. */
function readLabelStudio(files: Files, sizes: ReadonlyMap<string, { width: number; height: number }>): NamedPictures {
  const parser = new XMLParser({
    ignoreAttributes: false,
    attributeNamePrefix: '',
    htmlEntities: true,
    isArray: name => name === 'Label',
  });
  const { View } = parser.parse(text(files, 'labeling-config.xml'));
  const labels = new Set(((View.BrushLabels.Label ?? []) as { value: string }[]).map(({ value }) => value));
  const pictures: NamedPictures = new Map();
  for (const key of [...files.keys()].filter(name => name.startsWith('tasks-')).sort()) {
    for (const { data, predictions } of JSON.parse(text(files, key)) as Task[]) {
      const url = new URL(data.image, 'http://localhost');
      if (url.pathname !== '/data/local-files/') throw new Error(`not in the local storage: ${data.image}`);
      const image = url.searchParams.get('d')!;
      const size = sizes.get(image)!;
      const picture = { width: size.width, height: size.height, names: blank(size.width, size.height) };
      const results = predictions[0]!.result;
      if (new Set(results.map(({ id }) => id)).size !== results.length) throw new Error('ids repeat');
      for (const { value, type, from_name, to_name, original_width, original_height } of results) {
        const fits = original_width === size.width && original_height === size.height && type === 'brushlabels';
        if (
          !fits ||
          from_name !== View.BrushLabels.name ||
          to_name !== View.Image.name ||
          !labels.has(value.brushlabels[0]!)
        ) {
          throw new Error('the result does not fit the labelling interface');
        }
        const alpha = decodeBrush(value.rle).filter((_, i) => i % 4 === 3);
        paint(picture.names, alpha, value.brushlabels[0]!);
      }
      pictures.set(image, picture);
    }
  }
  return pictures;
}

/** Everything an export says. COCO says it twice, which must agree. @param sizes by image path and by stem */
export async function readExport(
  format: ExportFormat,
  files: Files,
  sizes: ReadonlyMap<string, { width: number; height: number }>,
): Promise<NamedPictures[]> {
  const readers: Record<ExportFormat, () => (NamedPictures | Promise<NamedPictures>)[]> = {
    png: () => [readPngMasks(files)],
    coco: () => ['annotations', 'polygons'].map(folder => readCoco(text(files, `${folder}/instances_default.json`))),
    voc: () => [readVoc(files)],
    yolo: () => [readYolo(files, sizes)],
    cvat: () => [readCvat(files)],
    'label-studio': () => [readLabelStudio(files, sizes)],
  };
  return Promise.all(readers[format]());
}
