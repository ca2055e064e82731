/** What `--masks` may be: a folder of masks, a COCO instances file, or a folder in Pascal VOC's layout. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { PermanentError } from '#core/errors';
import type { ImageCodec, ObjectStore } from '#pipeline/ports';
import { cocoTruth, truthMasks, vocTruth } from '#pipeline/truth-stores';

export interface OpenedTruth {
  readonly store: Pick<ObjectStore, 'get' | 'keys'>;
  /** Prefix of the masks in the store. */
  readonly masks: string;
}

/** @throws PermanentError if there is nothing of the kind */
export async function openTruth(
  path: string,
  option: string,
  images: Pick<ImageCodec, 'deflate'>,
  openFolder: (folder: string) => Promise<Pick<ObjectStore, 'get' | 'keys'>>,
): Promise<OpenedTruth> {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isFile() && path.toLowerCase().endsWith('.json')) {
    return { store: cocoTruth(images, readFileSync(path, 'utf8'), basename(path)), masks: truthMasks };
  }
  if (!found?.isDirectory()) {
    throw new PermanentError(`${option} ${path} is ${found ? 'not a folder (or a COCO .json)' : 'not there'}`);
  }
  if (existsSync(join(path, 'SegmentationClass'))) {
    return { store: vocTruth(await openFolder(resolve(path))), masks: truthMasks };
  }
  // One folder up, because categories.txt lies beside the masks.
  return { store: await openFolder(dirname(resolve(path))), masks: `${basename(resolve(path))}/` };
}
