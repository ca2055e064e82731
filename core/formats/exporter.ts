/** What every export format is: labelled images in, one after another, files out as soon as they are complete. */
import type { LabelClass } from '../labels/class-map.ts';
import type { LabelMap } from '../labels/label-map.ts';
import type { Deflate } from './png-index.ts';

/** An image with its pixels' classes. */
export interface LabelledImage {
  /** Path relative to the images' folder: `a/b.jpg`. */
  readonly image: string;
  /** Path of its label map without `.png`: `a/b`. No two images share it; names of files in an export come from it. */
  readonly name: string;
  /** Class ids; 0 is background and everything ignored. Size of the image as shown. */
  readonly map: LabelMap;
  /** How sure the labels are, 0 … 1. */
  readonly confidence?: number;
}

export interface ExportContext {
  /** Classes in the maps, by id, ascending; ignored classes are not among them. */
  readonly classes: readonly LabelClass[];
  /** Name of the model or job that made the labels, where a format has room for it. */
  readonly source: string;
  readonly deflate: Deflate;
}

export interface ExportFile {
  /** Path within the export. */
  readonly key: string;
  readonly bytes: Uint8Array;
}

/** Holds one image at a time; a format that is one large file keeps that file's text. */
export type Exporter = (images: AsyncIterable<LabelledImage>, context: ExportContext) => AsyncIterable<ExportFile>;

/** A small text file. */
export const textFile = (key: string, text: string): ExportFile => ({ key, bytes: new TextEncoder().encode(text) });

/** Name of each class by id. */
export const classNames = ({ classes }: ExportContext): Map<number, string> =>
  new Map(classes.map(({ id, name }) => [id, name]));
