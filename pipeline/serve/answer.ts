/** A segmented image in every shape the API answers in. */
import { toGeoJson } from '#core/api/geo-json';
import { rounded, type SegmentedMap, type SegmentOutputs } from '#core/api/segments';
import type { LabelledImage } from '#core/formats/exporter';
import type { ExportFormat } from '#core/formats/exporters';
import { encodeIndexPng } from '#core/formats/png-index';
import { colourOf, colourOfHex } from '#core/labels/palette';
import { toJson } from '../documents.ts';
import type { Ports } from '../ports.ts';
import type { ServedModel } from './model-shelf.ts';
import type { SegmentedImage, SegmentParams } from './segment-image.ts';

export interface Answer {
  readonly mediaType: string;
  /** Extension of a file of this kind. */
  readonly extension: string;
  readonly bytes: Uint8Array;
}

/** What an answer is made of. */
export interface Segmented {
  /** The request's id. */
  readonly id: string;
  /** What the client calls the image. */
  readonly name: string;
  readonly model: ServedModel;
  readonly image: SegmentedImage;
  /** Milliseconds until the image was there and its turn had come. */
  readonly wait: number;
  readonly params: SegmentParams;
}

export type ToolFormat = ExportFormat & ('coco' | 'cvat' | 'label-studio');

/** The file of each format that holds the labels. */
const toolFiles: Record<ToolFormat, string> = {
  coco: 'annotations/instances_default.json',
  cvat: 'annotations.xml',
  'label-studio': 'tasks-0001.json',
};

/** Media types a request may be answered in, the preferred one first. */
export const offeredTypes = (format: ToolFormat | undefined): readonly string[] =>
  format === undefined
    ? ['application/json', 'image/png', 'application/geo+json']
    : [format === 'cvat' ? 'application/xml' : 'application/json'];

type AnswerPorts = Pick<Ports, 'images'>;

/** @param mediaType one of `offeredTypes(format)` */
export async function answerOf(
  ports: AnswerPorts,
  segmented: Segmented,
  mediaType: string,
  format: ToolFormat | undefined,
): Promise<Answer> {
  if (format !== undefined) return toolAnswer(ports, segmented, mediaType, format);
  if (mediaType === 'image/png') return { mediaType, extension: 'png', bytes: await maskPng(ports, segmented) };
  if (mediaType === 'application/geo+json') {
    const { segments } = found(segmented);
    return { mediaType, extension: 'geojson', bytes: encoded(toGeoJson(segments, segmented.model.classes.classes)) };
  }
  return { mediaType, extension: 'json', bytes: encoded(await segmentationOf(ports, segmented)) };
}

const encoder = new TextEncoder();
const encoded = (value: unknown): Uint8Array => encoder.encode(JSON.stringify(value));

/** What has to be known of the regions for an answer; undefined: nothing. */
export function regionsFor(
  { outputs = ['rle'] }: SegmentParams,
  mediaType = 'application/json',
  format?: ToolFormat,
): SegmentOutputs | undefined {
  if (format !== undefined || mediaType === 'image/png') return undefined;
  if (mediaType === 'application/geo+json') return { rle: false, polygons: true };
  return { rle: outputs.includes('rle'), polygons: outputs.includes('polygons') };
}

function found({ image }: Segmented): SegmentedMap {
  if (!image.segmented) throw new Error('internal: the answer lists segments that were not looked for');
  return image.segmented;
}

/** The label map as `predict` writes it, in the colours of the classes. */
export function maskPng({ images }: AnswerPorts, { image, model }: Segmented): Promise<Uint8Array> {
  const { classes } = model.classes;
  const colours = new Map(classes.map(({ id, color }) => [id, colourOfHex(color)]));
  return encodeIndexPng(image.map, {
    highest: Math.max(1, ...classes.map(({ id }) => id)),
    palette: id => colours.get(id) ?? colourOf(id),
    deflate: (bytes, runs) => images.deflate(bytes, runs),
  });
}

/** The document `Segmentation`. */
export async function segmentationOf(ports: AnswerPorts, segmented: Segmented): Promise<object> {
  const { id, name, model, image, wait, params } = segmented;
  const { width, height } = image.map;
  const pixels = width * height;
  const { classes, segments, total } = found(segmented);
  const byId = new Map(model.classes.classes.map(item => [item.id, item]));
  const background = pixels - classes.reduce((sum, item) => sum + item.pixels, 0);
  const mask = params.outputs?.includes('mask') && Buffer.from(await maskPng(ports, segmented)).toString('base64');
  return {
    id,
    model: { name: model.name, version: model.card.modelVersion, sha256: model.sha256 },
    image: { name, width, height, original: image.original, notes: image.notes },
    background: { pixels: background, share: background / pixels },
    confidence: rounded(image.confidence),
    classes: classes.map(figures => {
      const { name, color } = byId.get(figures.id)!;
      const { id, pixels: own, ...rest } = figures;
      return { id, name, color, pixels: own, share: own / pixels, ...rest };
    }),
    segments,
    ...(mask && { mask }),
    timings: { wait, ...image.timings },
    warnings:
      total > segments.length
        ? [`${total} segments; the ${segments.length} largest are listed, classes count all`]
        : [],
  };
}

async function toolAnswer(
  { images }: AnswerPorts,
  { image, model, name }: Segmented,
  mediaType: string,
  format: ToolFormat,
): Promise<Answer> {
  const { exporters } = await import('#core/formats/exporters');
  const { map, confidence, classes } = image;
  const labelled: LabelledImage = { image: name, name, map, confidence };
  const context = {
    classes,
    source: model.name,
    deflate: (bytes: Uint8Array, runs: boolean) => images.deflate(bytes, runs),
  };
  const one = async function* () {
    yield labelled;
  };
  for await (const { key, bytes } of exporters[format](one(), context)) {
    if (key === toolFiles[format]) return { mediaType, extension: format === 'cvat' ? 'xml' : 'json', bytes };
  }
  throw new Error(`internal: no ${toolFiles[format]} in the export ${format}`);
}

/** JSON documents that people may look at are written over several lines. */
export const jsonAnswer = (value: unknown): Answer => ({
  mediaType: 'application/json',
  extension: 'json',
  bytes: toJson(value),
});
