/** Submissions: packing label maps into one, and saying what is wrong with one before anything is scored. */
import { type Method, parseMethod } from '#core/benchmark/submission';
import { PermanentError } from '#core/errors';
import { encodeImageNetSPng } from '#core/formats/png-index';
import type { Matching } from '#core/metrics/matching';
import { readMatching } from '#core/metrics/saved-matching';
import { decodeMask, listMasks } from './ground-truth.ts';
import { mapInOrder } from './in-flight.ts';
import type { ImageCodec, ObjectStore } from './ports.ts';

type ReadStore = Pick<ObjectStore, 'get' | 'keys'>;

export interface SubmissionFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface SubmissionContent {
  readonly method: Method;
  /** From match.json; without one the masks carry class ids. */
  readonly matching: Matching | undefined;
  /** Paths of the label maps. */
  readonly maps: readonly string[];
}

const filesAtOnce = 8;
const mostNamed = 3;

/** The files of a zip: the method, the matching if there is one, and every label map as ImageNet-S stores it. */
export async function* packSubmission(
  { images, labels }: { images: Pick<ImageCodec, 'inflate' | 'deflate'>; labels: ReadStore },
  { method, matching }: { readonly method: string; readonly matching?: string | undefined },
): AsyncGenerator<SubmissionFile> {
  parseMethod(method);
  const encoder = new TextEncoder();
  yield { name: 'method.txt', bytes: encoder.encode(method) };
  if (matching !== undefined) {
    readMatching(matching, 'match.json', 'auto');
    yield { name: 'match.json', bytes: encoder.encode(matching) };
  }
  const names = await listMasks({ store: labels }, '');
  if (names.length === 0) throw new PermanentError('there is no label map (.png) to pack');
  yield* mapInOrder(names, filesAtOnce, async name => {
    const { width, height, ids } = await decodeMask({ images }, (await labels.get(name))!, `label map ${name}`);
    return {
      name,
      bytes: await encodeImageNetSPng({ width, height, data: ids }, (b, runs) => images.deflate(b, runs)),
    };
  });
}

/**
 * What a submission says about itself.
 * @param masks paths of the ground truth, where it is at hand: every one needs a label map, and there may be no others
 * @throws PermanentError that says what is missing
 */
export async function readSubmission(
  zip: ReadStore,
  { masks, matchingNeeded = false }: { masks?: readonly string[]; matchingNeeded?: boolean } = {},
): Promise<SubmissionContent> {
  const decoder = new TextDecoder();
  const maps = await listMasks({ store: zip }, '');
  const methodBytes = await zip.get('method.txt');
  if (!methodBytes) throw noMethod(await firstNamed(zip, 'method.txt'));
  const method = parseMethod(decoder.decode(methodBytes));
  const matchBytes = await zip.get('match.json');
  if (matchingNeeded && !matchBytes) {
    throw new PermanentError('match.json is missing: masks of this protocol carry cluster ids, found on validation');
  }
  const matching = matchBytes && readMatching(decoder.decode(matchBytes), 'match.json', 'auto');
  if (maps.length === 0) throw new PermanentError('no label map (.png) in the zip');
  if (masks) assertComplete(maps, masks);
  return { method, matching, maps };
}

const noMethod = (elsewhere: string | undefined) =>
  new PermanentError(
    elsewhere
      ? `method.txt lies at ${elsewhere}, not at the root of the zip; pack the content of the folder, not the folder`
      : 'method.txt is missing at the root of the zip',
  );

async function firstNamed(zip: ReadStore, file: string): Promise<string | undefined> {
  for await (const key of zip.keys('')) if (key.endsWith(`/${file}`)) return key;
  return undefined;
}

function assertComplete(maps: readonly string[], masks: readonly string[]): void {
  const [given, wanted] = [new Set(maps), new Set(masks)];
  const missing = masks.filter(name => !given.has(name));
  const extra = maps.filter(name => !wanted.has(name));
  if (missing.length > 0)
    throw new PermanentError(`${missing.length} of ${masks.length} label maps are missing: ${some(missing)}`);
  if (extra.length > 0)
    throw new PermanentError(`${extra.length} label maps are of no image of the test set: ${some(extra)}`);
}

const some = (names: readonly string[]): string =>
  names.slice(0, mostNamed).join(', ') + (names.length > mostNamed ? ', …' : '');
