/** Opening what an evaluation reads: label maps in a folder or a zip, ground truth in its forms, scores. */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { ZipArchive } from '#adapters/zip/zip-archive';
import { PermanentError } from '#core/errors';
import type { ImageCodec, ObjectStore } from '#pipeline/ports';
import { type OpenedTruth, openTruth } from './truth-folder.ts';

type ReadStore = Pick<ObjectStore, 'get' | 'keys'>;

/** As typed. Plain data: it goes to other threads as it is. */
export interface EvaluationPlaces {
  readonly predictions: string;
  readonly masks: string;
  readonly scores?: string | undefined;
}

export interface OpenedPlaces {
  readonly predictions: ReadStore;
  readonly truth: OpenedTruth;
  readonly scores: ReadStore | undefined;
}

type OpenReadFolder = (folder: string) => Promise<ReadStore>;

/** @throws PermanentError if something is not there or of another kind */
export async function openPlaces(
  { predictions, masks, scores }: EvaluationPlaces,
  images: Pick<ImageCodec, 'deflate'>,
  openFolder: OpenReadFolder,
): Promise<OpenedPlaces> {
  return {
    predictions: await openLabelMaps(predictions, openFolder),
    truth: await openTruth(masks, '--masks', images, openFolder),
    scores: scores === undefined ? undefined : await openExisting(scores, '--threshold-sweep', openFolder),
  };
}

/** A folder, or a zip with the same layout inside. */
async function openLabelMaps(path: string, openFolder: OpenReadFolder): Promise<ReadStore> {
  const isFile = statSync(path, { throwIfNoEntry: false })?.isFile();
  if (!isFile || !path.toLowerCase().endsWith('.zip')) return openExisting(path, '--predictions', openFolder);
  return ZipArchive.open(path, path);
}

async function openExisting(folder: string, option: string, openFolder: OpenReadFolder): Promise<ReadStore> {
  const found = statSync(folder, { throwIfNoEntry: false });
  if (!found?.isDirectory()) {
    throw new PermanentError(`${option} ${folder} is ${found ? 'not a folder' : 'not there'}`);
  }
  return openFolder(resolve(folder));
}
